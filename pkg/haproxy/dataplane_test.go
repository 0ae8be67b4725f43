package haproxy_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"router/conf"
	"router/pkg/haproxy"
	"router/pkg/model"
	"router/pkg/template"
	"router/test/haproxies"
	"router/test/ports"
)

type plane struct {
	haproxy.Counting
	http, https int
	dir         string
}

// newPlane prepares a data plane; change changes its options.
func newPlane(t testing.TB, binary string, change ...func(*haproxy.Options)) *plane {
	t.Helper()
	dir, err := os.MkdirTemp("", "rt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	layout, err := template.NewLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	templates, err := template.New(conf.Files, "", layout)
	if err != nil {
		t.Fatal(err)
	}
	p := &plane{http: ports.Free(t), https: ports.Free(t), dir: dir}
	cert, key := selfSigned(t)
	g := model.Global{
		Listen:     model.Listen{HTTPPort: p.http, HTTPSPort: p.https, Address: "127.0.0.1", InspectDelay: 5 * time.Second},
		TLS:        model.ListenTLS{MinVersion: "TLSv1.2", DHParam: 2048, DefaultCertificate: model.Certificate{Chain: cert, Key: model.NewSecret(key)}},
		BufferSize: 32768, MaxRewrite: 8192, HTTP2: true, RetryUnanswered: true, MaxConnections: 2000, Threads: 2,
		Timeouts: model.Timeouts{Connect: 5 * time.Second, Client: 30 * time.Second, ClientFin: time.Second, Server: 30 * time.Second,
			ServerFin: time.Second, HTTPRequest: 10 * time.Second, HTTPKeepAlive: 300 * time.Second, Tunnel: time.Hour},
		IdleCloseOnResponse: true,
	}
	level := slog.LevelInfo
	if testing.Verbose() {
		level = slog.LevelDebug
	}
	ctx := context.Background()
	o := haproxy.Options{
		Binary: binary, Layout: layout, Templates: templates, Global: g,
		ErrorPages: map[int][]byte{503: page(t, "error-page-503.http"), 404: page(t, "error-page-404.http")},
		Logger:     slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level})),
		Output:     io.Discard, Metrics: haproxy.NewMetrics(prometheus.NewRegistry()), Now: time.Now,
	}
	for _, c := range change {
		c(&o)
	}
	p.Counting = haproxy.Counting{DataPlane: haproxy.New(o)}
	if err := p.Prepare(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return p
}

func page(t testing.TB, name string) []byte {
	t.Helper()
	b, err := conf.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (p *plane) get(t *testing.T, host, path string) (int, string) {
	t.Helper()
	req, _ := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", p.http, path), nil)
	req.Host = host
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // what is served counts, not by whom
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 5 * time.Second}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatalf("GET %s%s: %v", host, path, err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

func pod(t *testing.T, name string) model.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }))
	t.Cleanup(s.Close)
	host, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	n, _ := strconv.Atoi(port)
	return model.Server{ID: fmt.Sprintf("pod:%s:svc:http:%s:%d", name, host, n), Address: host, Port: n, Weight: 1, Service: "svc", Pod: name}
}

func route(name, host string, servers ...model.Server) *model.Route {
	for i := range servers {
		servers[i].Check = len(servers) > 1
	}
	return &model.Route{
		Key: model.RouteKey{Namespace: "ns", Name: name}, Match: model.Match{Host: host},
		Backend: model.Backend{Balance: model.BalanceRoundRobin, Forwarded: model.ForwardedAppend, Servers: servers, CheckInterval: 5 * time.Second},
	}
}

func apply(t *testing.T, p *plane, c model.Change) haproxy.CountedOutcome {
	t.Helper()
	o, err := p.Apply(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	for k, m := range o.Rejected {
		t.Errorf("%s rejected: %s", k, m)
	}
	return o
}

// settle does what is due later, such as writing the files.
func (p *plane) settle(t *testing.T, o haproxy.CountedOutcome) {
	t.Helper()
	for range 20 {
		if o.Next.IsZero() {
			return
		}
		<-time.After(time.Until(o.Next))
		var err error
		if o, err = p.Converge(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("there is always something due: %+v", o)
}

func TestServersChangeWithoutReload(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		a, b, c := pod(t, "a"), pod(t, "b"), pod(t, "c")
		apply(t, p, model.Change{Upsert: []*model.Route{route("one", "one.test", a)}})
		if code, body := p.get(t, "one.test", "/"); code != 200 || body != "a" {
			t.Fatalf("got %d %q", code, body)
		}
		for _, step := range [][]model.Server{{a, b}, {b}, {b, c}, {c}, {}, {a}, {a, b, c}} {
			o := apply(t, p, model.Change{Upsert: []*model.Route{route("one", "one.test", step...)}})
			if o.Reloaded || len(o.Pending) > 0 {
				t.Errorf("%d servers: reloaded %v, pending %v", len(step), o.Reloaded, o.Pending)
			}
			seen := map[string]int{}
			for range 12 {
				_, body := p.get(t, "one.test", "/")
				if len(step) == 0 {
					body = "none"
				}
				seen[body]++
			}
			if want := max(1, len(step)); len(seen) != want {
				t.Errorf("%d servers: answers %v", len(step), seen)
			}
			for _, s := range step {
				if seen[s.Pod] == 0 {
					t.Errorf("no answer of %s: %v", s.Pod, seen)
				}
			}
			if o, err := p.Verify(context.Background()); err != nil || o.Reloaded {
				t.Errorf("verify: %+v %v", o, err)
			}
		}
	})
}
