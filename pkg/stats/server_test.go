package stats_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"router/pkg/haproxy/exporter"
	"router/pkg/model"
	"router/pkg/stats"
	"router/test/certs"
)

const (
	user     = "admin"
	password = "secret"
)

func newServer(t *testing.T, o stats.Options) http.Handler {
	t.Helper()
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	return stats.New(o)
}

// request makes a request, with the user and password unless told otherwise.
func request(t *testing.T, h http.Handler, method, path string, credentials ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	switch len(credentials) {
	case 0:
		r.SetBasicAuth(user, password)
	case 2:
		r.SetBasicAuth(credentials[0], credentials[1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func answers(text string, err error) func(context.Context, string) (string, error) {
	return func(context.Context, string) (string, error) { return text, err }
}

func fails(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

func TestProbes(t *testing.T) {
	stopping := make(chan struct{})
	close(stopping)
	refused := errors.New("connection\nrefused")
	for _, test := range []struct {
		name    string
		options stats.Options
		path    string
		code    int
		body    string
	}{
		{"alive", stats.Options{}, "/healthz", 200, "ok"},
		{"alive, in words", stats.Options{Runtime: answers("2.6", nil)}, "/healthz?verbose", 200,
			"[+]controller ok\n[+]admin-socket ok\nhealthz check passed\n"},
		{"HAProxy does not answer", stats.Options{Runtime: answers("", refused)}, "/healthz", 500,
			"[+]controller ok\n[-]admin-socket failed: connection refused\nhealthz check failed\n"},
		{"HAProxy answers nothing", stats.Options{Runtime: answers("\n", nil)}, "/healthz", 500,
			"[+]controller ok\n[-]admin-socket failed: haproxy answers without a word\nhealthz check failed\n"},
		{"HAProxy is not to run yet", stats.Options{Runtime: answers("", refused), Ready: fails(errors.New("no cluster"))}, "/healthz", 200, "ok"},
		{"HAProxy does not answer, which is left out", stats.Options{Runtime: answers("", refused)}, "/healthz?verbose&exclude=admin-socket", 200,
			"[+]controller ok\n[+]admin-socket excluded: ok\nhealthz check passed\n"},
		{"HAProxy does not answer, which is never asked", stats.Options{Runtime: answers("", refused), NoSocketCheck: true}, "/healthz?verbose", 200,
			"[+]controller ok\nhealthz check passed\n"},
		{"one check alone", stats.Options{Runtime: answers("", refused)}, "/healthz/controller", 200, "ok"},
		{"one check alone that fails", stats.Options{Runtime: answers("", refused)}, "/healthz/admin-socket", 500,
			"[-]admin-socket failed: connection refused\nadmin-socket check failed\n"},
		{"a check that is not there", stats.Options{}, "/healthz/admin-socket", 401, "Unauthorized\n"},
		{"ready", stats.Options{}, "/healthz/ready", 200, "ok"},
		{"ready, in words", stats.Options{}, "/healthz/ready?verbose", 200, "[+]has-synced ok\n[+]process-running ok\nready check passed\n"},
		{"not ready yet", stats.Options{Ready: fails(errors.New("routes are not served yet"))}, "/healthz/ready", 500,
			"[-]has-synced failed: routes are not served yet\n[+]process-running ok\nready check failed\n"},
		{"stopping", stats.Options{Stopping: stopping}, "/healthz/ready", 500,
			"[+]has-synced ok\n[-]process-running failed: the router is stopping\nready check failed\n"},
		{"stopping is no reason to be restarted", stats.Options{Stopping: stopping}, "/healthz", 200, "ok"},
		{"readiness, one check alone", stats.Options{Ready: fails(refused)}, "/healthz/ready/process-running", 200, "ok"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.options.User, test.options.Password = user, model.NewSecret(password)
			now := time.Now()
			test.options.Now = func() time.Time { return now }
			h := newServer(t, test.options)
			w := request(t, h, http.MethodGet, test.path, "no password")
			for range 2 { // Liveness does not fail at the first look.
				now = now.Add(time.Second)
				w = request(t, h, http.MethodGet, test.path, "no password")
			}
			if w.Code != test.code || w.Body.String() != test.body {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, test.code, test.body)
			}
		})
	}
}

// A moment of load is no reason for a restart, which would end everybody's
// connections.
func TestLivenessFailsAfterSeveralLooks(t *testing.T) {
	slow, now := false, time.Now()
	h := newServer(t, stats.Options{
		Now: func() time.Time { return now },
		Runtime: func(ctx context.Context, _ string) (string, error) {
			if slow {
				<-ctx.Done() // HAProxy's loop does not turn.
				return "", ctx.Err()
			}
			return "2.6", nil
		},
	})
	const later = 10 * time.Second
	for i, step := range []struct {
		after time.Duration
		slow  bool
		code  int
		body  string
	}{
		{later, false, 200, "[+]admin-socket ok\n"},
		{later, true, 200, "[+]admin-socket ok so far: context deadline exceeded (look 1 that failed; 3 in a row are a failure)\n"},
		{0, true, 200, "look 1 that failed"},
		{0, true, 200, "look 1 that failed"},
		{later, true, 200, "look 2 that failed"},
		{later, false, 200, "[+]admin-socket ok\n"},
		{later, true, 200, "look 1 that failed"},
		{later, true, 200, "look 2 that failed"},
		{later, true, 500, "[-]admin-socket failed: context deadline exceeded\n"},
		{later, true, 500, "[-]admin-socket failed: context deadline exceeded\n"},
		{0, false, 200, "[+]admin-socket ok\n"},
		{0, true, 200, "look 1 that failed"},
	} {
		now, slow = now.Add(step.after), step.slow
		began := time.Now()
		w := request(t, h, http.MethodGet, "/healthz?verbose")
		if w.Code != step.code || !strings.Contains(w.Body.String(), step.body) {
			t.Errorf("look %d: got %d %q, want %d %q", i, w.Code, w.Body, step.code, step.body)
		}
		if step.slow && time.Since(began) < 100*time.Millisecond {
			t.Errorf("look %d gave HAProxy no time", i)
		}
	}
}

func TestLivenessLooksAtHAProxyOnceItRan(t *testing.T) {
	ready, runs, now := errors.New("not yet"), false, time.Now()
	h := newServer(t, stats.Options{
		Now:   func() time.Time { return now },
		Ready: func(context.Context) error { return ready },
		Runtime: func(context.Context, string) (string, error) {
			if !runs {
				return "", errors.New("gone")
			}
			return "2.6", nil
		},
	})
	for _, step := range []struct {
		ready error
		runs  bool
		want  int
	}{{errors.New("not yet"), false, 200}, {nil, true, 200}, {errors.New("stopping"), true, 200}, {errors.New("stopping"), false, 500}} {
		ready, runs = step.ready, step.runs
		w := request(t, h, http.MethodGet, "/healthz")
		for range 2 {
			now = now.Add(time.Second)
			w = request(t, h, http.MethodGet, "/healthz")
		}
		if w.Code != step.want {
			t.Errorf("%+v: got %d %s", step, w.Code, w.Body)
		}
	}
}

// TestReadinessAsksTheWayOfClients has a server in HAProxy's place.
func TestReadinessAsksTheWayOfClients(t *testing.T) {
	for _, test := range []struct {
		name  string
		proxy bool
		reply string
		code  int
		body  string
	}{
		{"which answers", false, "200 OK", 200, "[+]backend-http ok\n[+]has-synced ok\n"},
		{"which redirects", false, "302 Found\r\nLocation: http://192.0.2.1/", 200, "[+]backend-http ok\n[+]has-synced ok\n"},
		{"which refuses", false, "503 Service Unavailable", 500, "[-]backend-http failed: haproxy answers with status 503\n"},
		{"which wants the PROXY protocol", true, "200 OK", 200, "[+]backend-proxy-http ok\n"},
		{"which wants the PROXY protocol, and refuses", true, "503 Service Unavailable", 500, "[-]backend-proxy-http failed: haproxy answers with status 503\n"},
		{"which hangs up", false, "", 500, "[-]backend-http failed: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := listen(t)
			done := make(chan error, 1)
			go func() { done <- answerOnce(l, test.proxy, test.reply) }()
			w := request(t, newServer(t, stats.Options{ProbeURL: "http://" + l.Addr().String() + "/x", ProbeProxyProtocol: test.proxy}),
				http.MethodGet, "/healthz/ready?verbose", "no password")
			if err := <-done; err != nil {
				t.Error(err)
			}
			if w.Code != test.code || !strings.HasPrefix(w.Body.String(), test.body) {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, test.code, test.body)
			}
		})
	}
}

// answerOnce reads a request from one connection, with a line of the PROXY
// protocol before it if so, and replies.
func answerOnce(l net.Listener, proxy bool, reply string) error {
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	if proxy {
		if line, err := r.ReadString('\n'); line != "PROXY UNKNOWN\r\n" {
			return fmt.Errorf("got %q, %w", line, err)
		}
	}
	if _, err := http.ReadRequest(r); err != nil {
		return err
	}
	if reply != "" {
		_, err = io.WriteString(conn, "HTTP/1.1 "+reply+"\r\nContent-Length: 0\r\n\r\n")
	}
	return err
}

func TestThePasswordProtectsEverythingButProbes(t *testing.T) {
	h := newServer(t, stats.Options{User: user, Password: model.NewSecret(password), HAProxySocket: "/nowhere"})
	for _, path := range []string{"/", "/;csv", "/metrics", "/api/routes", "/debug/pprof/", "/elsewhere"} {
		for _, wrong := range [][]string{{"none"}, {user, ""}, {user, "Secret"}, {"", password}, {"root", password}, {user, password + " "}} {
			w := request(t, h, http.MethodGet, path, wrong...)
			if w.Code != 401 || w.Header().Get("WWW-Authenticate") != `Basic realm="HAProxy Statistics"` {
				t.Errorf("%s as %q: %d, %v", path, wrong, w.Code, w.Header())
			}
		}
		if w := request(t, h, http.MethodGet, path); w.Code == 401 {
			t.Errorf("%s with the password: %d", path, w.Code)
		}
	}
}

func TestWithoutAPasswordNothingIsProtectedAndProfilesAreNotServed(t *testing.T) {
	h := newServer(t, stats.Options{User: user, HAProxySocket: "/nowhere"})
	for path, want := range map[string]int{"/": 503, "/;csv": 503, "/metrics": 200, "/api/routes": 200, "/debug/pprof/": 404, "/elsewhere": 404} {
		if w := request(t, h, http.MethodGet, path, "none"); w.Code != want {
			t.Errorf("%s: got %d, want %d", path, w.Code, want)
		}
	}
}

func TestNothingCanBeChangedHere(t *testing.T) {
	h := newServer(t, stats.Options{User: user, Password: model.NewSecret(password), HAProxySocket: "/nowhere"})
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodConnect} {
		for _, path := range []string{"/", "/;csv", "/metrics", "/api/routes", "/healthz", "/healthz/ready"} {
			if w := request(t, h, method, path); w.Code != 405 {
				t.Errorf("%s %s: %d", method, path, w.Code)
			}
		}
	}
}

func TestRoutesAreListed(t *testing.T) {
	for _, test := range []struct {
		name   string
		routes func(context.Context) ([]model.RouteReport, error)
		code   int
		body   string
	}{
		{"nobody knows any", nil, 200, "[]"},
		{"there are none", func(context.Context) ([]model.RouteReport, error) { return nil, nil }, 200, "[]"},
		{"one without servers", func(context.Context) ([]model.RouteReport, error) {
			return []model.RouteReport{{Namespace: "ns", Name: "r", Match: model.Match{Host: "r.test"}, Reason: "HostAlreadyClaimed"}}, nil
		}, 200, `[{"namespace":"ns","name":"r","host":"r.test","path":"","termination":"","admitted":false,"reason":"HostAlreadyClaimed","message":"","backend":"","servers":[]}]`},
		{"one with a server", func(context.Context) ([]model.RouteReport, error) {
			return []model.RouteReport{{Namespace: "ns", Name: "r", Admitted: true, Backend: "be_http:ns:r",
				Servers: []model.ServerReport{{Name: "pod:p", Address: "10.0.0.1:80", Weight: 1, State: "up"}}}}, nil
		}, 200, `[{"namespace":"ns","name":"r","host":"","path":"","termination":"","admitted":true,"reason":"","message":"","backend":"be_http:ns:r","servers":[{"name":"pod:p","address":"10.0.0.1:80","weight":1,"state":"up"}]}]`},
		{"the controller does not answer", func(context.Context) ([]model.RouteReport, error) { return nil, errors.New("it stopped") }, 503, "it stopped"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := request(t, newServer(t, stats.Options{Routes: test.routes}), http.MethodGet, "/api/routes")
			if w.Code != test.code {
				t.Errorf("status %d", w.Code)
			}
			body := strings.TrimSpace(w.Body.String())
			if test.code == 200 {
				if w.Header().Get("Content-Type") != "application/json" {
					t.Errorf("headers %v", w.Header())
				}
				var list []model.RouteReport
				if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
					t.Fatal(err)
				}
				packed, err := json.Marshal(list)
				if err != nil {
					t.Fatal(err)
				}
				body = string(packed)
			}
			if body != test.body {
				t.Errorf("got %s, want %s", body, test.body)
			}
		})
	}
}

func TestMetricsOfTheRouterAreShownWhateverBecomesOfHAProxy(t *testing.T) {
	registry := prometheus.NewRegistry()
	own := prometheus.NewGauge(prometheus.GaugeOpts{Name: "router_test", Help: "A test."})
	registry.MustRegister(own)
	w := request(t, newServer(t, stats.Options{
		Gatherer: registry, Collector: exporter.New(exporter.Options{Runtime: answers("", errors.New("gone"))}),
	}), http.MethodGet, "/metrics")
	for _, want := range []string{"\nrouter_test 0\n", "\nhaproxy_up 0\n", "\nhaproxy_exporter_total_scrapes 1\n"} {
		if w.Code != 200 || !strings.Contains("\n"+w.Body.String(), want) {
			t.Errorf("%d without %q:\n%s", w.Code, want, w.Body)
		}
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// serve runs a server until the function that it returns is called, which
// gives the error of Serve.
func serve(t *testing.T, l net.Listener, o stats.Options) (stop func() error) {
	t.Helper()
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- stats.New(o).Serve(ctx, l) }()
	return func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(20 * time.Second):
			return errors.New("the server does not end")
		}
	}
}

func TestRequestsInFlightAreAnsweredAtTheEnd(t *testing.T) {
	for _, test := range []struct {
		name string
		tls  *tls.Config
	}{{"plain HTTP only", nil}, {"beside TLS", tlsConfig(t)}} {
		t.Run(test.name, func(t *testing.T) {
			l := listen(t)
			begun, finish := make(chan struct{}), make(chan struct{})
			stop := serve(t, l, stats.Options{TLS: test.tls, Routes: func(context.Context) ([]model.RouteReport, error) {
				close(begun)
				<-finish
				return nil, nil
			}})
			got := make(chan error, 1)
			go func() {
				response, err := http.Get("http://" + l.Addr().String() + "/api/routes")
				if err == nil && response.StatusCode != 200 {
					err = errors.New(response.Status)
				}
				if err == nil {
					err = response.Body.Close()
				}
				got <- err
			}()
			<-begun
			stopped := make(chan error, 1)
			go func() { stopped <- stop() }()
			// The listener is closed first; a connection tells when it is.
			for {
				conn, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					break
				}
				_ = conn.Close()
			}
			close(finish)
			if err := <-got; err != nil {
				t.Error(err)
			}
			if err := <-stopped; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAListenerThatFailsIsAnError(t *testing.T) {
	for _, test := range []struct {
		name string
		tls  *tls.Config
	}{{"plain HTTP only", nil}, {"beside TLS", tlsConfig(t)}} {
		t.Run(test.name, func(t *testing.T) {
			l := listen(t)
			_ = l.Close()
			if err := stats.New(stats.Options{TLS: test.tls}).Serve(t.Context(), l); !errors.Is(err, net.ErrClosed) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func tlsConfig(t *testing.T) *tls.Config {
	t.Helper()
	authority, err := certs.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.IssueFor([]net.IP{net.IPv4(127, 0, 0, 1)}, "stats.test")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: authority.Pool(), MinVersion: tls.VersionTLS12}
}

func TestOnePortServesBothPlainHTTPAndTLS(t *testing.T) {
	l, config := listen(t), tlsConfig(t)
	stop := serve(t, l, stats.Options{TLS: config})
	// One that says nothing holds nobody up, neither now nor at the end.
	silent, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, test := range []struct {
		scheme string
		http2  bool
		want   string
	}{{"http", false, "HTTP/1.1"}, {"https", false, "HTTP/1.1"}, {"https", true, "HTTP/2.0"}} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: config.RootCAs}, ForceAttemptHTTP2: test.http2}
		response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get(test.scheme + "://" + l.Addr().String() + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || string(body) != "ok" || response.Proto != test.want || (response.TLS != nil) != (test.scheme == "https") {
			t.Errorf("%s: %s %s %q %v", test.scheme, response.Proto, response.Status, body, err)
		}
		_ = response.Body.Close()
		transport.CloseIdleConnections()
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("the silent connection is still open")
	}
}

func TestCipherSuitesThatHTTP2CannotUse(t *testing.T) {
	l, config := listen(t), tlsConfig(t)
	config.CipherSuites, config.MaxVersion = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}, tls.VersionTLS12
	stop := serve(t, l, stats.Options{TLS: config})
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: config.RootCAs}, ForceAttemptHTTP2: true}
	response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get("https://" + l.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	transport.CloseIdleConnections()
	if response.Proto != "HTTP/1.1" || response.TLS.CipherSuite != config.CipherSuites[0] {
		t.Errorf("%s, %x", response.Proto, response.TLS.CipherSuite)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestMetricsCanBeTakenAway(t *testing.T) {
	h := newServer(t, stats.Options{Gatherer: prometheus.NewRegistry(), Runtime: answers("", errors.New("gone")), NoMetrics: true})
	for path, want := range map[string]int{"/metrics": 404, "/healthz/ready": 200, "/api/routes": 200} {
		if w := request(t, h, http.MethodGet, path); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}
