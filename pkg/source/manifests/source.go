package manifests

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"router/pkg/source"
)

// Options are what a Source needs.
type Options struct {
	// Dir is the directory to read, with all below it.
	Dir    string
	Queue  *source.Queue
	Logger *slog.Logger
}

// The rhythm of reading.
const (
	// quiet is how long the files must be still before they are read again:
	// editors replace files in several steps.
	quiet = 50 * time.Millisecond
	// latest is how long after the first event they are read, still or not.
	latest = 500 * time.Millisecond
	// poll is the time between looks that no event asks for. It finds what
	// the system does not tell, as on network file systems.
	poll = 10 * time.Second
	// grace is how long an emptied file counts as it was: a command with its
	// output redirected empties the file when it starts and writes when it is
	// done.
	grace = 2 * time.Second
	// maxListings is how often in a row the directory is listed at most.
	maxListings = 5
)

// Source follows a directory of manifests.
type Source struct {
	opts  Options
	grace time.Duration

	// files, by path, and what follows belong to Run.
	files  map[string]*file
	served map[source.Key]object
	// found are the problems of the last reading of the directory.
	found []Problem
	// unwatched is whether some directory cannot be watched.
	unwatched bool

	mu       sync.Mutex
	problems []Problem
}

// New checks that the directory can be read.
func New(o Options) (*Source, error) {
	info, err := os.Stat(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("--manifests: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("--manifests: %s is not a directory", o.Dir)
	}
	if _, err := os.ReadDir(o.Dir); err != nil {
		return nil, fmt.Errorf("--manifests: %w", err)
	}
	return &Source{opts: o, grace: grace, files: map[string]*file{}, served: map[source.Key]object{}}, nil
}

// Problems are those of the last reading, by file and line. It may be called
// from any goroutine.
func (s *Source) Problems() []Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.problems)
}

// Run reads the directory, then follows it until ctx ends. It is an error if
// the directory cannot be read at first; later what was read last stays.
func (s *Source) Run(ctx context.Context) error {
	w, err := newWatch()
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	l, again, err := s.read(w, nil, true)
	if err != nil {
		return fmt.Errorf("--manifests: %w", err)
	}
	s.opts.Queue.MarkSynced()

	timer := time.NewTimer(again)
	if again == 0 {
		timer.Stop()
	}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	// since is when the first event came that was not acted on, touched what
	// such events named; everything is whether some may have been lost.
	var since time.Time
	touched, everything := map[string]bool{}, false
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, ok := <-w.Events:
			if !ok {
				return errors.New("watching manifests: the watcher ended")
			}
			if !l.concerns(event) {
				continue
			}
			touched[filepath.Clean(event.Name)] = true
		case err, ok := <-w.Errors:
			if !ok {
				return errors.New("watching manifests: the watcher ended")
			}
			s.opts.Logger.Warn("watching manifests; all are read again", "error", err)
			everything = true
		case <-ticker.C:
			timer.Reset(0)
			continue
		case <-timer.C:
			if l, again, err = s.read(w, touched, everything); again > 0 {
				timer.Reset(again)
			}
			// An error has been reported; then it is all to be read.
			since, everything = time.Time{}, err != nil
			clear(touched)
			continue
		}
		if since.IsZero() {
			since = time.Now()
		}
		timer.Reset(min(quiet, max(0, latest-time.Since(since))))
	}
}

// read reads what changed and pushes what differs from before. The files of
// touched are read even if they look as before; again is the time after which
// it must be called once more, 0 for none.
func (s *Source) read(w *watch, touched map[string]bool, everything bool) (l *listing, again time.Duration, err error) {
	// A directory is listed once more after it is watched, so that nothing
	// happens between the two unseen. Directories that come and go all the
	// time end in the next look.
	for added, i := true, 0; added && i < maxListings; i++ {
		var failed error
		l, err = list(s.opts.Dir)
		added, failed = w.follow(l)
		if failed != nil && !s.unwatched {
			s.opts.Logger.Warn("some manifests cannot be watched; changes are found by looking", "interval", poll, "error", failed)
		}
		s.unwatched = failed != nil
	}
	if err != nil {
		s.report(append([]Problem{{File: s.opts.Dir, Line: 1, Message: cause(err) + "; what was read last is served"}}, s.found...))
		return l, 0, err
	}

	now := time.Now()
	files := make(map[string]*file, len(l.files))
	for _, at := range l.files {
		f := s.files[at.path]
		if f == nil {
			f = &file{path: at.path}
		}
		files[at.path] = f
		if everything || touched[at.real] || !f.unchanged(at.info) {
			if then := f.read(at, now, s.grace); then > 0 && (again == 0 || then < again) {
				again = then
			}
		}
	}
	for path, f := range s.files {
		if files[path] == nil && l.isUnread(path) {
			files[path] = f
		}
	}
	s.files = files
	s.serve(l.problems)
	return l, again, nil
}

// serve works out what the files say together: of several definitions the
// first in the order of paths counts. It adds to the problems.
func (s *Source) serve(problems []Problem) {
	type place struct {
		file string
		line int
	}
	now := map[source.Key]object{}
	places := map[source.Key]place{}
	for _, path := range slices.Sorted(maps.Keys(s.files)) {
		f := s.files[path]
		problems = append(problems, f.problems...)
		for _, o := range f.objects {
			if first, taken := places[o.key]; taken {
				problems = append(problems, Problem{
					File: f.path, Line: o.line, Kind: o.key.Kind, Namespace: o.key.Namespace, Name: o.key.Name,
					Message: fmt.Sprintf("defined before, at %s:%d; that one counts", first.file, first.line),
				})
				continue
			}
			now[o.key], places[o.key] = o, place{f.path, o.line}
		}
	}
	s.push(now)
	slices.SortFunc(problems, compareProblems)
	s.found = problems
	s.report(problems)
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
	slices.SortFunc(changes, func(a, b source.Change) int { return a.Key.Compare(b.Key) })
	s.served = now
	s.opts.Queue.Push(changes...)
}

// report logs the problems that were not there before.
func (s *Source) report(problems []Problem) {
	known := map[Problem]bool{}
	for _, p := range s.Problems() {
		known[p] = true
	}
	for _, p := range problems {
		if !known[p] {
			s.opts.Logger.Warn("a manifest has a problem", "file", p.File, "line", p.Line,
				"kind", p.Kind, "namespace", p.Namespace, "name", p.Name, "message", p.Message)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = problems
}
