package haproxy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"router/pkg/haproxy"
	"router/pkg/haproxy/runtime"
	"router/pkg/model"
	"router/test/haproxies"
)

// deaf is a connection on which the answer to the first command that begins with
// lost is not heard. HAProxy has run it.
type deaf struct {
	net.Conn
	lost *[]byte
}

func (c deaf) Write(p []byte) (int, error) {
	if len(*c.lost) == 0 || !bytes.HasPrefix(p, *c.lost) {
		return c.Conn.Write(p)
	}
	*c.lost = nil
	if _, err := c.Conn.Write(p); err != nil {
		return 0, err
	}
	_, _ = c.Conn.Read(make([]byte, 1)) // It was run when an answer comes.
	_ = c.Conn.Close()
	return 0, errors.New("cut on purpose")
}

// TestABackendWhoseAnswerWasLostIsNobodys: a backend that HAProxy has, and of
// which the router was not told, is removed. The route has another one by then.
func TestABackendWhoseAnswerWasLostIsNobodys(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		var lost []byte
		p := newPlane(t, binary, func(o *haproxy.Options) {
			o.Dial = func(ctx context.Context, path string) (net.Conn, error) {
				conn, err := runtime.Dial(ctx, path)
				return deaf{conn, &lost}, err
			}
		})
		a := pod(t, "a")
		fewest := func(r *model.Route) *model.Route { r.Backend.Balance = model.BalanceLeastConn; return r }
		apply(t, p, model.Change{Upsert: []*model.Route{sticky("first", a), fewest(sticky("second", a))}})
		lost = []byte("add backend ")
		if o := apply(t, p, model.Change{Upsert: []*model.Route{fewest(sticky("first", a))}}); o.Reloaded || len(o.Pending) > 0 {
			t.Fatalf("settings that another route has took a reload: %+v", o)
		}
		settle(t, p)
		if code, body := p.get(t, "first.test", "/"); code != 200 || body != "a" {
			t.Errorf("got %d %q", code, body)
		}
		if o, err := p.Verify(t.Context()); err != nil || o.Reloaded {
			t.Errorf("verify: %+v, %v", o, err)
		}
	})
}

// TestASpareThatIsFreeIsNobodys: metrics are not those of a route that has gone.
func TestASpareThatIsFreeIsNobodys(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary, func(o *haproxy.Options) { o.ReloadInterval = time.Hour })
		a := pod(t, "a")
		apply(t, p, model.Change{Upsert: []*model.Route{sticky("first", a)}})
		second := sticky("second", a)
		apply(t, p, model.Change{Upsert: []*model.Route{second}})
		taken := p.SparesOf("be_http:ns:second")
		apply(t, p, model.Change{Delete: []model.RouteKey{second.Key}})
		settle(t, p)
		for _, proxy := range taken {
			if backend, ok := p.BackendOf(proxy); ok {
				t.Errorf("%s is still taken for %s", proxy, backend)
			}
		}
	})
}

// TestAReloadFromOutsideLeavesNothingBehind: what no answer of HAProxy shows, such
// as the keys of cookies, is right again as well.
func TestAReloadFromOutsideLeavesNothingBehind(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		a, b := pod(t, "a"), pod(t, "b")
		fewest := func(r *model.Route) *model.Route { r.Backend.Balance = model.BalanceLeastConn; return r }
		apply(t, p, model.Change{Upsert: []*model.Route{sticky("first", a, b), fewest(sticky("other", a))}})
		if o := apply(t, p, model.Change{Upsert: []*model.Route{sticky("second", a, b), fewest(sticky("first", a, b))}}); o.Reloaded || len(o.Pending) > 0 {
			t.Fatalf("routes like another took a reload: %+v", o)
		}
		cookies := map[string]string{}
		for _, host := range []string{"first.test", "second.test"} {
			if _, cookies[host] = p.visit(t, host, ""); cookies[host] == "" {
				t.Fatalf("%s sets no cookie", host)
			}
		}
		haproxy.ReloadFromOutside(t, p.Counting)
		if _, err := p.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		for host, cookie := range cookies {
			if body, set := p.visit(t, host, cookie); body == "" || set != "" {
				t.Errorf("the cookie of %s leads to %q and sets %q", host, body, set)
			}
			if _, set := p.visit(t, host, ""); set == "" {
				t.Errorf("%s sets no cookie", host)
			}
		}
	})
}

// TestWhatDrainsAlreadyIsCollected: a server that was given up before the
// settings of its route changed is let go of with its last connection.
func TestWhatDrainsAlreadyIsCollected(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		a := pod(t, "a")
		silent, asked := silentPod(t)
		fewest := func(r *model.Route) *model.Route { r.Backend.Balance = model.BalanceLeastConn; return r }
		first := sticky("first", silent)
		first.Backend.ServerTimeout = 2 * time.Second // It ends the connection.
		apply(t, p, model.Change{Upsert: []*model.Route{first, fewest(sticky("other", a))}})
		client, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.http))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Close() }()
		if _, err := fmt.Fprint(client, "GET / HTTP/1.1\r\nHost: first.test\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-asked
		for _, r := range []*model.Route{sticky("first"), fewest(sticky("first"))} {
			if o := apply(t, p, model.Change{Upsert: []*model.Route{r}}); o.Reloaded || o.Next.IsZero() {
				t.Fatalf("nothing drains: %+v", o)
			}
		}
		settle(t, p)
	})
}
