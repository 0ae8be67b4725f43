package haproxy_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"router/pkg/model"
	"router/test/haproxies"
)

// healthOf is a change of the health of a server of route "a".
func healthOf(s model.Server, failing bool) model.Health {
	return model.Health{
		Address: netip.AddrPortFrom(netip.MustParseAddr(s.Address), uint16(s.Port)), Failing: failing, //nolint:gosec // a port
		Routes: []model.RouteKey{{Namespace: "ns", Name: "a"}},
	}
}

// answering are the pods that answer.
func (p *plane) answering(t *testing.T) string {
	t.Helper()
	seen := map[string]bool{}
	for range 12 {
		status, body := p.get(t, "a.test", "/")
		if status != http.StatusOK {
			body = fmt.Sprint(status)
		}
		seen[body] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(seen)), " ")
}

// TestServersWhoseChecksFail get no requests, unless there is no other: however
// often HAProxy is loaded anew, and whether the servers or their health are
// known first.
func TestServersWhoseChecksFail(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		a, b, c, idled := pod(t, "a"), pod(t, "b"), pod(t, "c"), pod(t, "d")
		other := route("other", "other.test", c)
		apply(t, p, model.Change{Upsert: []*model.Route{route("a", "a.test", a, b, c), other}})
		step := func(what, want string, change model.Change) {
			t.Helper()
			if o := apply(t, p, change); o.Reloaded || len(o.Pending) > 0 {
				t.Errorf("%s: a reload, or pending: %+v", what, o)
			}
			if got := p.answering(t); got != want {
				t.Errorf("%s: %q answer, want %q", what, got, want)
			}
			if o, err := p.Verify(context.Background()); err != nil || o.Reloaded {
				t.Errorf("%s: verifying: %+v, %v", what, o, err)
			}
			if got := p.answering(t); got != want {
				t.Errorf("%s, verified: %q answer, want %q", what, got, want)
			}
		}
		step("one fails", "b c", model.Change{Health: []model.Health{healthOf(a, true)}})
		step("two fail", "c", model.Change{Health: []model.Health{healthOf(b, true)}})
		step("all fail", "a b c", model.Change{Health: []model.Health{healthOf(c, true)}})
		step("one is back", "a", model.Change{Health: []model.Health{healthOf(a, false)}})
		step("its neighbours are new", "a", model.Change{Upsert: []*model.Route{route("a", "a.test", a, c)}})
		if p.IsDown("be_http:ns:a", b.ID) {
			t.Error("a server is down that the route has no more")
		}
		step("the good one goes", "b c", model.Change{Upsert: []*model.Route{route("a", "a.test", b, c)}})
		step("one that failed comes again", "a", model.Change{Upsert: []*model.Route{route("a", "a.test", a, b)}})

		// A route with settings that nobody has had takes a reload.
		limited := route("limited", "limited.test", c)
		limited.Backend.RateLimit = &model.RateLimit{ConcurrentTCP: 1000}
		if o := apply(t, p, model.Change{Upsert: []*model.Route{limited}}); !o.Reloaded {
			t.Error("no reload")
		}
		step("after a reload", "a", model.Change{})
		if !p.IsDown("be_http:ns:a", b.ID) || p.IsDown("be_http:ns:a", a.ID) {
			t.Error("what is down is not told")
		}

		// What is asleep is never checked, and so never failing.
		sleeping := route("a", "a.test", idled)
		sleeping.Backend.Servers[0].Check = false
		step("a server without checks", "d", model.Change{Upsert: []*model.Route{sleeping}, Health: []model.Health{healthOf(idled, true)}})
		// Servers without a share are no help.
		drained := route("a", "a.test", a, b)
		drained.Backend.Servers[0].Weight = 0
		step("the good one has no share", "b", model.Change{Upsert: []*model.Route{drained}})
		step("a route that is gone", "503", model.Change{Delete: []model.RouteKey{{Namespace: "ns", Name: "a"}}, Health: []model.Health{healthOf(a, true)}})
		if p.IsDown("be_http:ns:a", b.ID) {
			t.Error("a server is down that is gone")
		}
	})
}
