package haproxy

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"router/pkg/model"
	"router/test/haproxies"
	"router/test/ports"
)

// clockedPlane is a data plane whose time the test tells.
func clockedPlane(t *testing.T, binary string) (d Counting, now *time.Time) {
	t.Helper()
	dir, err := os.MkdirTemp("", "rt")
	if err != nil {
		t.Fatal(err)
	}
	o, err := testOptions(binary, dir, ports.Free(t), ports.Free(t))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	o.Now, o.Logger = func() time.Time { return at }, slog.New(slog.NewTextHandler(t.Output(), nil))
	return prepared(t, o), &at
}

// block lets a file not be written, until the returned function is called: a
// directory is in its place.
func block(t *testing.T, path string) (unblock func()) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	must(os.Rename(path, path+".kept"))
	must(os.Mkdir(path, directory))
	return func() {
		t.Helper()
		must(os.Remove(path))
		must(os.Rename(path+".kept", path))
	}
}

// later lets the time pass after which files are written, and has them written.
func later(t *testing.T, d Counting, now *time.Time) error {
	t.Helper()
	*now = now.Add(writeAfter)
	_, err := d.Converge(t.Context())
	return err
}

func upsert(t *testing.T, d Counting, routes ...*model.Route) {
	t.Helper()
	if o, err := d.Apply(t.Context(), model.Change{Upsert: routes}); err != nil || len(o.Rejected) > 0 {
		t.Fatalf("%+v, %v", o, err)
	}
}

// TestFilesAreWrittenWhenTheDiskLetsThem: an error of the disk is one until the
// files are written, though nothing changes any more.
func TestFilesAreWrittenWhenTheDiskLetsThem(t *testing.T) {
	haproxies.Each(t, func(t *testing.T, binary string) {
		d, now := clockedPlane(t, binary)
		upsert(t, d, simple("one", "127.0.1.1"))
		config := d.opts.Layout.Config.String()
		unblock := block(t, config)
		upsert(t, d, simple("one", "127.0.1.2"))
		for range 2 {
			if err := later(t, d, now); err == nil {
				t.Error("files that cannot be written are no error")
			}
		}
		unblock()
		if err := later(t, d, now); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(config)
		if err != nil || !strings.Contains(string(text), "127.0.1.2:9000") {
			t.Errorf("the file does not have the new server: %v", err)
		}
	})
}

// TestFilesThatAreHalfWrittenCanBeLoaded: what names a file that could not be
// written is not written, and what is named by such a one is not removed.
func TestFilesThatAreHalfWrittenCanBeLoaded(t *testing.T) {
	haproxies.Each(t, func(t *testing.T, binary string) {
		d, now := clockedPlane(t, binary)
		w := newWorld(t, 1)
		secure, edge := simple("secure", "127.0.1.1"), simple("edge", "127.0.1.2")
		secure.Termination, secure.Backend.TLS = model.TerminationReencrypt, &model.ServerTLS{CA: w.cas[0]}
		edge.Termination = model.TerminationEdge
		upsert(t, d, secure, edge)
		load := func(when string) {
			t.Helper()
			if err := d.master.Check(t.Context()); err != nil {
				t.Errorf("%s: %v", when, err)
			}
		}

		with := *edge
		with.Certificate = &w.certs[0]
		upsert(t, d, &with)
		unblock := block(t, d.worker.Applied.Hosts["edge.test"].Path)
		if err := later(t, d, now); err == nil {
			t.Error("a certificate that cannot be written is no error")
		}
		unblock()
		load("without the certificate")
		if err := later(t, d, now); err != nil {
			t.Fatal(err)
		}

		unblock = block(t, d.opts.Layout.Config.String())
		if _, err := d.Apply(t.Context(), model.Change{Delete: []model.RouteKey{secure.Key}}); err != nil {
			t.Fatal(err)
		}
		if err := later(t, d, now); err == nil {
			t.Error("a configuration that cannot be written is no error")
		}
		unblock()
		load("with the former configuration")
	})
}

// TestALeftoverServesUntilFilesAreWritten: where nothing can be written, the
// HAProxy of an earlier router is better than none.
func TestALeftoverServesUntilFilesAreWritten(t *testing.T) {
	haproxies.Each(t, func(t *testing.T, binary string) {
		d, _ := clockedPlane(t, binary)
		upsert(t, d, simple("one", "127.0.1.1"))
		next := prepared(t, d.opts)
		unblock := block(t, d.opts.Layout.Config.String())
		if _, err := next.Apply(t.Context(), model.Change{Upsert: []*model.Route{simple("one", "127.0.1.1")}}); err == nil {
			t.Error("files that cannot be written are no error")
		}
		if !d.master.Running() {
			t.Error("the earlier HAProxy was ended, and nothing is in its place")
		}
		unblock()
		if _, err := next.Converge(t.Context()); err != nil || d.master.Running() || !next.master.Running() {
			t.Errorf("the earlier HAProxy still runs (%v), or the next does not (%v): %v", d.master.Running(), next.master.Running(), err)
		}
	})
}

// TestKeysOfAnEarlierRouterAreRemoved: a router that was killed has removed no
// file of routes that go later. What is no file of a route stays.
func TestKeysOfAnEarlierRouterAreRemoved(t *testing.T) {
	binary := haproxies.All(t)[0].Path
	d, _ := clockedPlane(t, binary)
	w := newWorld(t, 1)
	gone, stays := simple("gone", "127.0.1.1"), simple("stays", "127.0.1.2")
	for _, r := range []*model.Route{gone, stays} {
		r.Termination, r.Certificate = model.TerminationEdge, &w.certs[1]
		r.Backend.Allowlist = &model.Allowlist{Prefixes: prefixes("10.0.0.0/8")}
	}
	upsert(t, d, gone, stays)
	dirs := []string{d.opts.Layout.Certificates.String(), d.opts.Layout.Lists.String()}
	for _, dir := range dirs {
		// As a write that was cut short leaves it, and as an administrator does.
		for _, name := range []string{".ns+gone.pem1234", "own"} {
			if err := os.WriteFile(filepath.Join(dir, name), nil, privateFile); err != nil {
				t.Fatal(err)
			}
		}
	}
	next := prepared(t, d.opts)
	upsert(t, next, stays)
	var found []string
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			found = append(found, e.Name())
		}
	}
	if want := []string{"default.pem", "ns+stays.pem", "own", "ns+stays.txt", "own"}; !slices.Equal(found, want) {
		t.Errorf("there are %q, want %q", found, want)
	}
}
