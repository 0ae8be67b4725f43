package haproxy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"router/pkg/haproxy/config"
	"router/pkg/template"
)

// files are those that HAProxy reads when it starts or loads itself anew. It
// reads them at no other time, so that they follow a change a moment later: what
// they cost is that of all routes.
type files struct {
	layout   template.Layout
	features config.Features
	imager   *config.Imager
	// image is the state that the files say, fixed are those without routes.
	image *config.State
	fixed map[string]config.File
	// written is the content of each file.
	written map[string]string
	// first and last are when the first and last change came that the files do
	// not say; zero for none. A change that could not be written stays one.
	first, last time.Time
}

// Bounds of how far the files may lag behind.
const (
	// writeAfter is how long after the last change they are written.
	writeAfter = time.Second
	// maxLag is when they are written though changes go on.
	maxLag = 10 * time.Second
)

func newFiles(l template.Layout, f config.Features, errorPages map[int][]byte) *files {
	fixed := map[string]config.File{}
	for code, path := range map[int]template.Path{503: l.ErrorPage503, 404: l.ErrorPage404} {
		fixed[path.String()] = config.File{Content: wireForm(errorPages[code])}
	}
	return &files{layout: l, features: f, imager: config.NewImager(f), fixed: fixed, written: map[string]string{}}
}

// leftover stands for the content of a file that an earlier router has left; no
// file has it.
const leftover = "\x00"

// noteLeftovers finds the files of routes that an earlier router has left, such as
// the keys of routes that have gone since it was killed. The next write replaces
// or removes them.
func (f *files) noteLeftovers() error {
	for _, dir := range []template.Path{f.layout.Certificates, f.layout.Lists} {
		entries, err := os.ReadDir(dir.String())
		if err != nil {
			return fmt.Errorf("working directory: %w", err)
		}
		for _, e := range entries {
			if template.IsOfRoute(e.Name()) {
				f.written[filepath.Join(dir.String(), e.Name())] = leftover
			}
		}
	}
	return nil
}

// changed notes that the files do not say what is wanted.
func (f *files) changed(now time.Time) {
	f.last = now
	if f.first.IsZero() {
		f.first = now
	}
}

// due is when the files are to be written; zero for not before a change.
func (f *files) due() time.Time {
	if f.first.IsZero() {
		return time.Time{}
	}
	return earliest(f.last.Add(writeAfter), f.first.Add(maxLag))
}

// writeStale writes the files, if that is due.
func (d *DataPlane) writeStale() error {
	if due := d.files.due(); due.IsZero() || due.After(d.opts.Now()) {
		return nil
	}
	return d.write()
}

// write brings the files to what is wanted.
func (d *DataPlane) write() error {
	started := d.opts.Now()
	err := d.files.write(d.desired.State, d.worker.Applied)
	d.opts.Metrics.wrote(d.opts.Now().Sub(started))
	return err
}

// write replaces each file that differs in one step. Those that others name come
// before them, and those that nothing names any more go last; the first error
// ends it. So the files can be loaded at any moment.
func (f *files) write(desired, applied *config.State) error {
	f.image = f.imager.Image(desired, applied)
	all := f.image.Files(f.layout, f.features)
	maps.Copy(all, f.fixed)
	for _, path := range slices.SortedFunc(maps.Keys(all), f.order) {
		content := all[path].Content
		if old, exists := f.written[path]; exists && old == content {
			continue
		}
		mode := fs.FileMode(publicFile)
		if all[path].Private {
			mode = privateFile
		}
		if err := renameio.WriteFile(path, []byte(content), mode, renameio.WithStaticPermissions(mode)); err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
		f.written[path] = content
	}
	for path := range f.written {
		if _, wanted := all[path]; wanted {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing %s: %w", path, err)
		}
		delete(f.written, path)
	}
	f.first, f.last = time.Time{}, time.Time{}
	return nil
}

// order is that in which files are written.
func (f *files) order(a, b string) int {
	return cmp.Or(cmp.Compare(f.rank(a), f.rank(b)), cmp.Compare(a, b))
}

func (f *files) rank(path string) int {
	switch {
	case path == f.layout.Config.String():
		return 2
	case filepath.Dir(path) == filepath.Dir(f.layout.Config.String()):
		return 1
	}
	return 0
}

// Modes of files: those with keys are for the router's user alone.
const (
	privateFile = 0o600
	publicFile  = 0o644
	directory   = 0o750
)

func makeDirectories(l template.Layout) error {
	for _, dir := range []string{
		filepath.Dir(l.Config.String()), filepath.Dir(l.RuntimeSocket.String()),
		l.Certificates.String(), l.CAs.String(), l.Lists.String(),
	} {
		if err := os.MkdirAll(dir, directory); err != nil {
			return fmt.Errorf("working directory: %w", err)
		}
	}
	return nil
}

// wireForm ends the header lines of a raw response as HTTP wants it, so that
// pages can be edited with any editor.
func wireForm(page []byte) string {
	page = bytes.ReplaceAll(page, []byte("\r\n"), []byte("\n"))
	head, body, found := strings.Cut(string(page), "\n\n")
	if !found {
		return string(page)
	}
	return strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n" + body
}
