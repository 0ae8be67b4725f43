package manifests

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// listing is what a directory holds at a moment.
type listing struct {
	// files are the manifests in the order of their paths, which begin with
	// the directory as it was given.
	files []listed
	// problems are directories and links that cannot be read.
	problems []Problem
	// unread are those of them behind which files may be, as before.
	unread []string
}

// listed is one manifest.
type listed struct {
	path string
	info fs.FileInfo
}

// list walks the directory. An error means that the directory itself cannot be
// read. Links are followed anew each time: in a mounted ConfigMap, a link is
// replaced and everything behind it is another.
func list(dir string) (listing, error) {
	var l listing
	info, err := os.Stat(dir)
	if err != nil {
		return l, err //nolint:wrapcheck // cause words it
	}
	if err := l.walk(dir, []fs.FileInfo{info}); err != nil {
		return l, err
	}
	slices.SortFunc(l.files, func(a, b listed) int { return strings.Compare(a.path, b.path) })
	return l, nil
}

// equals reports whether nothing has changed between two listings, by what can
// be told without reading.
func (l listing) equals(other listing) bool {
	return slices.Equal(l.problems, other.problems) && slices.EqualFunc(l.files, other.files, func(a, b listed) bool {
		return a.path == b.path && same(a.info, b.info)
	})
}

// same reports whether two looks show the same file with the same content.
func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// walk lists a directory, which is the last one of way: those around it stand
// before it.
func (l *listing) walk(path string, way []fs.FileInfo) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err //nolint:wrapcheck // cause words it
	}
	for _, entry := range entries {
		if isHidden(entry.Name()) {
			continue
		}
		name := filepath.Join(path, entry.Name())
		err := l.entry(name, way)
		switch gone := errors.Is(err, fs.ErrNotExist); {
		case err == nil, gone && entry.Type()&fs.ModeSymlink == 0: // It was removed meanwhile.
		case gone:
			l.problems = append(l.problems, Problem{File: name, Line: 1, Message: "a link that leads nowhere"})
		default:
			l.problems = append(l.problems, Problem{File: name, Line: 1, Message: cause(err)})
			l.unread = append(l.unread, name)
		}
	}
	return nil
}

func (l *listing) entry(path string, way []fs.FileInfo) error {
	info, err := os.Stat(path)
	if err != nil {
		return err //nolint:wrapcheck // cause words it
	}
	if info.IsDir() {
		if slices.ContainsFunc(way, func(above fs.FileInfo) bool { return os.SameFile(above, info) }) {
			return nil // A link to a directory around it.
		}
		return l.walk(path, append(way[:len(way):len(way)], info))
	}
	if isManifest(path) {
		l.files = append(l.files, listed{path, info})
	}
	return nil
}

// isUnread reports whether a file may be there without having been listed.
func (l listing) isUnread(path string) bool {
	return slices.ContainsFunc(l.unread, func(at string) bool {
		return path == at || strings.HasPrefix(path, at+string(filepath.Separator))
	})
}

// isHidden reports whether a name is not for readers: editors' temporary
// files, and the directories behind a mounted ConfigMap.
func isHidden(name string) bool { return strings.HasPrefix(name, ".") }

// isManifest reports whether a file is read, by its name.
func isManifest(name string) bool {
	switch filepath.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// cause is the system's word on a failure, without the path, which is said
// beside it.
func cause(err error) string {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return fmt.Sprintf("%s: %v", failed.Op, failed.Err)
	}
	return err.Error()
}
