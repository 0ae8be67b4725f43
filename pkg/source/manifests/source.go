package manifests

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"router/pkg/source"
)

// Options are what a Source needs.
type Options struct {
	// Dir is the directory to read, with all below it.
	Dir    string
	Queue  *source.Queue
	Logger *slog.Logger
}

// Source follows a directory of manifests.
type Source struct {
	opts   Options
	served map[source.Key]object

	mu       sync.Mutex
	problems []Problem
}

// New checks that the directory can be read.
func New(o Options) (*Source, error) {
	if info, err := os.Stat(o.Dir); err != nil {
		return nil, fmt.Errorf("--manifests: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("--manifests: %s is not a directory", o.Dir)
	}
	return &Source{opts: o, served: map[source.Key]object{}}, nil
}

// Problems are those of the last reading, by file and line. It may be called
// from any goroutine.
func (s *Source) Problems() []Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.problems)
}

// quiet is how long the directory must be still before it is read again:
// editors replace files in several steps.
const quiet = 50 * time.Millisecond

// Run reads the directory, then follows it until ctx ends.
func (s *Source) Run(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching %s: %w", s.opts.Dir, err)
	}
	defer func() { _ = watcher.Close() }()
	if err := s.read(watcher); err != nil {
		return err
	}
	s.opts.Queue.MarkSynced()

	timer := time.NewTimer(quiet)
	timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, ok := <-watcher.Events:
			if !ok {
				return errors.New("watching manifests: the watcher ended")
			}
			if event.Op != fsnotify.Chmod {
				timer.Reset(quiet)
			}
		case err := <-watcher.Errors:
			// Events may have been lost; reading again finds what they said.
			s.opts.Logger.Warn("watching manifests", "error", err)
			timer.Reset(quiet)
		case <-timer.C:
			if err := s.read(watcher); err != nil {
				s.opts.Logger.Error("reading manifests; what was read before stays", "error", err)
			}
		}
	}
}

// read reads the whole directory and pushes what differs from before.
func (s *Source) read(watcher *fsnotify.Watcher) error {
	files, err := s.files(watcher)
	if err != nil {
		return err
	}
	now := map[source.Key]object{}
	var problems []Problem
	broken := map[source.Key]bool{}
	unknown := map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // Gone since it was listed.
		}
		if err != nil {
			problems = append(problems, Problem{File: file, Line: 1, Message: err.Error()})
			unknown[file] = true
			continue
		}
		d := decodeFile(file, content)
		problems = append(problems, d.problems...)
		for key := range d.broken {
			broken[key] = true
		}
		unknown[file] = d.unknown
		for _, o := range d.objects {
			if first, taken := now[o.key]; taken {
				problems = append(problems, Problem{File: o.file, Line: o.line, Object: label(o.key),
					Message: fmt.Sprintf("defined before, at %s:%d; that one is used", first.file, first.line)})
				continue
			}
			now[o.key] = o
		}
	}
	// What cannot be read stays as it was read last.
	for key, o := range s.served {
		if _, there := now[key]; !there && (broken[key] || unknown[o.file]) {
			now[key] = o
		}
	}
	s.push(now)
	s.report(problems)
	return nil
}

func label(k source.Key) string {
	return string(k.Kind) + " " + strings.TrimPrefix(k.Namespace+"/"+k.Name, "/")
}

// files lists the manifests, sorted, and watches every directory.
func (s *Source) files(watcher *fsnotify.Watcher) ([]string, error) {
	var files []string
	err := filepath.WalkDir(s.opts.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if path != s.opts.Dir && errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		hidden := path != s.opts.Dir && strings.HasPrefix(entry.Name(), ".")
		if entry.IsDir() {
			if hidden {
				return fs.SkipDir
			}
			return watcher.Add(path)
		}
		switch filepath.Ext(path) {
		case ".yaml", ".yml", ".json":
			if !hidden {
				files = append(files, path)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("--manifests: %w", err)
	}
	return files, nil
}

// push sends the differences between what is served and now.
func (s *Source) push(now map[source.Key]object) {
	var changes []source.Change
	for key, o := range now {
		if before, ok := s.served[key]; !ok || before.digest != o.digest {
			changes = append(changes, source.Change{Key: key, Object: o.value})
		}
	}
	for key := range s.served {
		if _, ok := now[key]; !ok {
			changes = append(changes, source.Change{Key: key})
		}
	}
	slices.SortFunc(changes, func(a, b source.Change) int { return strings.Compare(label(a.Key), label(b.Key)) })
	s.served = now
	s.opts.Queue.Push(changes...)
}

// report logs the problems that were not there before.
func (s *Source) report(problems []Problem) {
	s.mu.Lock()
	before := s.problems
	s.problems = problems
	s.mu.Unlock()
	for _, p := range problems {
		if !slices.Contains(before, p) {
			s.opts.Logger.Warn("manifest is not served", "file", p.File, "line", p.Line, "object", p.Object, "message", p.Message)
		}
	}
}
