package manifests

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/fsnotify/fsnotify"
)

// watch holds what the system is asked to tell of.
type watch struct {
	*fsnotify.Watcher
	// dirs are the watched directories, as they were when they were added.
	dirs map[string]fs.FileInfo
}

func newWatch() (*watch, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watching manifests: %w", err)
	}
	return &watch{w, map[string]fs.FileInfo{}}, nil
}

// follow watches the directories of a listing and no others. It reports
// whether any was added: what happened there between the listing and now is
// not known then, and it has to be listed again.
func (w *watch) follow(l *listing) (added bool, err error) {
	wanted := map[string]bool{}
	for dir := range l.dirs {
		wanted[dir] = true
	}
	for dir := range l.links {
		wanted[dir] = true
	}
	watched := map[string]bool{}
	for _, dir := range w.WatchList() {
		watched[dir] = true
	}
	// Those that are gone or were replaced come first: a directory that was
	// renamed is the same to the system under both names.
	for dir, before := range w.dirs {
		now, err := os.Stat(dir)
		if wanted[dir] && watched[dir] && err == nil && os.SameFile(before, now) {
			continue
		}
		_ = w.Remove(dir) // An error means that the watch has ended by itself.
		delete(w.dirs, dir)
	}
	var failed []error
	for _, dir := range slices.Sorted(maps.Keys(wanted)) {
		if w.dirs[dir] != nil {
			continue
		}
		info, err := os.Stat(dir)
		if err == nil {
			err = w.Add(dir)
		}
		if err == nil {
			w.dirs[dir], added = info, true
		} else if l.dirs[dir] && !errors.Is(err, fs.ErrNotExist) {
			// Directories of links may be closed to us; looking finds what
			// happens there.
			failed = append(failed, fmt.Errorf("%s: %w", dir, err))
		}
	}
	return added, errors.Join(failed...)
}

// concerns reports whether an event may change what a listing holds.
func (l *listing) concerns(event fsnotify.Event) bool {
	path := filepath.Clean(event.Name)
	dir, name := filepath.Dir(path), filepath.Base(path)
	return l.dirs[path] || l.links[dir][name] || l.dirs[dir] && !isHidden(name)
}
