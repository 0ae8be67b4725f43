package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"router/test/certs"
	"router/test/haproxies"
	"router/test/pods"
	"router/test/routertest"
)

// app is a Service with its endpoints at real pods of this machine.
type app struct {
	name string
	addr []net.Addr
}

// run starts pods "<name>-1", "<name>-2", ... and returns the app.
func runApp(t *testing.T, name string, n int, config *tls.Config) app {
	t.Helper()
	a := app{name: name}
	for i := range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := pods.Serve(l, fmt.Sprintf("%s-%d", name, i+1), config)
		t.Cleanup(s.Close)
		a.addr = append(a.addr, s.Addr())
	}
	return a
}

// manifest is the Service and slices of the app; appProtocol may be "".
func (a app) manifest(appProtocol string) string {
	text := "apiVersion: v1\nkind: Service\nmetadata: {name: " + a.name + "}\n"
	for i, addr := range a.addr {
		text += fmt.Sprintf("---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: %[1]s-%[2]d, labels: {kubernetes.io/service-name: %[1]s}}\n"+
			"addressType: IPv4\nports: [{name: main, port: %[3]s%[4]s}]\nendpoints: [{addresses: [127.0.0.1], targetRef: {kind: Pod, name: %[1]s-%[2]d}}]\n",
			a.name, i+1, routertest.Port(addr.String()), appProtocol)
	}
	return text
}

// at is a service with one endpoint at an address "IP:port".
func at(name, address string) string {
	host, port, _ := net.SplitHostPort(address)
	family := "IPv4"
	if net.ParseIP(host).To4() == nil || len(host) > len("255.255.255.255") {
		family = "IPv6"
	}
	return fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: %[1]s}\n---\n"+
		"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: %[1]s-1, labels: {kubernetes.io/service-name: %[1]s}}\n"+
		"addressType: %[2]s\nports: [{name: main, port: %[3]s}]\nendpoints: [{addresses: [%[4]q]}]\n", name, family, port, host)
}

// route is a Route's manifest; rest is more lines of its spec.
func route(name, host, service, rest string) string {
	return fmt.Sprintf("apiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {name: %s}\nspec:\n  host: %s\n  to: {name: %s}\n%s", name, host, service, rest)
}

type directory struct {
	t   *testing.T
	dir string
}

func newDirectory(t *testing.T) directory { return directory{t, t.TempDir()} }

// write replaces a file as editors do, in one step.
func (d directory) write(name string, docs ...string) {
	d.t.Helper()
	hidden := filepath.Join(d.dir, "."+name)
	if err := os.WriteFile(hidden, []byte(strings.Join(docs, "\n---\n")), 0o600); err != nil { //nolint:gosec // names are the tests' own
		d.t.Fatal(err)
	}
	if err := os.Rename(hidden, filepath.Join(d.dir, name)); err != nil {
		d.t.Fatal(err)
	}
}

func (d directory) remove(name string) {
	d.t.Helper()
	if err := os.Remove(filepath.Join(d.dir, name)); err != nil {
		d.t.Fatal(err)
	}
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}

func authority(t *testing.T) *certs.Authority {
	t.Helper()
	a, err := certs.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func serverTLS(t *testing.T, a *certs.Authority, names ...string) *tls.Config {
	t.Helper()
	pair, err := a.Issue(names...)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
}

func TestManifests(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		ca := authority(t)
		other := authority(t)
		plain, secure := runApp(t, "plain", 2, nil), runApp(t, "secure", 1, serverTLS(t, ca, "pass.test", "re.test"))
		second := runApp(t, "second", 1, nil)
		pair, err := ca.Issue("own.test")
		if err != nil {
			t.Fatal(err)
		}
		d := newDirectory(t)
		d.write("apps.yaml", plain.manifest(""), secure.manifest(""), second.manifest(", appProtocol: h2c"))
		d.write("routes.yaml",
			route("http", "http.test", "plain", ""),
			route("edge", "edge.test", "plain", "  tls: {termination: edge}\n"),
			route("allow", "allow.test", "plain", "  tls: {termination: edge, insecureEdgeTerminationPolicy: Allow}\n"),
			route("redirect", "redirect.test", "plain", "  tls: {termination: edge, insecureEdgeTerminationPolicy: Redirect}\n"),
			route("pass", "pass.test", "secure", "  tls: {termination: passthrough, insecureEdgeTerminationPolicy: Redirect}\n"),
			route("re", "re.test", "secure", "  tls:\n   termination: reencrypt\n   destinationCACertificate: |\n"+indent(ca.PEM)+"\n"),
			route("wrongca", "wrongca.test", "secure", "  tls:\n   termination: reencrypt\n   destinationCACertificate: |\n"+indent(other.PEM)+"\n"),
			route("own", "own.test", "plain", "  tls:\n   termination: edge\n   certificate: |\n"+indent(pair.Cert)+"\n   key: |\n"+indent(pair.Key)+"\n"),
			route("wild", "x.wild.test", "plain", "  wildcardPolicy: Subdomain\n"),
			route("deep", "http.test", "second", "  path: /deep\n"),
			route("h2c", "h2c.test", "second", ""),
		)
		r := start(t, haproxy, "--manifests", d.dir, "--allow-wildcard-routes")

		for url, pod := range map[string]string{
			"http://http.test/": "plain", "https://edge.test/a?b=c": "plain", "http://allow.test/": "plain", "https://allow.test/": "plain",
			"https://redirect.test/": "plain", "https://pass.test/": "secure", "https://re.test/": "secure", "https://own.test/": "plain",
			"http://y.wild.test/": "plain", "http://HTTP.test/": "plain", "http://http.test:8080/": "plain", "http://http.test./": "plain",
			"http://http.test/deep": "second", "http://http.test/deep/er": "second", "http://http.test/deeper": "plain", "http://h2c.test/": "second",
		} {
			a, err := r.get(url)
			if err != nil || a.StatusCode != http.StatusOK || !strings.HasPrefix(a.echo.Pod, pod) {
				t.Errorf("%s: %v by %q, %v; want %s", url, a.Response, a.echo.Pod, err, pod)
			}
		}
		for url, want := range map[string]int{
			"http://edge.test/": 503, "http://nowhere.test/": 503, "https://http.test/": 503, "http://wild.test/": 503, "http://a.b.wild.test/": 503,
			"https://wrongca.test/": 503, "http://redirect.test/": 302, "http://pass.test/": 302,
		} {
			if err := r.status(url, want); err != nil {
				t.Error(err)
			}
		}
		if a, err := r.get("http://redirect.test/a/b?c=d&e"); err != nil || a.Header.Get("Location") != "https://redirect.test/a/b?c=d&e" {
			t.Errorf("redirect: %v, %v", a.Response, err)
		}
		t.Run("what the pod sees", func(t *testing.T) { forwarded(t, r) })
		t.Run("certificates", func(t *testing.T) { certificates(t, r, ca) })
		t.Run("affinity", func(t *testing.T) { affinity(t, r) })
		t.Run("WebSocket", func(t *testing.T) { webSocket(t, r) })
		t.Run("HTTP/2", func(t *testing.T) { http2(t, r) })
		t.Run("statistics", func(t *testing.T) { statistics(t, r) })
		t.Run("edits", func(t *testing.T) { edits(t, r, d) })
	})
}

func forwarded(t *testing.T, r *router) {
	a, err := r.get("https://edge.test/p")
	if err != nil {
		t.Fatal(err)
	}
	h := a.echo.Headers
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "edge.test", "X-Forwarded-Proto": "https", "X-Forwarded-Port": routertest.Port(r.HTTPS),
		"Forwarded": "for=127.0.0.1;host=edge.test;proto=https",
	} {
		if h.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, h.Get(name), want)
		}
	}
	req, err := http.NewRequest(http.MethodGet, "http://http.test:81/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header["X-SSL-Client-CN"] = []string{"forged"}
	req.Header["X_Ssl_Client_Verify"] = []string{"0"}
	req.Header["X_Forwarded_For"] = []string{"forged"}
	req.Header["Proxy"] = []string{"forged"}
	resp, err := r.client(false).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || strings.Contains(string(body), "forged") {
		t.Errorf("forged headers reach the pod: %s, %v", body, err)
	}
	a2, err := ask(r.client(false), "http://http.test:81/")
	if err != nil || a2.echo.Headers.Get("Forwarded") != `for=127.0.0.1;host="http.test:81";proto=http` {
		t.Errorf("Forwarded with a port is %q, %v", a2.echo.Headers.Get("Forwarded"), err)
	}
}

func certificates(t *testing.T, r *router, ca *certs.Authority) {
	for host, want := range map[string]string{"own.test": "own.test", "edge.test": "router", "pass.test": "pass.test"} {
		c, err := tls.Dial("tcp", r.HTTPS, &tls.Config{ServerName: host, InsecureSkipVerify: true}) //nolint:gosec // looked at below
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		if got := c.ConnectionState().PeerCertificates[0].Subject.CommonName; got != want {
			t.Errorf("%s is served with the certificate of %s", host, got)
		}
		_ = c.Close()
	}
	c, err := tls.Dial("tcp", r.HTTPS, &tls.Config{ServerName: "own.test", RootCAs: ca.Pool()})
	if err != nil {
		t.Fatalf("a client that trusts the authority: %v", err)
	}
	_ = c.Close()
}

func affinity(t *testing.T, r *router) {
	first, err := r.get("https://edge.test/")
	if err != nil || len(first.Cookies()) != 1 {
		t.Fatalf("cookies are %v, %v", first.Cookies(), err)
	}
	cookie := first.Cookies()[0]
	if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteNoneMode || strings.Contains(cookie.Value, "127.0.0.1") {
		t.Errorf("cookie is %v", cookie)
	}
	for range 10 {
		req, err := http.NewRequest(http.MethodGet, "https://edge.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.AddCookie(cookie)
		resp, err := r.client(false).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if pod := resp.Header.Get("X-Pod"); pod != first.echo.Pod {
			t.Errorf("the cookie of %s leads to %s", first.echo.Pod, pod)
		}
	}
}

func webSocket(t *testing.T, r *router) {
	for _, url := range []string{"http://http.test/ws", "https://edge.test/ws", "https://re.test/ws", "https://pass.test/ws"} {
		c, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPClient: r.client(false)})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if err := c.Write(t.Context(), websocket.MessageText, []byte("hi")); err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if _, message, err := c.Read(t.Context()); err != nil || !strings.HasSuffix(string(message), ": hi") {
			t.Errorf("%s: %q, %v", url, message, err)
		}
		_ = c.CloseNow()
	}
}

// http2 asks for two hosts on one connection: one that its certificate
// serves, and one that it does not.
func http2(t *testing.T, r *router) {
	c := r.client(true)
	if a, err := ask(c, "https://edge.test/"); err != nil || a.ProtoMajor != 2 {
		t.Fatalf("protocol is %v, %v", a.Response, err)
	}
	if a, err := ask(r.client(false), "https://h2c.test/"); err == nil && a.StatusCode != 503 {
		t.Errorf("a plain route over TLS: %d", a.StatusCode)
	}
	if a, err := ask(c, "http://h2c.test/"); err != nil || a.echo.Proto != "HTTP/2.0" {
		t.Errorf("the h2c pod is spoken to by %q, %v", a.echo.Proto, err)
	}
	for host, want := range map[string]int{"edge.test": 200, "allow.test": 200, "own.test": 421, "pass.test": 421, "nowhere.test": 421} {
		req, err := http.NewRequest(http.MethodGet, "https://edge.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.ProtoMajor != 2 || resp.StatusCode != want {
			t.Errorf("%s on the connection of edge.test: %d, want %d", host, resp.StatusCode, want)
		}
	}
}

func statistics(t *testing.T, r *router) {
	for path, want := range map[string]string{"/": "Statistics Report", "/;csv": "# pxname,svname", "/metrics": "router_reloads_total", "/api/routes": `"namespace"`} {
		if a, err := r.statistics(path); err != nil || a.StatusCode != http.StatusOK || !strings.Contains(a.body, want) {
			t.Errorf("%s: %v, %v", path, a.Response, err)
		}
		resp, err := http.Get("http://" + r.Stats + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a password: %d", path, resp.StatusCode)
		}
	}
	routes, err := r.routes()
	if err != nil {
		t.Fatal(err)
	}
	got := routes["http"]
	if got.Namespace != "default" || got.Host != "http.test" || !got.Admitted || got.Backend != "be_http:default:http" || len(got.Servers) != 2 ||
		got.Servers[0].State != "up" || got.Servers[0].Weight != 1 || !strings.HasPrefix(got.Servers[0].Address, "127.0.0.1:") {
		t.Errorf("route is %+v", got)
	}
}

func edits(t *testing.T, r *router, d directory) {
	d.write("new.yaml", route("new", "new.test", "plain", ""))
	eventually(t, "a new route is served", func() error { return r.status("http://new.test/", 200) })
	d.write("new.yaml", route("new", "renamed.test", "second", ""))
	eventually(t, "an edited route is served", func() error { return r.servedBy("http://renamed.test/", "second-1") })
	eventually(t, "its old host is not", func() error { return r.status("http://new.test/", 503) })
	d.write("new.yaml", route("new", "renamed.test", "second", "  tsl: {termination: edge}\n"))
	eventually(t, "a mistake is named with file and line", func() error {
		if !strings.Contains(r.Stderr.String(), `file=`+filepath.Join(d.dir, "new.yaml")+` line=7 kind=Route namespace=default name=new`) {
			return fmt.Errorf("the log does not say so")
		}
		return nil
	})
	if err := r.servedBy("http://renamed.test/", "second-1"); err != nil {
		t.Errorf("with a mistake in its file: %v", err)
	}
	d.remove("new.yaml")
	eventually(t, "a removed route is not served", func() error { return r.status("http://renamed.test/", 503) })

	// Endpoints change without a reload.
	before, err := r.metric("router_reloads_total")
	if err != nil {
		t.Fatal(err)
	}
	moved := runApp(t, "moved", 1, nil)
	moved.name = "second"
	d.write("moved.yaml", strings.ReplaceAll(moved.manifest(", appProtocol: h2c"), "name: second-1", "name: second-9"))
	eventually(t, "both pods serve", func() error {
		seen := map[string]bool{}
		for range 20 {
			a, err := r.get("http://h2c.test/")
			if err != nil {
				return err
			}
			seen[a.echo.Pod] = true
		}
		if len(seen) != 2 {
			return fmt.Errorf("pods are %v", seen)
		}
		return nil
	})
	d.remove("moved.yaml")
	eventually(t, "one pod serves", func() error {
		for range 20 {
			if err := r.servedBy("http://h2c.test/", "second-1"); err != nil {
				return err
			}
		}
		return nil
	})
	if after, err := r.metric("router_reloads_total"); err != nil || after != before {
		t.Errorf("endpoints took %v reloads, %v", after-before, err)
	}
	if drift, err := r.metric("router_drift_total"); err != nil || drift != 0 {
		t.Errorf("drift is %v, %v", drift, err)
	}
}

// It runs by itself: it waits for two seconds only.
func TestAKilledHAProxyIsBack(t *testing.T) {
	haproxies.Each(t, func(t *testing.T, haproxy string) {
		a := runApp(t, "a", 1, nil)
		d := newDirectory(t)
		d.write("a.yaml", a.manifest(""), route("a", "a.test", "a", ""))
		r := start(t, haproxy, "--manifests", d.dir)
		// The master is the router's child; the worker is the master's.
		for _, worker := range []bool{false, true} {
			pid := child(t, r.PID())
			if worker {
				pid = child(t, pid)
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the process is gone", func() error {
				if err := syscall.Kill(pid, 0); err == nil {
					return fmt.Errorf("%d still runs", pid)
				}
				return nil
			})
			within(t, 2*time.Second, "the route is served again", func() error { return r.servedBy("http://a.test/", "a-1") })
		}
	})
}

// child is the first child of a process.
func child(t *testing.T, pid int) int {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		var c int
		if text, err := os.ReadFile(task); err == nil {
			if _, err := fmt.Sscan(string(text), &c); err == nil {
				return c
			}
		}
	}
	t.Fatalf("process %d has no child", pid)
	return 0
}
