package haproxy

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"router/conf"
	"router/pkg/haproxy/config"
	"router/pkg/haproxy/runtime"
	"router/pkg/model"
	"router/pkg/template"
	"router/test/certs"
	"router/test/configreader"
	"router/test/haproxies"
	"router/test/ports"
)

// sequences is how many random sequences of changes are replayed; "make soak"
// asks for more.
var sequences = flag.Int("sequences", 10, "random sequences of changes to replay")

// newTestPlane makes a data plane that listens on loopback ports of its own;
// dial may be nil.
func newTestPlane(t *testing.T, binary string, dial runtime.Dialer) Counting {
	t.Helper()
	dir, err := os.MkdirTemp("", "rt")
	if err != nil {
		t.Fatal(err)
	}
	o, err := testOptions(binary, dir, ports.Free(t), ports.Free(t))
	if err != nil {
		t.Fatal(err)
	}
	o.Dial, o.Logger = dial, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError + 4}))
	return prepared(t, o)
}

// prepared is a data plane that is stopped when the test ends.
func prepared(t *testing.T, o Options) Counting {
	t.Helper()
	d := Counting{New(o)}
	if err := d.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.end(t) })
	return d
}

func testOptions(binary, dir string, http, https int) (Options, error) {
	layout, err := template.NewLayout(dir)
	if err != nil {
		return Options{}, err
	}
	templates, err := template.New(conf.Files, "", layout)
	if err != nil {
		return Options{}, err
	}
	ca, err := certs.NewAuthority("default")
	if err != nil {
		return Options{}, err
	}
	pair, err := ca.Issue("default.test")
	if err != nil {
		return Options{}, err
	}
	return Options{
		Binary: binary, Layout: layout, Templates: templates,
		ErrorPages: map[int][]byte{503: []byte("HTTP/1.0 503 x\r\n\r\n"), 404: []byte("HTTP/1.0 404 x\r\n\r\n")},
		Logger:     slog.New(slog.DiscardHandler), Output: io.Discard, Metrics: NewMetrics(prometheus.NewRegistry()), Now: time.Now,
		Global: model.Global{
			Listen:     model.Listen{HTTPPort: http, HTTPSPort: https, Address: "127.0.0.1", InspectDelay: 5 * time.Second},
			TLS:        model.ListenTLS{MinVersion: "TLSv1.2", DHParam: 2048, DefaultCertificate: model.Certificate{Chain: pair.Cert, Key: model.NewSecret(pair.Key)}},
			BufferSize: 32768, MaxRewrite: 8192, HTTP2: true, RetryUnanswered: true, MaxConnections: 200, Threads: 2,
			Log: model.Log{Address: dir + "/log.sock", MaxLength: 1024, Facility: "local1", Level: "info"}, // Nobody listens.
			Timeouts: model.Timeouts{Connect: 5 * time.Second, Client: 30 * time.Second, ClientFin: time.Second, Server: 30 * time.Second,
				ServerFin: time.Second, HTTPRequest: 10 * time.Second, HTTPKeepAlive: 300 * time.Second, Tunnel: time.Hour},
		},
	}, nil
}

// session is a connection to the running worker.
func (d Counting) session(t *testing.T) *runtime.Session {
	t.Helper()
	s, err := runtime.Open(t.Context(), d.opts.Layout.RuntimeSocket.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// end stops HAProxy and removes its files; more than once is once.
func (d Counting) end(t *testing.T) {
	t.Helper()
	if d.master.Exited() == nil {
		return
	}
	if err := d.master.Stop(context.Background(), 0); err != nil {
		t.Error(err)
	}
	_ = os.RemoveAll(strings.TrimSuffix(d.opts.Layout.Config.String(), "/conf/haproxy.config"))
}

// world makes random routes.
type world struct {
	rnd   *rand.Rand
	certs []model.Certificate
	cas   []string
	// routes are the current ones, held those that only keep their host.
	routes map[model.RouteKey]*model.Route
	held   map[model.RouteKey]model.Reservation
	// failing are the endpoints whose health checks fail.
	failing map[netip.AddrPort]bool
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w, err := makeWorld(seed)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func makeWorld(seed uint64) (*world, error) {
	w := &world{rnd: rand.New(rand.NewPCG(seed, seed)), routes: map[model.RouteKey]*model.Route{}, held: map[model.RouteKey]model.Reservation{}, failing: map[netip.AddrPort]bool{}} //nolint:gosec // a test's
	for i := range 3 {
		ca, err := certs.NewAuthority(fmt.Sprint("ca", i))
		if err != nil {
			return nil, err
		}
		pair, err := ca.Issue(fmt.Sprintf("h%d.test", i))
		if i == 0 {
			pair, err = ca.IssueRSA(2048, "h0.test")
		}
		if err != nil {
			return nil, err
		}
		w.certs = append(w.certs, model.Certificate{Chain: pair.Cert, Key: model.NewSecret(pair.Key)})
		w.cas = append(w.cas, ca.PEM)
	}
	return w, nil
}

// step changes one to three routes.
func (w *world) step() model.Change {
	var c model.Change
	for _, i := range w.rnd.Perm(5)[:1+w.rnd.IntN(3)] {
		key := model.RouteKey{Namespace: "ns", Name: fmt.Sprint("r", i)}
		if w.routes[key] != nil && w.rnd.IntN(8) == 0 {
			if w.rnd.IntN(2) == 0 {
				w.held[key] = model.Reservation{Key: key, HostKey: w.routes[key].HostKey()}
				c.Reserve = append(c.Reserve, w.held[key])
			} else {
				c.Delete = append(c.Delete, key)
			}
			delete(w.routes, key)
			continue
		}
		delete(w.held, key)
		r := w.route(i, key)
		w.routes[key] = r
		c.Upsert = append(c.Upsert, r)
	}
	for range w.rnd.IntN(4) {
		c.Health = append(c.Health, w.health())
	}
	return c
}

// health changes the health of an endpoint that a route has, or may have later.
func (w *world) health() model.Health {
	i, p := w.rnd.IntN(5), w.rnd.IntN(8)
	h := model.Health{Address: netip.MustParseAddrPort(fmt.Sprintf("127.0.1.%d:%d", p+1, 9000+i)), Failing: w.rnd.IntN(2) == 0}
	if key := (model.RouteKey{Namespace: "ns", Name: fmt.Sprint("r", i)}); w.routes[key] != nil {
		h.Routes = append(h.Routes, key)
	}
	w.failing[h.Address] = h.Failing
	return h
}

// allHealth is what is known of all endpoints.
func (w *world) allHealth() []model.Health {
	var list []model.Health
	for address, failing := range w.failing {
		list = append(list, model.Health{Address: address, Failing: failing, Routes: slices.Collect(maps.Keys(w.routes))})
	}
	return list
}

// route is a route whose settings follow from its number, so that most changes
// are of the kinds that need no reload. Two routes never claim the same.
func (w *world) route(i int, key model.RouteKey) *model.Route {
	n := w.rnd.IntN
	r := &model.Route{
		Key: key, Match: model.Match{
			Host: fmt.Sprintf("h%d.test", n(3)), Path: []string{fmt.Sprintf("/p%d", i), fmt.Sprintf("/p%d/", i), fmt.Sprintf("/a;b\\%d", i)}[n(3)],
			Wildcard: n(6) == 0,
		},
		Termination: []model.Termination{model.TerminationEdge, model.TerminationNone, model.TerminationReencrypt, model.TerminationEdge, model.TerminationPassthrough}[i],
		Insecure:    []model.InsecurePolicy{model.InsecureNone, model.InsecureAllow, model.InsecureRedirect}[n(3)],
		Backend: model.Backend{
			Balance: []model.Balance{model.BalanceRoundRobin, model.BalanceLeastConn}[n(8)/7], Forwarded: model.ForwardedAppend, CheckInterval: time.Hour,
			Cookie: &model.Cookie{Name: fmt.Sprint("c", i), Key: model.NewSecret(fmt.Sprint("k", n(2)))},
		},
	}
	if r.Wildcard && n(2) == 0 {
		r.Host = "test" // Above the others.
	}
	switch {
	case r.Termination == model.TerminationPassthrough:
		r.Path, r.Host = "", fmt.Sprintf("pass%d.test", n(3))
	case n(4) == 0:
		r.Exact = true
	case !r.Wildcard && n(5) == 0:
		r.Host = model.CatchAllHost
	}
	if r.Termination == model.TerminationEdge && n(2) == 0 {
		c := w.certs[n(3)]
		r.Certificate = &c
	}
	if r.Termination == model.TerminationReencrypt {
		r.Backend.TLS = &model.ServerTLS{CA: w.cas[n(3)]}
	}
	if i == 0 {
		r.Backend.Allowlist = &model.Allowlist{}
		for range n(4) {
			r.Backend.Allowlist.Prefixes = append(r.Backend.Allowlist.Prefixes, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n(256)), 0, 0}), 16))
		}
	}
	count := n(5)
	for _, p := range w.rnd.Perm(8)[:count] {
		r.Backend.Servers = append(r.Backend.Servers, model.Server{
			ID: fmt.Sprintf("pod:p%d:s::127.0.1.%d:%d", p, p+1, 9000+i), Address: fmt.Sprintf("127.0.1.%d", p+1), Port: 9000 + i,
			Weight: n(257), Check: count > 1,
		})
	}
	return r
}

// observed is what a running HAProxy has, as far as requests can tell: the
// names of slots, and servers that take nothing, are left out; those that the
// access log has for them are not.
func observed(t *testing.T, d Counting) map[string]string {
	t.Helper()
	ctx := t.Context()
	s := d.session(t)
	defer s.Close()
	seen := map[string]string{}
	servers, err := s.Servers(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	var slots map[string]string
	if !d.Features().DynamicServers {
		if slots, err = s.Map(ctx, d.opts.Layout.Maps.Slots.String()); err != nil {
			t.Fatal(err)
		}
	}
	for name := range d.desired.State.Backends {
		var ready []string
		for server, l := range servers[d.worker.Applied.RuntimeName(name)] {
			if l.Ready {
				if !d.Features().DynamicServers {
					server = slots[server+"@"+d.worker.Applied.RuntimeName(name)]
				}
				ready = append(ready, fmt.Sprintf("%s %s:%d weight %d down %v", server, l.Address, l.Port, l.Weight, l.Down))
			}
		}
		slices.Sort(ready)
		seen["backend "+name] = strings.Join(ready, "\n")
	}
	base := strings.TrimSuffix(d.opts.Layout.Config.String(), "conf/haproxy.config")
	relative := func(path string) string { return strings.TrimPrefix(path, base) }
	for _, table := range d.opts.Layout.Maps.All() {
		entries, err := s.Map(ctx, table.String())
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range entries {
			value = d.worker.Applied.FromRuntime(value)
			seen["table "+relative(table.String())+" "+key] = value
		}
	}
	lines, err := s.CrtList(ctx, d.opts.Layout.CrtList.String(), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if _, _, ok := config.ParseFilters(l.Path, l.Filters); !ok {
			continue // The default certificate is another for each process.
		}
		seen["host "+strings.Join(l.Filters, " ")] = relative(l.Path)
		prints, err := s.CertificateFingerprints(ctx, l.Path)
		if err != nil {
			t.Fatal(err)
		}
		seen["certificate "+relative(l.Path)] = strings.Join(prints, " ")
	}
	for path := range d.desired.State.Lists {
		entries, err := s.ACL(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(entries)
		seen["list "+relative(path)] = strings.Join(entries, " ")
	}
	for path := range d.desired.State.NamedCAs() {
		prints, err := s.CAFingerprints(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		seen["ca "+relative(path)] = strings.Join(prints, " ")
	}
	return seen
}

// compare fails the test where two observations differ.
func compare(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			t.Errorf("%s: %s is %q, want %q", what, key, got[key], want[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok {
			t.Errorf("%s: %s is %q, want none", what, key, got[key])
		}
	}
}

// all is the change that makes the world from nothing.
func (w *world) all() model.Change {
	return model.Change{Upsert: slices.Collect(maps.Values(w.routes)), Reserve: slices.Collect(maps.Values(w.held)), Health: w.allHealth()}
}

// coldStart observes a HAProxy that was started with the routes.
func coldStart(t *testing.T, binary string, w *world) map[string]string {
	t.Helper()
	d := newTestPlane(t, binary, nil)
	defer d.end(t)
	o, err := d.Apply(t.Context(), w.all())
	if err != nil || len(o.Rejected) > 0 {
		t.Fatalf("cold start: %v, %v", o.Rejected, err)
	}
	return observed(t, d)
}

// killed is the data plane of a router that takes the place of one that was
// killed: nothing of that is left but its HAProxy and its files, which can be
// loaded though they lag behind.
func (d Counting) killed(t *testing.T, w *world) Counting {
	t.Helper()
	if err := d.master.Check(t.Context()); err != nil {
		t.Errorf("the files that a killed router has left: %v", err)
	}
	o := d.opts
	o.Metrics = NewMetrics(prometheus.NewRegistry())
	next := prepared(t, o)
	if outcome, err := next.Apply(t.Context(), w.all()); err != nil || len(outcome.Rejected) > 0 {
		t.Fatalf("after a kill: %+v, %v", outcome, err)
	}
	return next
}

// killOne is how seldom the router is killed: once in so many changes.
const killOne = 12

// TestChangesWhileRunningEqualAColdStart is the property that the data plane
// stands on: however the routes came to be, and though the router is killed among
// the changes, what runs is the same.
func TestChangesWhileRunningEqualAColdStart(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		reloads, commands, kills := 0, 0, 0
		for seed := range *sequences {
			w := newWorld(t, uint64(seed)) //nolint:gosec // a small number
			d := newTestPlane(t, binary, nil)
			for range 10 {
				o, err := d.Apply(t.Context(), w.step())
				if err != nil || len(o.Rejected) > 0 || len(o.Pending) > 0 {
					t.Fatalf("sequence %d: %+v, %v", seed, o, err)
				}
				text, _ := d.desired.State.ConfigText(d.Features())
				if _, err := configreader.Read(text); err != nil {
					t.Errorf("sequence %d: %v", seed, err)
				}
				if o.Reloaded {
					reloads++
				} else {
					commands++
				}
				if w.rnd.IntN(killOne) == 0 {
					kills++
					d = d.killed(t, w)
				}
			}
			o, err := d.Verify(t.Context())
			if err != nil || o.Reloaded {
				t.Errorf("sequence %d: verifying: %+v, %v", seed, o, err)
			}
			compare(t, fmt.Sprintf("sequence %d", seed), observed(t, d), coldStart(t, binary, w))
			d.end(t)
			if t.Failed() {
				return
			}
		}
		t.Logf("%d sequences: %d changes with a reload, %d without; killed %d times", *sequences, reloads, commands, kills)
	})
}
