package haproxy

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"router/pkg/template"
)

// disk is the files that HAProxy reads, and the state that they say.
type disk struct {
	state *State
	// written is a digest of each file's content.
	written map[string][sha256.Size]byte
}

func newDisk() *disk { return &disk{written: map[string][sha256.Size]byte{}} }

// Modes of files: those with keys are for the router's user alone.
const (
	privateFile = 0o600
	publicFile  = 0o644
	directory   = 0o750
)

// prepare makes the directories.
func (d *disk) prepare(l template.Layout) error {
	for _, dir := range []string{
		filepath.Dir(l.Config.String()), filepath.Dir(l.RuntimeSocket.String()),
		l.Certificates.String(), l.CAs.String(), l.Lists.String(),
	} {
		if err := os.MkdirAll(dir, directory); err != nil {
			return fmt.Errorf("working directory: %w", err)
		}
	}
	d.state = newState(l.Maps.All())
	return nil
}

// write replaces a file in one step, unless it has the content already.
func (d *disk) write(path, content string, mode fs.FileMode) error {
	sum := sha256.Sum256([]byte(content))
	if d.written[path] == sum {
		return nil
	}
	if err := renameio.WriteFile(path, []byte(content), mode, renameio.WithStaticPermissions(mode)); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	d.written[path] = sum
	return nil
}

func (d *disk) remove(path string) error {
	delete(d.written, path)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing %s: %w", path, err)
	}
	return nil
}

// writeFixed writes the files that do not depend on routes.
func (d *DataPlane) writeFixed() error {
	for code, path := range map[int]template.Path{503: d.files.ErrorPage503, 404: d.files.ErrorPage404} {
		if err := d.disk.write(path.String(), wireForm(d.opts.ErrorPages[code]), publicFile); err != nil {
			return err
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

// persist brings the files of what is in scope to what is wanted, servers
// placed as they are in the running process.
func (d *DataPlane) persist(in *scope) error {
	started := d.opts.Now()
	s := d.disk.state
	s.Frame = d.desired.Frame
	for name := range in.backends {
		if want := d.desired.Backends[name]; want == nil {
			delete(s.Backends, name)
		} else if image := d.image(name, want); s.Backends[name] == nil || !s.Backends[name].equal(image) {
			s.Backends[name] = image
			d.noteSlots(name, image)
		}
	}
	err := errors.Join(d.persistFiles(in), d.persistTables(in), d.persistSlotNames())
	text, _ := s.configText(d.features)
	err = errors.Join(err, d.disk.write(d.files.Config.String(), text, privateFile))
	d.opts.Metrics.wrote(d.opts.Now().Sub(started))
	return err
}

// noteSlots remembers which endpoint each slot stands for.
func (d *DataPlane) noteSlots(backend string, image *Backend) {
	if d.features.DynamicServers {
		return
	}
	for i := range image.Servers {
		d.slots.Store(backend+"/"+image.Servers[i].Name, image.Servers[i].Endpoint)
	}
}

// image is a backend as the file has it.
func (d *DataPlane) image(name string, want *Backend) *Backend {
	image := *want
	image.Servers = slices.Clone(want.Servers)
	for i := range image.Servers {
		image.Servers[i].Down = false // No file can say it, see loaded.
	}
	if d.features.DynamicServers {
		return &image
	}
	have := d.appliedBackend(name)
	if have != nil && have.sameSettings(want) {
		if placed, left := place(have.Servers, image.Servers, true); left == 0 {
			for i := range placed {
				placed[i].Leaving = false
			}
			renewFree(placed, image.Servers, want.Options)
			image.Servers = placed
			return &image
		}
	}
	var before []Server
	if have != nil {
		before = have.Servers
	}
	image.Servers = freshSlots(before, image.Servers, want.Options)
	return &image
}

// persistFiles writes certificates, CAs and lists; those that nothing names
// any more are removed.
func (d *DataPlane) persistFiles(in *scope) error {
	var err error
	s := d.disk.state
	for _, path := range slices.Sorted(maps.Keys(in.certs)) {
		if c := d.desired.Certificates[path]; c != nil {
			s.Certificates[path] = c
			err = errors.Join(err, d.disk.write(path, c.PEM.Reveal(), privateFile))
		} else {
			delete(s.Certificates, path)
			err = errors.Join(err, d.disk.remove(path))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(in.cas)) {
		if content, ok := d.desired.CAs[path]; ok {
			s.CAs[path] = content
			err = errors.Join(err, d.disk.write(path, content, publicFile))
		} else {
			delete(s.CAs, path)
			err = errors.Join(err, d.disk.remove(path))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(in.crls)) {
		if content, ok := d.desired.CRLs[path]; ok {
			s.CRLs[path] = content
			err = errors.Join(err, d.disk.write(path, content, publicFile))
		} else {
			delete(s.CRLs, path)
			err = errors.Join(err, d.disk.remove(path))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(in.lists)) {
		if entries, ok := d.desired.Lists[path]; ok {
			s.Lists[path] = entries
			err = errors.Join(err, d.disk.write(path, strings.Join(append(slices.Clone(entries), ""), "\n"), publicFile))
		} else {
			delete(s.Lists, path)
			err = errors.Join(err, d.disk.remove(path))
		}
	}
	return err
}

// persistTables writes the lookup tables and the crt-list that changed, and
// all of them where they do not exist yet.
func (d *DataPlane) persistTables(in *scope) error {
	var err error
	s := d.disk.state
	changed := map[string]bool{}
	for k := range in.entries {
		changed[k.table] = true
		if value, ok := d.desired.Tables[k.table][k.key]; ok {
			s.Tables[k.table][k.key] = value
		} else {
			delete(s.Tables[k.table], k.key)
		}
	}
	for table, entries := range s.Tables {
		if _, exists := d.disk.written[table]; changed[table] || !exists {
			err = errors.Join(err, d.disk.write(table, tableText(entries), publicFile))
		}
	}
	for host := range in.hosts {
		if line, ok := d.desired.Hosts[host]; ok {
			s.Hosts[host] = line
		} else {
			delete(s.Hosts, host)
		}
	}
	if list := d.files.CrtList.String(); len(in.hosts) > 0 || d.disk.written[list] == [sha256.Size]byte{} {
		err = errors.Join(err, d.disk.write(list, hostsText(d.files.DefaultCertificate.String(), s.Hosts), publicFile))
	}
	return err
}
