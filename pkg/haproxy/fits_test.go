package haproxy_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"router/pkg/haproxy"
	"router/pkg/model"
	"router/test/haproxies"
)

// smallest is the least buffer that HAProxy may be given.
const smallest = 16384

// recorder keeps the length of the longest command that is sent.
type recorder struct {
	mu      sync.Mutex
	longest int
	begins  string
}

func (r *recorder) dial(ctx context.Context, path string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	return &recorded{conn, r}, nil
}

type recorded struct {
	net.Conn
	*recorder
}

// Write takes one command, with its payload.
func (c *recorded) Write(p []byte) (int, error) {
	c.mu.Lock()
	if len(p) > c.longest {
		c.longest, c.begins = len(p), string(p[:min(len(p), bytes.IndexByte(p, '\n'), 80)])
	}
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// longTexts are routes with texts of every length, of characters that take two
// bytes in a command.
func longTexts(random *rand.Rand, servers ...model.Server) []*model.Route {
	length := func() int {
		lengths := []int{0, 0, 1, 1, 60, 128, 250, 900, 1790, 2036, 2038, 2040, 2060, 4000, 13000, 48000}
		return lengths[random.IntN(len(lengths))]
	}
	var routes []*model.Route
	for i := range 60 {
		r := route(fmt.Sprint("r", i), fmt.Sprintf("r%d.test", i), slices.Clone(servers)...)
		if n := length(); n > 0 {
			r.Path = "/" + strings.Repeat([]string{"a", `\`, ";", `"`}[random.IntN(4)], n)
		}
		switch i % 6 {
		case 1:
			r.Host = strings.Repeat("h", length()) + r.Host
		case 2:
			r.Backend.Cookie = &model.Cookie{Name: "c" + strings.Repeat("C", length()), Key: model.NewSecret("k")}
		case 3:
			r.Backend.Servers[0].ID += strings.Repeat("s", length())
		case 4:
			r.Key.Name += strings.Repeat("n", length())
		case 5:
			r.Backend.ServerTimeout, r.Backend.TunnelTimeout = 300*time.Hour, 300*time.Hour
			r.Backend.Cookie = &model.Cookie{Name: "c" + strings.Repeat("C", 127), Key: model.NewSecret("k")}
		}
		routes = append(routes, r)
	}
	return routes
}

// Whatever the texts of routes are, what is sent to HAProxy fits its smallest
// buffer, what is live is what is wanted, and who is left out is told why.
func TestWhatIsSentFitsHAProxysBuffer(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		sent, registry := &recorder{}, prometheus.NewRegistry()
		p := newPlane(t, binary, func(o *haproxy.Options) {
			o.Global.BufferSize, o.Global.MaxRewrite, o.Dial, o.Metrics = smallest, 1024, sent.dial, haproxy.NewMetrics(registry)
		})
		good := route("good", "good.test", pod(t, "good"))
		if _, err := p.Apply(t.Context(), model.Change{Upsert: []*model.Route{good}}); err != nil {
			t.Fatal(err)
		}
		other := pod(t, "other")
		for seed := range uint64(6) {
			routes := longTexts(rand.New(rand.NewPCG(seed, 1)), good.Backend.Servers[0], other) //nolint:gosec // a test
			o, err := p.Apply(t.Context(), model.Change{Upsert: routes})
			if err != nil {
				t.Fatal(err)
			}
			if n := len(o.Rejected); n == 0 || n > len(routes)*3/4 {
				t.Errorf("%d of %d routes are rejected: the test does not test", n, len(routes))
			}
			for k, message := range o.Rejected {
				if !strings.Contains(message, "are possible") {
					t.Errorf("%.30s: %.200s", k, message)
				}
			}
			if o, err = p.Verify(t.Context()); err != nil || o.Reloaded {
				t.Errorf("verifying: reloaded %v, %v", o.Reloaded, err)
			}
			if sent.longest >= smallest {
				t.Errorf("%q... has %d bytes", sent.begins, sent.longest)
			}
			p.look(t, "beside them", lookup{"good.test", "/", "good"})
			var gone []model.RouteKey
			for _, r := range routes {
				if r.Key.Name != "good" && seed%2 == 1 {
					gone = append(gone, r.Key)
				}
			}
			if _, err := p.Apply(t.Context(), model.Change{Delete: gone}); err != nil {
				t.Fatal(err)
			}
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "router_drift_total" {
				t.Errorf("something was not as it had been sent: %v", f)
			}
		}
		t.Logf("the longest is %q..., %d bytes", sent.begins, sent.longest)
	})
}

// The longest host and path that there may be are found, the path itself and
// what is below it; one byte more is refused.
func TestTheLongestPathsAreServed(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		long := func(name string, more int) *model.Route {
			r := route(name, name+".test", pod(t, name))
			r.Path = "/" + strings.Repeat("p", 2048-len(r.Host)-2+more)
			return r
		}
		apply(t, p, model.Change{Upsert: []*model.Route{route("whole", "first.test", pod(t, "whole")), route("other", "second.test", pod(t, "whole"))}})
		first, second := long("first", 0), long("second", 0)
		apply(t, p, model.Change{Upsert: []*model.Route{first, second}})
		p.look(t, "the longest", lookup{"first.test", first.Path, "first"}, lookup{"first.test", first.Path + "/x", "first"}, lookup{"first.test", first.Path + "x", "whole"},
			lookup{"second.test", second.Path, "second"}, lookup{"second.test", second.Path + "/x", "second"})
		o, err := p.Apply(t.Context(), model.Change{Upsert: []*model.Route{long("second", 1)}})
		if err != nil || len(o.Rejected) != 1 || !strings.Contains(o.Rejected[second.Key], "have 2049 bytes in a lookup table; at most 2048 are possible") {
			t.Errorf("rejected are %v, %v", o.Rejected, err)
		}
		p.look(t, "beside one that is too long", lookup{"first.test", first.Path, "first"}, lookup{"second.test", second.Path, "whole"})
	})
}
