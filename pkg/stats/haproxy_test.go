package stats_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"router/conf"
	"router/pkg/haproxy"
	"router/pkg/haproxy/exporter"
	"router/pkg/model"
	"router/pkg/stats"
	"router/pkg/template"
	"router/test/certs"
	"router/test/haproxies"
	"router/test/ports"
)

// plane is a running HAProxy with the statistics port before it.
type plane struct {
	*haproxy.DataPlane
	layout   template.Layout
	port     int
	stats    *stats.Server
	exporter *exporter.Collector
	registry *prometheus.Registry
}

func newPlane(t *testing.T, binary string) *plane {
	t.Helper()
	dir, err := os.MkdirTemp("", "rt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &plane{registry: prometheus.NewRegistry()}
	if p.layout, err = template.NewLayout(dir); err != nil {
		t.Fatal(err)
	}
	templates, err := template.New(conf.Files, "", p.layout)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := certs.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue("*.test")
	if err != nil {
		t.Fatal(err)
	}
	p.port = ports.Free(t)
	global := model.Global{
		Listen: model.Listen{HTTPPort: p.port, HTTPSPort: ports.Free(t), Address: "127.0.0.1", InspectDelay: 5 * time.Second},
		TLS: model.ListenTLS{MinVersion: "TLSv1.2", DHParam: 2048,
			DefaultCertificate: model.Certificate{Chain: pair.Cert, Key: model.NewSecret(pair.Key)}},
		BufferSize: 32768, MaxRewrite: 8192, HTTP2: true, RetryUnanswered: true, MaxConnections: 1234, Threads: 1,
		Timeouts: model.Timeouts{Connect: 5 * time.Second, Client: 30 * time.Second, ClientFin: time.Second, Server: 30 * time.Second,
			ServerFin: time.Second, HTTPRequest: 10 * time.Second, HTTPKeepAlive: 300 * time.Second, Tunnel: time.Hour},
	}
	logger := slog.New(slog.NewTextHandler(t.Output(), nil))
	p.DataPlane = haproxy.New(haproxy.Options{
		Binary: binary, Layout: p.layout, Templates: templates, Global: global,
		ErrorPages: map[int][]byte{503: errorPage(t, "error-page-503.http"), 404: errorPage(t, "error-page-404.http")},
		Logger:     logger, Output: io.Discard, Metrics: haproxy.NewMetrics(p.registry), Now: time.Now,
		BeforeReload: func(ctx context.Context) { p.exporter.BeforeReload(ctx) },
	})
	if err := p.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	var looks time.Duration
	p.exporter = exporter.New(exporter.Options{
		Runtime: p.Ask, Logger: logger, ServerNames: p.EndpointOf, BackendNames: p.BackendOf, Health: func(backend, id string) (exporter.Health, bool) {
			_, ok := model.ParseEndpointID(id)
			return exporter.Health{Down: p.IsDown(backend, id)}, ok
		},
	})
	p.stats = stats.New(stats.Options{
		User: user, Password: model.NewSecret(password), Logger: logger, HAProxySocket: p.layout.StatsSocket.String(), Runtime: p.Ask,
		Collector: p.exporter, BackendNames: p.BackendOf,
		ProbeURL: fmt.Sprintf("http://127.0.0.1:%d/_______internal_router_healthz", p.port),
		Now:      func() time.Time { looks++; return time.Now().Add(looks * time.Second) }, // Each look is a later one.
	})
	return p
}

func errorPage(t *testing.T, name string) []byte {
	t.Helper()
	b, err := conf.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// serveRoutes makes routes, each with one pod, what HAProxy serves, and reports
// whether that took a reload.
func (p *plane) serveRoutes(t *testing.T, names ...string) (reloaded bool) {
	t.Helper()
	var change model.Change
	for _, name := range names {
		change.Upsert = append(change.Upsert, newRoute(t, name, 1))
	}
	return p.apply(t, change)
}

// servePods makes a route with a number of pods what HAProxy serves.
func (p *plane) servePods(t *testing.T, name string, pods int) {
	t.Helper()
	p.apply(t, model.Change{Upsert: []*model.Route{newRoute(t, name, pods)}})
}

func (p *plane) apply(t *testing.T, change model.Change) (reloaded bool) {
	t.Helper()
	before := p.loads(t)
	outcome, err := p.Apply(t.Context(), change)
	if err != nil || len(outcome.Rejected) > 0 || len(outcome.Pending) > 0 {
		t.Fatalf("%+v, %v", outcome, err)
	}
	return p.loads(t) > before
}

// loads is how often HAProxy has read its files.
func (p *plane) loads(t *testing.T) (n uint64) {
	t.Helper()
	families, err := p.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "template_router_reload_seconds" {
			n = f.GetMetric()[0].GetSummary().GetSampleCount()
		}
	}
	return n
}

// reload adds a route with settings that no other has.
func (p *plane) reload(t *testing.T) bool {
	t.Helper()
	return p.apply(t, model.Change{Upsert: []*model.Route{{
		Key: model.RouteKey{Namespace: "ns", Name: "other"}, Match: model.Match{Host: "other.test"},
		Backend: model.Backend{Balance: model.BalanceLeastConn, Forwarded: model.ForwardedNever, CheckInterval: 5 * time.Second},
	}}})
}

// newRoute makes a route and its pods, which are checked if there are several.
func newRoute(t *testing.T, name string, pods int) *model.Route {
	t.Helper()
	route := &model.Route{
		Key: model.RouteKey{Namespace: "ns", Name: name}, Match: model.Match{Host: name + ".test"},
		Backend: model.Backend{Balance: model.BalanceRoundRobin, Forwarded: model.ForwardedAppend, CheckInterval: 5 * time.Second},
	}
	for i := range pods {
		pod := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		t.Cleanup(pod.Close)
		address := pod.Listener.Addr().(*net.TCPAddr)
		route.Backend.Servers = append(route.Backend.Servers, model.Server{
			ID: fmt.Sprintf("pod:%s-%d:svc:http:%s", name, i+1, address), Address: address.IP.String(), Port: address.Port, Weight: 1, Check: pods > 1,
		})
	}
	return route
}

// get makes requests to a route.
func (p *plane) get(t *testing.T, name string, times int) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	for range times {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+strconv.Itoa(p.port), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = name + ".test"
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", name, response.Status)
		}
	}
}

func TestHAProxysPageIsPassedOn(t *testing.T) {
	haproxies.Each(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		if w := request(t, p.stats, http.MethodGet, "/"); w.Code != 503 {
			t.Errorf("before HAProxy runs: %d %s", w.Code, w.Body)
		}
		p.serveRoutes(t, "one")
		for path, want := range map[string]struct{ kind, text string }{
			"/":              {"text/html", "Statistics Report"},
			"/;norefresh":    {"text/html", "be_http:ns:one"},
			"/;csv":          {"text/plain", "\nbe_http:ns:one,BACKEND,"},
			"/;csv;up":       {"text/plain", "# pxname,svname,"},
			"/healthz":       {"text/plain; charset=utf-8", "ok"},
			"/healthz/ready": {"text/plain; charset=utf-8", "ok"},
		} {
			w := request(t, p.stats, http.MethodGet, path)
			if w.Code != 200 || w.Header().Get("Content-Type") != want.kind || !strings.Contains(w.Body.String(), want.text) {
				t.Errorf("%s: %d %v without %q:\n%s", path, w.Code, w.Header(), want.text, w.Body)
			}
		}
		if w := request(t, p.stats, http.MethodGet, "/elsewhere"); w.Code != 404 {
			t.Errorf("another page: %d", w.Code)
		}
	})
}

func TestHAProxysCountersGoOnOverReloads(t *testing.T) {
	haproxies.Each(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		p.serveRoutes(t, "one")
		p.get(t, "one", 3)
		// It is served by a spare backend, until the reload gives it its own.
		if p.serveRoutes(t, "two") {
			t.Fatal("a route like another took a reload")
		}
		p.get(t, "two", 1)
		if n := strings.Count(request(t, p.stats, http.MethodGet, "/metrics").Body.String(), `route="two"`); n == 0 {
			t.Error("there are no metrics of the route before the reload")
		}
		if !p.reload(t) {
			t.Fatal("settings of a new kind did not reload")
		}
		p.get(t, "one", 2)
		p.get(t, "two", 2)
		body := request(t, p.stats, http.MethodGet, "/metrics").Body.String()
		one, two := "", ""
		for line := range strings.Lines(body) {
			// A server's address is not known before.
			switch name, rest, _ := strings.Cut(line, "server=\""); {
			case !strings.HasPrefix(name, "haproxy_server_http_responses_total{code=\"2xx\""):
			case strings.Contains(line, `pod="one-1",route="one"`) && strings.HasPrefix(rest, "127.0.0.1:"):
				one = strings.TrimSpace(line[strings.LastIndex(line, " "):])
			case strings.Contains(line, `pod="two-1",route="two"`) && strings.HasPrefix(rest, "127.0.0.1:"):
				two = strings.TrimSpace(line[strings.LastIndex(line, " "):])
			default:
				t.Errorf("a server that stands for nothing: %s", line)
			}
		}
		if one != "5" || two != "3" {
			t.Errorf("the servers answered %q and %q times, want 5 and 3", one, two)
		}
		for _, want := range []string{
			"haproxy_up 1\n",
			"haproxy_max_connections 1234\n",
			"haproxy_exporter_csv_parse_failures 0\n",
			"haproxy_exporter_server_threshold{type=\"current\"} 2\n",
			"haproxy_frontend_http_responses_total{code=\"2xx\",frontend=\"public\"} 8\n",
			"haproxy_backend_connections_total{backend=\"http\",namespace=\"ns\",route=\"one\"} 5\n",
			"haproxy_backend_up{backend=\"http\",namespace=\"ns\",route=\"two\"} 1\n",
			"haproxy_backend_current_queue{backend=\"other/openshift_default\",namespace=\"\",route=\"\"} 0\n",
			"haproxy_process_start_time_seconds ",
		} {
			if !strings.Contains("\n"+body, "\n"+want) {
				t.Errorf("without %q", want)
			}
		}
		if t.Failed() {
			t.Log(body)
		}
	})
}

func TestAnHAProxyThatIsGoneIsTold(t *testing.T) {
	haproxies.Each(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		p.serveRoutes(t, "one")
		if w := request(t, p.stats, http.MethodGet, "/healthz/ready"); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if err := p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]string{
			"/":              "HAProxy is not running.",
			"/metrics":       "\nhaproxy_up 0\n",
			"/healthz":       "[-]admin-socket failed: ",
			"/healthz/ready": "[-]backend-http failed: ",
		} {
			w := request(t, p.stats, http.MethodGet, path)
			if path == "/healthz" { // It does not fail at the first look.
				request(t, p.stats, http.MethodGet, path)
				w = request(t, p.stats, http.MethodGet, path)
			}
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: %d without %q:\n%s", path, w.Code, want, w.Body)
			}
		}
	})
}

// TestTheFrontendsOfTheReferenceAreThere reads a real HAProxy's metrics before
// there is a passthrough route, beside it, and after it.
func TestTheFrontendsOfTheReferenceAreThere(t *testing.T) {
	haproxies.Each(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		p.serveRoutes(t, "one")
		check := func(what string) {
			t.Helper()
			body := request(t, p.stats, http.MethodGet, "/metrics").Body.String()
			for _, name := range []string{
				`frontend_connections_total{frontend="public"}`, `frontend_connections_total{frontend="public_ssl"}`,
				`frontend_connections_total{frontend="fe_sni"}`, `frontend_connections_total{frontend="fe_no_sni"}`,
				`frontend_http_responses_total{code="2xx",frontend="fe_sni"}`,
				`backend_current_sessions{backend="other/be_sni",namespace="",route=""}`, `backend_current_sessions{backend="other/be_no_sni",namespace="",route=""}`,
				`server_current_sessions{namespace="",pod="",route="",server="fe_sni",service=""}`,
			} {
				if strings.Count(body, "\nhaproxy_"+name+" 0\n") != 1 {
					t.Errorf("%s: there is no %s:\n%s", what, name, body)
				}
			}
			for _, up := range []string{`backend_up{backend="other/be_sni",namespace="",route=""}`, `server_up{namespace="",pod="",route="",server="fe_no_sni",service=""}`} {
				if !strings.Contains(body, "\nhaproxy_"+up+" 1\n") {
					t.Errorf("%s: there is no %s:\n%s", what, up, body)
				}
			}
		}
		check("at first")
		pass := newRoute(t, "pass", 1)
		pass.Termination = model.TerminationPassthrough
		pass.Backend.Balance = model.BalanceSource
		p.apply(t, model.Change{Upsert: []*model.Route{pass}})
		check("beside a passthrough route")
		p.apply(t, model.Change{Delete: []model.RouteKey{pass.Key}})
		check("after it")
	})
}

func TestThePageNamesRoutesAndNothingThatIsSpare(t *testing.T) {
	haproxies.Each(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		p.serveRoutes(t, "one")
		if p.serveRoutes(t, "two") {
			t.Fatal("the second route has a backend of its own")
		}
		p.get(t, "two", 1)
		for _, path := range []string{"/", "/;csv"} {
			body := request(t, p.stats, http.MethodGet, path).Body.String()
			for _, want := range []string{"be_http:ns:one", "be_http:ns:two", "openshift_default"} {
				if !strings.Contains(body, want) {
					t.Errorf("%s is without %s", path, want)
				}
			}
			if strings.Contains(body, "_spare") {
				t.Errorf("%s shows spare backends", path)
			}
			if path == "/" && (strings.Count(body, "<table ") != strings.Count(body, "</table>") || !strings.HasSuffix(strings.TrimSpace(body), "</html>")) {
				t.Errorf("the page is not whole: %d tables, %d ends", strings.Count(body, "<table "), strings.Count(body, "</table>"))
			}
		}
	})
}
