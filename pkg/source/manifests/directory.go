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
	// files are the manifests in the order of their paths.
	files []listed
	// problems are directories and links that cannot be read.
	problems []Problem
	// unread are those of them behind which files may be, as before.
	unread []string
	// dirs are the directories that were read, by their real paths.
	dirs map[string]bool
	// links are the names of the links on the way to something that was read,
	// and of what they lead to, by the directory that holds them: when such a
	// link is replaced, as in a mounted ConfigMap, everything behind it is
	// another.
	links map[string]map[string]bool
}

// listed is one manifest.
type listed struct {
	// path begins with the directory as it was given; real has no links.
	path, real string
	info       fs.FileInfo
}

// list walks the directory. An error means that the directory itself cannot
// be read; what is known of links is returned all the same.
func list(dir string) (*listing, error) {
	l := &listing{dirs: map[string]bool{}, links: map[string]map[string]bool{}}
	path, err := filepath.Abs(dir)
	if err != nil {
		return l, fmt.Errorf("finding %s: %w", dir, err)
	}
	real, err := l.follow(path)
	if err != nil {
		return l, err
	}
	// The directory itself may be removed and made again.
	l.link(filepath.Dir(real), filepath.Base(real))
	if err := l.walk(dir, real, nil); err != nil {
		return l, err
	}
	slices.SortFunc(l.files, func(a, b listed) int { return strings.Compare(a.path, b.path) })
	return l, nil
}

func (l *listing) link(dir, name string) {
	if l.links[dir] == nil {
		l.links[dir] = map[string]bool{}
	}
	l.links[dir][name] = true
}

// maxLinks is how many links are followed on the way to one file, as the
// kernel does.
const maxLinks = 40

// follow resolves all links of an absolute path and notes them.
func (l *listing) follow(path string) (string, error) {
	done, rest := string(filepath.Separator), path
	for links := 0; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(strings.TrimPrefix(rest, string(filepath.Separator)), string(filepath.Separator))
		switch name {
		case "", ".":
			continue
		case "..":
			done = filepath.Dir(done)
			continue
		}
		at := filepath.Join(done, name)
		info, err := os.Lstat(at)
		if err != nil {
			l.link(done, name) // It may come.
			return "", fmt.Errorf("following %s: %w", path, err)
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			done = at
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("following %s: too many links", path)
		}
		l.link(done, name)
		to, err := os.Readlink(at)
		if err != nil {
			return "", fmt.Errorf("following %s: %w", path, err)
		}
		if filepath.IsAbs(to) {
			done = string(filepath.Separator)
		}
		rest = to + string(filepath.Separator) + rest
	}
	return done, nil
}

// walk lists a directory; above are the real paths of those around it.
func (l *listing) walk(path, real string, above []string) error {
	entries, err := os.ReadDir(real)
	if err != nil {
		return fmt.Errorf("reading a directory of manifests: %w", err)
	}
	l.dirs[real] = true
	above = append(above[:len(above):len(above)], real)
	for _, entry := range entries {
		if isHidden(entry.Name()) {
			continue
		}
		name := filepath.Join(path, entry.Name())
		err := l.entry(name, filepath.Join(real, entry.Name()), entry, above)
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

// isUnread reports whether a file may be there without having been listed.
func (l *listing) isUnread(path string) bool {
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

func (l *listing) entry(path, real string, entry fs.DirEntry, above []string) error {
	var err error
	if entry.Type()&fs.ModeSymlink != 0 {
		if real, err = l.follow(real); err != nil {
			return err
		}
		l.link(filepath.Dir(real), filepath.Base(real))
	}
	info, err := os.Stat(real)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", path, err)
	}
	if info.IsDir() {
		if slices.Contains(above, real) {
			return nil // A link to a directory around it.
		}
		return l.walk(path, real, above)
	}
	if isManifest(path) {
		l.files = append(l.files, listed{path, real, info})
	}
	return nil
}

// cause is the system's word on a failure, without the path, which is said
// beside it.
func cause(err error) string {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return failed.Op + ": " + failed.Err.Error()
	}
	return err.Error()
}
