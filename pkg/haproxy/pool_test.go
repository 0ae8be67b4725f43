package haproxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"router/pkg/haproxy"
	"router/pkg/model"
	"router/test/haproxies"
)

// sticky is a route with session affinity.
func sticky(name string, servers ...model.Server) *model.Route {
	r := route(name, name+".test", servers...)
	r.Backend.Cookie = &model.Cookie{Name: "cookie-of-" + name, Key: model.NewSecret("key-of-" + name)}
	return r
}

// visit makes a request with a cookie, "" for none, and returns the answer
// and the cookie that came.
func (p *plane) visit(t *testing.T, host, cookie string) (body, set string) {
	t.Helper()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", p.http), nil)
	req.Host = host
	if cookie != "" {
		req.Header.Set("Cookie", "first=1; "+cookie+"; last=2")
	}
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(resp.Body)
	set, _, _ = strings.Cut(resp.Header.Get("Set-Cookie"), ";")
	return string(text), set
}

// settle converges until nothing is due any more.
func settle(t *testing.T, p *plane) {
	t.Helper()
	eventually(t, "nothing is due", 10*time.Second, func() bool {
		o, err := p.Converge(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return o.Next.IsZero()
	})
}

// TestSparesAreCounted lets more routes come than there are spare backends.
func TestSparesAreCounted(t *testing.T) {
	haproxies.Each(t, func(t *testing.T, binary string) {
		for _, spares := range []int{-1, 4} {
			p := newPlane(t, binary, func(o *haproxy.Options) { o.Spares, o.ReloadInterval = spares, time.Hour })
			want := max(0, spares)
			a := pod(t, "a")
			apply(t, p, model.Change{Upsert: []*model.Route{sticky("first", a)}})
			came := 0
			for i := range spares + 2 {
				if o := apply(t, p, model.Change{Upsert: []*model.Route{sticky(fmt.Sprint("next-", i), a)}}); !o.Reloaded && len(o.Pending) == 0 {
					came++
				}
			}
			if came != want {
				t.Errorf("with %d spares, %d routes came without a reload, want %d", spares, came, want)
			}
		}
	})
}

func TestRoutesThatComeNeedNoReload(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		a, b, c := pod(t, "a"), pod(t, "b"), pod(t, "c")
		apply(t, p, model.Change{Upsert: []*model.Route{sticky("first", a, b)}})

		// The second of its kind comes, with a cookie of its own.
		if o := apply(t, p, model.Change{Upsert: []*model.Route{sticky("second", a, b, c)}}); o.Reloaded || len(o.Pending) > 0 {
			t.Fatalf("a route like another took a reload: %+v", o)
		}
		body, cookie := p.visit(t, "second.test", "")
		if !strings.HasPrefix(cookie, "cookie-of-second=") {
			t.Fatalf("the cookie is %q", cookie)
		}
		stays := func(when string) {
			t.Helper()
			for range 9 {
				if again, set := p.visit(t, "second.test", cookie); again != body || set != "" {
					t.Errorf("%s, the cookie of %s leads to %s and sets %q", when, body, again, set)
				}
			}
		}
		stays("at first")
		if _, set := p.visit(t, "second.test", "x"+cookie); set == "" {
			t.Error("a cookie whose name only ends like the route's is taken for it")
		}
		if o, err := p.Verify(context.Background()); err != nil || o.Reloaded {
			t.Errorf("verify: %+v %v", o, err)
		}

		// Time-outs are not settings of the backend.
		changed := sticky("second", a, b, c)
		changed.Backend.ServerTimeout, changed.Backend.TunnelTimeout = time.Minute, time.Hour
		if o := apply(t, p, model.Change{Upsert: []*model.Route{changed}}); o.Reloaded || len(o.Pending) > 0 {
			t.Errorf("a time-out took a reload: %+v", o)
		}
		stays("with another time-out")

		// Settings that another route has had are ready, too. The cookie means the
		// same pod, and connections to the former backend are not cut.
		fewest := func(r *model.Route) *model.Route { r.Backend.Balance = model.BalanceLeastConn; return r }
		if o := apply(t, p, model.Change{Upsert: []*model.Route{fewest(sticky("fewest", a))}}); !o.Reloaded {
			t.Error("settings of a new kind took no reload")
		}
		for i := range 40 {
			next := sticky("second", a, b, c)
			if i%2 == 0 {
				next = fewest(next)
			}
			if o := apply(t, p, model.Change{Upsert: []*model.Route{next}}); o.Reloaded || len(o.Pending) > 0 {
				t.Fatalf("settings that are ready took a reload: %+v", o)
			}
			stays(fmt.Sprintf("after change %d of the settings", i+1))
		}
		settle(t, p)
		if o, err := p.Verify(context.Background()); err != nil || o.Reloaded {
			t.Errorf("verify: %+v %v", o, err)
		}

		// A route that goes makes room for others, as often as that happens.
		for i := range 100 {
			name := fmt.Sprint("guest", i)
			if o := apply(t, p, model.Change{Upsert: []*model.Route{sticky(name, c)}}); o.Reloaded || len(o.Pending) > 0 {
				t.Fatalf("guest %d took a reload", i)
			}
			if i%16 == 0 {
				if body, _ := p.visit(t, name+".test", ""); body != "c" {
					t.Fatalf("guest %d is answered by %q", i, body)
				}
			}
			apply(t, p, model.Change{Delete: []model.RouteKey{{Namespace: "ns", Name: name}}})
			if i%4 == 0 {
				settle(t, p)
			}
		}
		if code, _ := p.get(t, "guest0.test", "/"); code != http.StatusServiceUnavailable {
			t.Errorf("a deleted route gives %d", code)
		}
		settle(t, p)

		// A kind that is new, and so a reload; the second route has a backend of
		// its own then.
		if o := apply(t, p, model.Change{Upsert: []*model.Route{limited("limited", "limited.test", a)}}); !o.Reloaded {
			t.Error("no reload for settings of a new kind")
		}
		stays("after a reload")
		if name, ok := p.BackendOf("be_http:ns:second"); !ok || name != "be_http:ns:second" {
			t.Errorf("the backend is %q", name)
		}
		if o, err := p.Verify(context.Background()); err != nil || o.Reloaded {
			t.Errorf("verify: %+v %v", o, err)
		}
	})
}

// TestManyRoutesAtOnce brings more routes than there are spare backends.
func TestManyRoutesAtOnce(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		a := pod(t, "a")
		apply(t, p, model.Change{Upsert: []*model.Route{sticky("first", a)}})
		const n = 100
		var many []*model.Route
		for i := range n {
			many = append(many, sticky(fmt.Sprint("r", i), a))
		}
		o := apply(t, p, model.Change{Upsert: many})
		for i := 0; len(o.Pending) > 0 && i < 3; i++ {
			o = converge(t, p)
		}
		for i := range n {
			if body, cookie := p.visit(t, fmt.Sprintf("r%d.test", i), ""); body != "a" || !strings.HasPrefix(cookie, fmt.Sprintf("cookie-of-r%d=", i)) {
				t.Fatalf("route %d: %q, cookie %q", i, body, cookie)
			}
		}
		if o, err := p.Verify(context.Background()); err != nil || o.Reloaded {
			t.Errorf("verify: %+v %v", o, err)
		}
	})
}

func converge(t *testing.T, p *plane) haproxy.CountedOutcome {
	t.Helper()
	o, err := p.Converge(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return o
}
