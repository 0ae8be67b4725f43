package haproxy_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"router/pkg/haproxy"
	"router/pkg/model"
	"router/test/certs"
	"router/test/haproxies"
)

// TestNothingIsReadTwiceForALoad: neither a start nor a reload has HAProxy check
// the files before it loads them, and no server is told what the files say.
func TestNothingIsReadTwiceForALoad(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		path, err := exec.LookPath(binary)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		said, wrapper := filepath.Join(dir, "said"), filepath.Join(dir, "haproxy")
		script := fmt.Sprintf("#!/bin/sh\necho \"$@\" >>%s\nexec %s \"$@\"\n", said, path)
		if err := os.WriteFile(wrapper, []byte(script), 0o700); err != nil { //nolint:gosec // it is run
			t.Fatal(err)
		}
		p := newPlane(t, wrapper)
		checks := func() int {
			text, err := os.ReadFile(said)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for line := range strings.Lines(string(text)) {
				if strings.HasPrefix(line, "-c ") {
					n++
				}
			}
			return n
		}
		before := checks() // The settings, without any route.
		a, b := pod(t, "a"), pod(t, "b")
		apply(t, p, model.Change{Upsert: []*model.Route{route("a", "a.test", a, b), route("alone", "alone.test", a)}})
		limited := route("limited", "limited.test", b)
		limited.Backend.RateLimit = &model.RateLimit{ConcurrentTCP: 1000}
		if o := apply(t, p, model.Change{Upsert: []*model.Route{limited}}); !o.Reloaded {
			t.Fatal("no reload")
		}
		if n := checks() - before; n > 0 {
			t.Errorf("HAProxy was asked %d times for what it loads", n)
		}
		if p.answering(t) != "a b" {
			t.Error("not all pods answer")
		}
	})
}

// TestRoutesWithOneCAShareAFile: it is there as long as one of them has it.
func TestRoutesWithOneCAShareAFile(t *testing.T) {
	ca, err := certs.NewAuthority("pods")
	if err != nil {
		t.Fatal(err)
	}
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		files := func(want int) {
			t.Helper()
			found, _ := filepath.Glob(filepath.Join(p.dir, "router", "cacerts", "*"))
			if len(found) != want {
				t.Errorf("%d CA files instead of %d: %v", len(found), want, found)
			}
		}
		secure := func(name string) *model.Route {
			r := route(name, name+".test", pod(t, name))
			r.Termination, r.Backend.TLS = model.TerminationReencrypt, &model.ServerTLS{CA: ca.PEM}
			return r
		}
		first, second := secure("first"), secure("second")
		apply(t, p, model.Change{Upsert: []*model.Route{first, second}})
		files(1)
		apply(t, p, model.Change{Delete: []model.RouteKey{first.Key}})
		files(1)
		// What comes again finds the file, in HAProxy as well.
		if o := apply(t, p, model.Change{Upsert: []*model.Route{secure("first")}}); o.Reloaded || len(o.Pending) > 0 {
			t.Errorf("a route with a CA that another has took a reload: %+v", o)
		}
		p.settle(t, apply(t, p, model.Change{Delete: []model.RouteKey{first.Key, second.Key}}))
		files(0)
		if o, err := p.Verify(context.Background()); err != nil || o.Reloaded {
			t.Errorf("verifying: %+v, %v", o, err)
		}
	})
}

// TestARouteServesUntilTheReloadForItsCA: servers keep the CA that they were made
// with, and requests go on until the reload that brings another one.
func TestARouteServesUntilTheReloadForItsCA(t *testing.T) {
	server, ca := securePod(t, nil)
	next, err := certs.NewAuthority("next")
	if err != nil {
		t.Fatal(err)
	}
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary, func(o *haproxy.Options) { o.ReloadInterval = time.Hour })
		with := func(pem string) *model.Route { return secureRoute(server, &model.ServerTLS{CA: pem}) }
		apply(t, p, model.Change{Upsert: []*model.Route{with(ca.PEM)}})
		o := apply(t, p, model.Change{Upsert: []*model.Route{with(ca.PEM + next.PEM)}})
		if o.Reloaded || o.Next.IsZero() {
			t.Fatalf("the reload does not wait: %+v", o)
		}
		for range 5 {
			if status, _ := p.get(t, "secure.test", "/"); status != http.StatusOK {
				t.Errorf("status %d while the reload is waited for", status)
			}
		}
	})
}
