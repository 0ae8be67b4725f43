package manifests

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"router/pkg/source"
)

// follower follows a directory of the test's.
type follower struct {
	t      *testing.T
	dir    string
	queue  *source.Queue
	source *Source
	log    *syncBuffer
	stop   func()
}

// syncBuffer may be written and read at a time.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// put writes files below a directory: name, content, name, content.
func put(t *testing.T, dir string, files ...string) {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// follow begins to follow a directory until the end of the test.
func follow(t *testing.T, dir string) *follower {
	t.Helper()
	f := &follower{t: t, dir: dir, queue: source.NewQueue(time.Now), log: &syncBuffer{}}
	s, err := New(Options{Dir: dir, Queue: f.queue, Logger: slog.New(slog.NewTextHandler(f.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s.grace = 300 * time.Millisecond
	f.source = s
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	f.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(f.stop)
	return f
}

// next waits for changes and returns them as "name" or "-name" for deletions.
func (f *follower) next() string {
	f.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		var names []string
		for _, c := range f.queue.Drain().Changes {
			name := c.Key.Name
			if c.Object == nil {
				name = "-" + name
			}
			names = append(names, name)
		}
		if len(names) > 0 {
			return strings.Join(names, " ")
		}
		select {
		case <-f.queue.Ready():
		case <-deadline:
			f.t.Fatalf("no change arrives; problems:\n%s\nlog:\n%s", f.problems(), f.log)
		}
	}
}

func (f *follower) expect(what, want string) {
	f.t.Helper()
	if got := f.next(); got != want {
		f.t.Errorf("%s gives %q, want %q", what, got, want)
	}
}

// problems are those of the source, with the directory cut off.
func (f *follower) problems() string {
	var lines []string
	for _, p := range f.source.Problems() {
		lines = append(lines, strings.TrimPrefix(p.String(), f.dir+"/"))
	}
	return strings.Join(lines, "\n")
}

// wantProblems waits for problems: those of a reading are there after its
// changes are.
func (f *follower) wantProblems(want string) {
	f.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for f.problems() != want {
		if time.Now().After(deadline) {
			f.t.Fatalf("problems are:\n%s\nwant:\n%s", f.problems(), want)
		}
		time.Sleep(5 * time.Millisecond) // Nothing tells of problems but looking.
	}
}

func service(name, extra string) string {
	return "kind: Service\napiVersion: v1\nmetadata: {name: " + name + "}\n" + extra
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEditsAreFollowed(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a.yaml", service("a", ""), "notes.txt", service("no", ""), ".hidden.yaml", service("no", ""))
	f := follow(t, dir)
	f.expect("the directory at first", "a")
	if !f.queue.Synced() {
		<-f.queue.Ready()
	}
	put(t, dir, "b.yml", service("b", ""))
	f.expect("a new file", "b")
	put(t, dir, "sub/deep/c.json", `{"kind":"Service","apiVersion":"v1","metadata":{"name":"c"}}`)
	f.expect("a file in new directories", "c")
	put(t, dir, "sub/deep/d.yaml", service("d", ""))
	f.expect("a second file there", "d")
	put(t, dir, "b.yml", service("b", "spec: {clusterIP: None}\n"))
	f.expect("an edit", "b")
	put(t, dir, "b.yml.new", service("b", "")+"---\n"+service("b2", ""))
	must(t, os.Rename(filepath.Join(dir, "b.yml.new"), filepath.Join(dir, "b.yml")))
	f.expect("a replaced file", "b b2")
	must(t, os.Rename(filepath.Join(dir, "sub"), filepath.Join(dir, "moved")))
	put(t, dir, "moved/deep/e.yaml", service("e", ""))
	f.expect("a file in a renamed directory", "e")
	put(t, dir, "moved/deep/e.yaml", service("e", "spec: {clusterIP: None}\n"))
	f.expect("an edit there", "e")
	must(t, os.RemoveAll(filepath.Join(dir, "moved", "deep")))
	f.expect("a removed directory", "-c -d -e")
	put(t, dir, "moved/deep/c.yaml", service("c", ""))
	f.expect("the directory made again", "c")
	put(t, dir, "moved/deep/c.yaml", service("c2", ""))
	f.expect("an edit in it", "-c c2")
	must(t, os.Rename(filepath.Join(dir, "a.yaml"), filepath.Join(dir, "a.txt")))
	f.expect("a file that is no manifest any longer", "-a")
	f.wantProblems("")
}

func TestAnEditThatChangesNothingPushesNothing(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a.yaml", service("a", "")+"---\n"+service("b", ""))
	f := follow(t, dir)
	f.expect("the directory at first", "a b")
	// Another layout and order, and a file beside, which shows that it was read.
	put(t, dir, "a.yaml", "# a comment\n"+service("b", "")+"---\n"+service("a", ""), "c.yaml", service("c", ""))
	f.expect("a change of the layout alone", "c")
}

func TestABrokenEditTakesNothingDown(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a.yaml", service("a", ""), "b.yaml", service("b", "")+"---\n"+service("c", "")+"---\n"+service("d", "spec: {x: 1}\n"))
	f := follow(t, dir)
	f.expect("a directory with one broken object", "a b c")
	const broken = `b.yaml:12: Service default/d: unknown field "spec.x"; the object is left out`
	f.wantProblems(broken)
	if got := f.log.String(); strings.Count(got, "a manifest has a problem") != 1 || !strings.Contains(got, "line=12 kind=Service namespace=default name=d message=\"unknown field") {
		t.Errorf("log is:\n%s", got)
	}

	put(t, dir, "b.yaml", service("b", "spec: {w: 1}\n")+"---\n"+service("e", ""))
	f.expect("an edit that breaks one object, drops two and adds one", "-c e")
	f.wantProblems(`b.yaml:4: Service default/b: unknown field "spec.w"; it is served as it was before`)

	put(t, dir, "b.yaml", "kind: [\n---\n"+service("g", ""))
	f.expect("an edit that breaks the file in part", "g")
	f.wantProblems("b.yaml:2: not valid YAML: did not find expected node content; what is missing of the file is served as it was before")

	put(t, dir, "b.yaml", service("b", "spec: {clusterIP: None}\n"))
	f.expect("the mended file", "b -e -g")
	f.wantProblems("")

	must(t, os.Chmod(filepath.Join(dir, "b.yaml"), 0))
	put(t, dir, "z.yaml", service("z", ""))
	f.expect("a file beside one that cannot be read", "z")
	must(t, os.Remove(filepath.Join(dir, "b.yaml")))
	f.expect("the removal of a file", "-b")
}

func TestAFileThatIsEmptiedCountsAsItWasForAWhile(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a.yaml", service("a", ""))
	f := follow(t, dir)
	f.expect("the directory at first", "a")
	put(t, dir, "a.yaml", "", "b.yaml", service("b", ""))
	f.expect("an emptied file and a new one", "b")
	put(t, dir, "a.yaml", service("a2", ""))
	f.expect("the emptied file once it is written", "-a a2")
	put(t, dir, "a.yaml", "")
	f.expect("a file that stays empty", "-a2")
}

func TestTheFirstOfTwoDefinitionsCounts(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "b.yaml", service("a", "spec: {clusterIP: 10.0.0.2}\n"), "a/x.yaml", "\n"+service("a", "spec: {clusterIP: 10.0.0.1}\n"))
	f := follow(t, dir)
	at := func() string {
		t.Helper()
		<-f.queue.Ready()
		changes := f.queue.Drain().Changes
		if len(changes) != 1 {
			t.Fatalf("changes are %+v", changes)
		}
		return changes[0].Object.(*corev1.Service).Spec.ClusterIP
	}
	if got := at(); got != "10.0.0.1" {
		t.Errorf("the one of %s counts", got)
	}
	f.wantProblems("b.yaml:1: Service default/a: defined before, at " + dir + "/a/x.yaml:2; that one counts")
	if !f.queue.Synced() {
		<-f.queue.Ready()
	}
	f.queue.Drain()
	must(t, os.Remove(filepath.Join(dir, "a", "x.yaml")))
	if got := at(); got != "10.0.0.2" {
		t.Errorf("after the removal of the first, the one of %s counts", got)
	}
	f.wantProblems("")
}

// mount lays files out as a mounted ConfigMap is: behind a link that is
// replaced when the content changes.
func mount(t *testing.T, dir, version string, files ...string) {
	t.Helper()
	put(t, filepath.Join(dir, ".."+version), files...)
	next := filepath.Join(dir, "..data_tmp")
	must(t, os.Symlink(".."+version, next))
	must(t, os.Rename(next, filepath.Join(dir, "..data")))
}

func TestAMountedConfigMapIsFollowed(t *testing.T) {
	dir := t.TempDir()
	mount(t, dir, "1", "a.yaml", service("a", ""), "sub/b.yaml", service("b", ""))
	must(t, os.Symlink("..data/a.yaml", filepath.Join(dir, "a.yaml")))
	must(t, os.Symlink("..data/sub", filepath.Join(dir, "sub")))
	f := follow(t, dir)
	f.expect("the mount at first", "a b")
	mount(t, dir, "2", "a.yaml", service("a2", ""), "sub/b.yaml", service("b", ""), "sub/c.yaml", service("c", ""))
	must(t, os.RemoveAll(filepath.Join(dir, "..1")))
	f.expect("a new version", "-a a2 c")
	mount(t, dir, "3", "a.yaml", service("a", ""))
	must(t, os.RemoveAll(filepath.Join(dir, "..2")))
	f.expect("another version, without the directory", "a -a2 -b -c")
	f.wantProblems("sub:1: a link that leads nowhere")
}

func TestADirectoryThatIsALinkIsFollowedWhereItLeads(t *testing.T) {
	top := t.TempDir()
	put(t, top, "one/a.yaml", service("a", ""), "two/b.yaml", service("b", ""))
	must(t, os.Symlink("one", filepath.Join(top, "current")))
	f := follow(t, filepath.Join(top, "current"))
	f.expect("the link at first", "a")
	put(t, top, "one/a2.yaml", service("a2", ""))
	f.expect("a file behind the link", "a2")
	must(t, os.Symlink("two", filepath.Join(top, "next")))
	must(t, os.Rename(filepath.Join(top, "next"), filepath.Join(top, "current")))
	f.expect("the link once it leads elsewhere", "-a -a2 b")
	put(t, top, "two/c.yaml", service("c", ""))
	f.expect("a file there", "c")
	// A link into the directory itself goes round in circles.
	must(t, os.Symlink("../two", filepath.Join(top, "two", "again")))
	put(t, top, "elsewhere.yaml", service("d", ""))
	must(t, os.Symlink("../elsewhere.yaml", filepath.Join(top, "two", "d.yaml")))
	f.expect("a link to a file elsewhere", "d")
	put(t, top, "elsewhere.yaml", service("d", "spec: {clusterIP: None}\n"))
	f.expect("an edit of the file elsewhere", "d")
	f.wantProblems("")
}

func TestADirectoryThatIsAwayForAWhileKeepsWhatItHeld(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "m")
	put(t, dir, "a.yaml", service("a", ""), "b.yaml", service("b", "spec: {x: 1}\n"))
	f := follow(t, dir)
	f.expect("the directory at first", "a")
	must(t, os.Rename(dir, dir+".away"))
	f.wantProblems(dir + ":1: stat: no such file or directory; what was read last is served\nb.yaml:4: Service default/b: unknown field \"spec.x\"; the object is left out")
	put(t, dir, "c.yaml", service("c", ""))
	f.expect("the directory made again", "-a c")
	f.wantProblems("")
	put(t, dir, "d.yaml", service("d", ""))
	f.expect("a file in it", "d")
}

func TestWhatIsNotAFileIsNotOpened(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a.yaml", service("a", ""))
	must(t, os.Symlink("/dev/zero", filepath.Join(dir, "z.yaml")))
	big, err := os.Create(filepath.Join(dir, "big.yaml"))
	must(t, err)
	must(t, big.Truncate(maxFile+1))
	must(t, big.Close())
	f := follow(t, dir)
	f.expect("a directory with a device and a huge file", "a")
	f.wantProblems("big.yaml:1: larger than 64 MiB\nz.yaml:1: not a regular file")
}

func TestADirectoryThatCannotBeReadIsAnErrorOfTheFlag(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "file", "")
	for name, at := range map[string]string{"missing": "nope", "a file": "file"} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{Dir: filepath.Join(dir, at)})
			if err == nil || !strings.HasPrefix(err.Error(), "--manifests: ") || !strings.Contains(err.Error(), at) {
				t.Errorf("error is %v", err)
			}
		})
	}
	s, err := New(Options{Dir: filepath.Join(dir), Queue: source.NewQueue(time.Now), Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	must(t, os.RemoveAll(dir))
	if err := s.Run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "--manifests: ") {
		t.Errorf("a directory that is gone before it was read gives %v", err)
	}
}

// TestOnlyWhatLooksDifferentIsRead holds what a look costs: files that are as
// they were are not opened.
func TestOnlyWhatLooksDifferentIsRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	long, recent := time.Now().Add(-time.Hour), time.Now()
	// write changes the file without a change of its size.
	write := func(name string, at time.Time) {
		t.Helper()
		put(t, dir, "a.yaml", service(name, ""))
		must(t, os.Chtimes(path, at, at))
	}
	queue := source.NewQueue(time.Now)
	s, err := New(Options{Dir: dir, Queue: queue, Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	// expect looks until nothing is left to wait for.
	expect := func(what, want string) {
		t.Helper()
		for now := time.Now(); ; now = now.Add(quiet) {
			if s.look(now); s.restless.IsZero() {
				break
			}
		}
		var names []string
		for _, c := range queue.Drain().Changes {
			if c.Object != nil {
				names = append(names, c.Key.Name)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s gives %q, want %q", what, got, want)
		}
	}
	write("a", long)
	expect("a file", "a")
	write("b", long)
	expect("a file that looks as it did", "")
	write("c", recent)
	expect("a file with another time", "c")
	write("d", recent)
	expect("a file that looks as it did so shortly before", "d")
}

func TestWhatChangesAllTheTimeIsReadAllTheSame(t *testing.T) {
	dir := t.TempDir()
	queue := source.NewQueue(time.Now)
	s, err := New(Options{Dir: dir, Queue: queue, Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	looks := 0
	for now := time.Now(); len(queue.Drain().Changes) == 0; now = now.Add(quiet) {
		if looks++; looks > 100 {
			t.Fatal("the directory is never read")
		}
		put(t, dir, "a.yaml", service("a", strings.Repeat("# more\n", looks)))
		s.look(now)
	}
	if least := int(latest / quiet); looks < least {
		t.Errorf("the directory is read after %d looks, before it could be still; want %d", looks, least)
	}
}

// BenchmarkLook looks at 10,000 files that do not change.
func BenchmarkLook(b *testing.B) {
	dir := b.TempDir()
	for i := range 10_000 {
		path := filepath.Join(dir, fmt.Sprintf("d%d/f%d.yaml", i%100, i))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(service(fmt.Sprintf("s%d", i), "")), 0o600); err != nil {
			b.Fatal(err)
		}
		if err := os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
			b.Fatal(err)
		}
	}
	s, err := New(Options{Dir: dir, Queue: source.NewQueue(time.Now), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	s.look(now)
	s.look(now.Add(latest))
	for b.Loop() {
		s.look(now)
	}
}
