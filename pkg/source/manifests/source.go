package manifests

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
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
	// interval is the time between two looks at the directory. It is longer
	// where a look takes long, so that looks take at most one part in share of
	// the time, however many files there are.
	interval = 200 * time.Millisecond
	share    = 20
	// restlessShare takes its place while the directory changes.
	restlessShare = 5
	// quiet is how long the directory must be still before what has changed in
	// it is read: files are written, and replaced, in several steps.
	quiet = 50 * time.Millisecond
	// latest is how long after the first change it is read, still or not.
	latest = 500 * time.Millisecond
	// grace is how long an emptied file counts as it was: a command with its
	// output redirected empties the file when it starts and writes when it is
	// done.
	grace = 2 * time.Second
)

// Source follows a directory of manifests by looking at it again and again,
// which sees every way of changing files on every kind of volume. Only files
// that look different are read.
type Source struct {
	opts  Options
	grace time.Duration

	// last is what the last look showed, and restless when the first one was
	// that showed something else than the one before, since the last reading;
	// zero where there was none. These and what follows belong to Run.
	last     listing
	restless time.Time
	// files are those that were read, by path.
	files  map[string]*file
	served map[source.Key]object
	// found are the problems of the last reading of the directory.
	found []Problem

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
	var err error
	if s.last, err = list(s.opts.Dir); err != nil {
		return fmt.Errorf("--manifests: %w", err)
	}
	s.read(time.Now(), true)
	s.opts.Queue.MarkSynced()
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		start := time.Now()
		s.look(start)
		if took := time.Since(start); s.restless.IsZero() {
			timer.Reset(max(interval, share*took))
		} else {
			timer.Reset(max(quiet, restlessShare*took))
		}
	}
}

// look compares the directory with the last look, and reads what has changed
// once nothing changes any more.
func (s *Source) look(now time.Time) {
	l, err := list(s.opts.Dir)
	if err != nil {
		s.report(append([]Problem{{File: s.opts.Dir, Line: 1, Message: cause(err) + "; what was read last is served"}}, s.found...))
		s.last, s.restless = listing{}, now
		return
	}
	still := l.equals(s.last)
	s.last = l
	if !still && s.restless.IsZero() {
		s.restless = now
	}
	if !still && now.Sub(s.restless) < latest {
		return
	}
	s.read(now, !s.restless.IsZero())
	s.restless = time.Time{}
}

// read reads the files that may not be as they were, and pushes what differs
// from before; changed is whether files may have come or gone.
func (s *Source) read(now time.Time, changed bool) {
	files := make(map[string]*file, len(s.last.files))
	for _, at := range s.last.files {
		f := s.files[at.path]
		if f == nil {
			f = &file{path: at.path}
		}
		files[at.path] = f
		if !f.unchanged(at.info) && f.read(at, now, s.grace) {
			changed = true
		}
	}
	if !changed {
		return
	}
	for path, f := range s.files {
		if files[path] == nil && s.last.isUnread(path) {
			files[path] = f
		}
	}
	s.files = files
	s.serve(slices.Clone(s.last.problems))
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
