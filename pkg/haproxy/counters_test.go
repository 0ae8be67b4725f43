package haproxy_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"router/pkg/haproxy"
	"router/pkg/model"
	"router/test/haproxies"
)

// TestLimitsSurviveReloads uses limits up, has another route force a reload,
// and asks again. Reloads follow each other at once, from the first moment on.
func TestLimitsSurviveReloads(t *testing.T) {
	for _, l := range []struct {
		name   string
		limit  model.RateLimit
		passes int
		window time.Duration
	}{
		{"requests", model.RateLimit{RateHTTP: 5}, 5, 10 * time.Second},
		{"connections", model.RateLimit{RateTCP: 5}, 4, 3 * time.Second},
	} {
		t.Run(l.name, func(t *testing.T) {
			haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
				p := newPlane(t, binary)
				server := pod(t, "pod")
				apply(t, p, model.Change{Upsert: []*model.Route{route("first", "first.test", server)}})
				// A slow machine may take longer than the limit remembers: then
				// the attempt says nothing.
				for attempt := range 10 {
					limited := route(fmt.Sprint("limited-", attempt), fmt.Sprintf("limited-%d.test", attempt), server)
					limited.Backend.RateLimit = &l.limit
					reloads(t, p, limited)
					began := time.Now()
					for i := range l.passes + 1 {
						if may := p.turnedAway(limited.Host) != nil; may != (i < l.passes) && time.Since(began) < l.window/2 {
							t.Fatalf("request %d: answered is %v", i+1, may)
						}
					}
					used := time.Now()
					other := route(fmt.Sprint("other-", attempt), fmt.Sprintf("other-%d.test", attempt), server)
					other.Backend.Allowlist = &model.Allowlist{Prefixes: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
					reloads(t, p, other)
					err := p.turnedAway(limited.Host)
					if time.Since(began) > l.window*2/3 {
						t.Logf("the reload came after %v, which is too late to tell", time.Since(used))
						continue
					}
					if err != nil {
						t.Errorf("after a reload: %v", err)
					}
					return
				}
				t.Error("no reload was fast enough to tell")
			})
		})
	}
}

// reloads applies a route that needs a reload.
func reloads(t *testing.T, p *plane, r *model.Route) {
	t.Helper()
	if o, err := p.Apply(context.Background(), model.Change{Upsert: []*model.Route{r}}); err != nil || !o.Reloaded {
		t.Fatalf("%s: %+v, %v", r.Key, o, err)
	}
}

// A worker that ends for good hands its counters over to nobody, and does not
// wait for somebody.
func TestAnIdleHAProxyStopsAtOnce(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary, func(o *haproxy.Options) { o.StopGrace = 30 * time.Second })
		limited := route("limited", "limited.test", pod(t, "pod"))
		limited.Backend.RateLimit = &model.RateLimit{RateHTTP: 5}
		apply(t, p, model.Change{Upsert: []*model.Route{limited}})
		p.look(t, "before the end", lookup{"limited.test", "/", "pod"})
		began := time.Now()
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("it takes %v", took)
		}
	})
}
