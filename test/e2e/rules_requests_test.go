package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	routev1 "github.com/openshift/api/route/v1"
)

func timeoutObjects(p *plane) {
	for name, at := range terminations() {
		p.route("timeout-"+name, p.terminated(at), annotated(haproxyAnnotation+"timeout", "300ms"))
		p.route("tunnel-"+name, p.terminated(at), annotated(haproxyAnnotation+"timeout", "60s"), annotated(haproxyAnnotation+"timeout-tunnel", "300ms"))
		p.route("no-timeout-"+name, p.terminated(at), annotated(haproxyAnnotation+"timeout", "0.3s"))
	}
}

func testTimeouts(t *testing.T, p *plane) {
	var wait sync.WaitGroup
	for name := range terminations() {
		url := func(kind string) string { return scheme(name) + kind + "-" + name + ".test/" }
		// A passthrough connection that is silent is closed; elsewhere the
		// router says what has happened.
		want := http.StatusGatewayTimeout
		if name == "passthrough" {
			want = refused
		}
		wait.Go(func() { p.wantStatus(t, somebody, url("timeout")+"slow?ms=5000", want) })
		wait.Go(func() { p.wantStatus(t, somebody, url("no-timeout")+"slow?ms=400", http.StatusOK) })
		wait.Go(func() { idle(t, p, url("tunnel")) })
	}
	wait.Wait()
}

// idle has a tunnel with a time-out of 300 ms in which nothing happens. Where the
// whole connection is a tunnel, the time-out is for the handshake as well, which
// takes longer on a machine that has much else to do.
func idle(t *testing.T, p *plane, url string) {
	var c *websocket.Conn
	var err error
	for range 5 {
		if c, _, err = websocket.Dial(t.Context(), url+"ws", &websocket.DialOptions{HTTPClient: p.http1(t, somebody)}); err == nil {
			break
		}
	}
	if err != nil {
		t.Errorf("%s: %v", url, err)
		return
	}
	begin := time.Now()
	if _, _, err := c.Read(t.Context()); err == nil || time.Since(begin) > 5*time.Second {
		t.Errorf("%s: an idle tunnel is open after %v, %v", url, time.Since(begin), err)
	}
	_ = c.CloseNow()
}

func pathObjects(p *plane) {
	for name, path := range map[string]string{
		"root": "/", "a": "/a", "a-slash": "/a/", "deep": "/a/b/c", "dots": "/v1.0", "regex": "/x(y|z)*[q]+$", "encoded": "/100%25",
	} {
		p.add(rawPod(p.t, "path-"+name).manifest(""))
		p.route("path-"+name, onHost("paths.test"), atPath(path), to("path-"+name))
		p.route("path-edge-"+name, onHost("paths-edge.test"), atPath(path), to("path-"+name), p.terminated(routev1.TLSTerminationEdge))
	}
	// The whole host, once as "" and once as "/": the older one has it.
	p.route("path-empty", onHost("empty.test"), to("path-root"))
	p.route("path-only", onHost("only.test"), atPath("/only"), to("path-a"))
	p.route("path-passthrough", p.terminated(routev1.TLSTerminationPassthrough), atPath("/a"))
}

func testPaths(t *testing.T, p *plane) {
	for path, want := range map[string]string{
		"/": "root", "/b": "root", "/a": "a", "/a?x=/a/b/c": "a", "/a/": "a-slash", "/a/x": "a-slash", "/ab": "root", "/a/b/c": "deep", "/a/b/c/": "deep",
		"/a/b/cd": "a-slash", "/A": "root", "/v1.0/x": "dots", "/v1x0": "root", "/xy": "root", "/x(y|z)*[q]+$": "regex", "/x(y|z)*[q]+$/a": "regex",
		"/100%25/a": "encoded", "/100%": "root", "/%61": "root", "//a": "root", "/a%2fb": "root", "/;a": "root",
	} {
		for _, server := range []string{"", "paths-edge.test"} {
			host := "paths.test"
			if server != "" {
				host = server
			}
			a, err := p.raw(server, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
			if err != nil || a.Header.Get("X-Pod") != "path-"+want {
				t.Errorf("%s%s is served by %v, %v; want %s", host, path, a.Response, err, want)
			}
		}
	}
	p.wantStatus(t, somebody, "http://empty.test/", http.StatusOK)
	p.wantStatus(t, somebody, "http://only.test/only/x", http.StatusOK)
	p.wantStatus(t, somebody, "http://only.test/onlyx", http.StatusServiceUnavailable)
	p.wantStatus(t, somebody, "https://path-passthrough.test/", http.StatusServiceUnavailable)
	routes, err := p.routes()
	if r := routes["path-passthrough"]; err != nil || r.Admitted || !strings.Contains(r.Message, "passthrough termination does not support paths") {
		t.Errorf("a passthrough route with a path: %+v, %v", r, err)
	}
	// A host cannot bring the path along that it is looked up with.
	for _, request := range []string{
		"GET /secret HTTP/1.1\r\nHost: only.test/only\r\n\r\n",
		"GET /secret HTTP/1.1\r\nHost: only.test/only?\r\n\r\n",
		"GET http://only.test/secret HTTP/1.1\r\nHost: only.test/only\r\n\r\n",
		"GET /secret HTTP/1.1\r\nHost: only.test\r\nHost: only.test/only\r\n\r\n",
		"GET /secret HTTP/1.1\r\nHost: only.test:80/only\r\n\r\n",
	} {
		if a, err := p.raw("", request); err != nil || a.StatusCode != http.StatusBadRequest || a.Header.Get("X-Pod") != "" {
			t.Errorf("%q gets %v, %v", request, a.Response, err)
		}
	}
	// Requests without a path are about the whole host.
	for _, request := range []string{"OPTIONS * HTTP/1.1\r\nHost: paths.test\r\n\r\n", "GET http://paths.test HTTP/1.1\r\nHost: paths.test\r\n\r\n"} {
		if a, err := p.raw("", request); err != nil || a.Header.Get("X-Pod") != "path-root" {
			t.Errorf("%q gets %v, %v", request, a.Response, err)
		}
	}
}

// rewrites are paths of routes, targets, and for requests what the pod gets.
var rewrites = []struct {
	path, target string
	want         map[string]string
}{
	{"/a", "/", map[string]string{"/a": "/", "/a/": "/", "/a/b": "/b", "/a/b?c=/a": "/b?c=/a"}},
	{"/a", "/x", map[string]string{"/a": "/x", "/a/": "/x/", "/a/b": "/x/b"}},
	{"/a/", "/x/", map[string]string{"/a/": "/x/", "/a/b": "/x/b"}},
	{"", "/x", map[string]string{"/": "/x/", "/b": "/x/b"}},
	{"/a.b", "/x", map[string]string{"/a.b/c": "/x/c"}},
	{"/(a|b)+$", "/x", map[string]string{"/(a|b)+$/c": "/x/c"}},
	{"/'a'", "/x'y", map[string]string{"/'a'/c": "/xy/c"}},
	{"/a", `/x\'y`, map[string]string{"/a/c": "/x'y/c"}},
	{"/a", `/x\\1`, map[string]string{"/a/c": `/x\1/c`}},
	{"/a", "/100%", map[string]string{"/a/c": "/100%/c"}},
	{"/a", "/%20x", map[string]string{"/a/c": "/%20x/c"}},
	{"/a", "/%[src]", map[string]string{"/a/c": "/%[src]/c"}},
	{"/a", "/x # the rest goes", map[string]string{"/a/c": "/x"}},
	{"/a", "/x y", map[string]string{"/a/c": "/x%20y/c"}},
	{"/a", "/$1&", map[string]string{"/a/c": "/$1&/c"}},
}

func rewriteObjects(p *plane) {
	for i, r := range rewrites {
		p.route(fmt.Sprintf("rewrite-%d", i), to("path-root"), atPath(r.path), annotated(haproxyAnnotation+"rewrite-target", r.target))
	}
	for name, at := range terminations() {
		if name != "passthrough" {
			p.route("rewrite-"+name, p.terminated(at), atPath("/a"), annotated(haproxyAnnotation+"rewrite-target", "/x"))
			p.route("rewrite-bad-"+name, p.terminated(at), atPath("/a"), annotated(haproxyAnnotation+"rewrite-target", "x"))
		}
	}
}

func testRewriting(t *testing.T, p *plane) {
	for i, r := range rewrites {
		for path, want := range r.want {
			a, err := p.raw("", fmt.Sprintf("GET %s HTTP/1.1\r\nHost: rewrite-%d.test\r\nConnection: close\r\n\r\n", path, i))
			if got, _, _ := strings.Cut(a.body, "\n"); err != nil || got != "GET "+want+" HTTP/1.1" {
				t.Errorf("%s to %s: for %s the pod gets %q, %v; want %q", r.path, r.target, path, got, err, want)
			}
		}
	}
	for name := range terminations() {
		for route, want := range map[string]string{"rewrite-": "/x/b", "rewrite-bad-": "/a/b"} {
			if name == "passthrough" {
				continue
			}
			if a, err := p.once(somebody, scheme(name)+route+name+".test/a/b"); err != nil || a.echo.Path != want {
				t.Errorf("%s%s: the pod is asked for %s, %v", route, name, a.echo.Path, err)
			}
		}
	}
}

func insecureObjects(p *plane) {
	for name, at := range terminations() {
		for _, policy := range []routev1.InsecureEdgeTerminationPolicyType{"", "None", "Allow", "Redirect"} {
			if at != "" {
				p.route(strings.ToLower("insecure-"+string(policy)+"-"+name), p.terminated(at), insecure(policy))
			}
		}
	}
	edge := p.terminated(routev1.TLSTerminationEdge)
	p.route("insecure-path", onHost("insecure-path.test"), edge, atPath("/r"), insecure(routev1.InsecureEdgeTerminationPolicyRedirect))
	p.route("insecure-path-none", onHost("insecure-path.test"), edge, atPath("/r/none"))
	p.route("insecure-path-allow", onHost("insecure-path.test"), edge, atPath("/r/allow"), insecure(routev1.InsecureEdgeTerminationPolicyAllow))
}

func testInsecure(t *testing.T, p *plane) {
	for _, name := range []string{"edge", "reencrypt", "passthrough"} {
		// Passthrough routes cannot allow what they cannot read.
		plain := map[string]int{"": 503, "none": 503, "allow": 200, "redirect": 302}
		secure := map[string]int{"": 200, "none": 200, "allow": 200, "redirect": 200}
		if name == "passthrough" {
			plain["allow"], secure["allow"] = 503, 503
		}
		for policy := range plain {
			host := "insecure-" + policy + "-" + name + ".test"
			p.wantStatus(t, somebody, "http://"+host+"/", plain[policy])
			p.wantStatus(t, somebody, "https://"+host+"/", secure[policy])
		}
		for request, want := range map[string]string{"/": "/", "/a/b?c=d&e=%20": "/a/b?c=d&e=%20", ":8080/a": "/a"} {
			host := "insecure-redirect-" + name + ".test"
			if a, err := p.once(somebody, "http://"+host+request); err != nil || a.Header.Get("Location") != "https://"+host+want {
				t.Errorf("%s%s: redirected to %q, %v", host, request, a.Header.Get("Location"), err)
			}
		}
	}
	for path, want := range map[string]int{"/r": 302, "/r/x": 302, "/r/none": 503, "/r/none/x": 503, "/r/allow": 200, "/rx": 503} {
		p.wantStatus(t, somebody, "http://insecure-path.test"+path, want)
	}
}

func wildcardObjects(p *plane) {
	wild := func(r *routev1.Route) { r.Spec.WildcardPolicy = routev1.WildcardPolicySubdomain }
	exact := app{name: "exact", addr: runApp(p.t, "exact", 1, serverTLS(p.t, p.ca, "exact.test")).addr}
	bare := app{name: "bare", addr: runApp(p.t, "exact", 1, nil).addr}
	p.add(exact.manifest(""), bare.manifest(""))
	p.route("wild-redirect", wild, onHost("any.wild-redirect.test"), p.terminated(routev1.TLSTerminationEdge), insecure(routev1.InsecureEdgeTerminationPolicyRedirect))
	for outer, at := range terminations() {
		p.route("wild-"+outer, wild, onHost("any.wild-"+outer+".test"), p.terminated(at))
		for inner, at := range terminations() {
			service := bare.name
			if inner == "reencrypt" || inner == "passthrough" {
				service = exact.name
			}
			p.route("exact-"+outer+"-"+inner, onHost("exact-"+inner+".wild-"+outer+".test"), p.terminated(at), to(service))
		}
	}
}

func testWildcards(t *testing.T, p *plane) {
	for outer := range terminations() {
		domain := ".wild-" + outer + ".test/"
		for host, want := range map[string]int{"x": 200, "any": 200, "X-1": 200} {
			p.wantStatus(t, somebody, scheme(outer)+host+domain, want)
		}
		for _, host := range []string{"a.b" + domain, domain[1:]} {
			p.wantStatus(t, somebody, scheme(outer)+host, http.StatusServiceUnavailable)
		}
		for inner := range terminations() {
			url := scheme(inner) + "exact-" + inner + domain
			if a, err := p.once(somebody, url); err != nil || a.echo.Pod != "exact-1" {
				t.Errorf("%s is served by %q, %v", url, a.echo.Pod, err)
			}
		}
	}
	if a, err := p.once(somebody, "http://x.wild-redirect.test/a?b"); err != nil || a.Header.Get("Location") != "https://x.wild-redirect.test/a?b" {
		t.Errorf("redirect: %v, %v", a.Response, err)
	}
	// Who looks like one label is not one.
	p.wantStatus(t, somebody, "http://a_b.wild-http.test/", http.StatusOK)
	for _, host := range []string{"a/b.wild-http.test", `x";for="1.wild-http.test`, "x;proto=a.wild-http.test", "x,for=a.wild-http.test", "x y.wild-http.test", "<b>.wild-http.test"} {
		if a, err := p.raw("", "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n"); err != nil || a.StatusCode != http.StatusBadRequest || a.Header.Get("X-Pod") != "" {
			t.Errorf("the host %q gets %v, %v", host, a.Response, err)
		}
	}
}

func caseObjects(p *plane) {
	for name, at := range terminations() {
		if name == "http" || name == "edge" {
			p.route("case-"+name, p.terminated(at), to("raw"), annotated(haproxyAnnotation+"h1-adjust-case", "true"))
			p.route("no-case-"+name, p.terminated(at), to("raw"))
		}
	}
	p.add(rawPod(p.t, "raw").manifest(""))
}

func testCase(t *testing.T, p *plane) {
	for _, name := range []string{"http", "edge"} {
		for route, want := range map[string]string{"case-": "X-CASE-Test: a", "no-case-": "x-case-test: a"} {
			a, err := p.once(somebody, scheme(name)+route+name+".test/", "x-case-test", "a")
			if err != nil || !strings.Contains(a.body, want) {
				t.Errorf("%s%s: the pod gets %q, %v", route, name, a.body, err)
			}
		}
	}
	// Clients of HTTP/1 always get the configured case.
	c, err := p.dial(t.Context(), somebody, 80)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if got := exchange(t, c, "GET / HTTP/1.1\r\nHost: no-case-http.test\r\nConnection: close\r\n\r\n"); !strings.Contains(got, "X-CASE-Test: pod") {
		t.Errorf("the client gets %q", got)
	}
}

func coalescingObjects(p *plane) {
	edge := p.terminated(routev1.TLSTerminationEdge)
	pair, err := p.ca.Issue("*.coalesce.test")
	if err != nil {
		p.t.Fatal(err)
	}
	other, err := p.ca.Issue("*.coalesce.test")
	if err != nil {
		p.t.Fatal(err)
	}
	with := func(cert, key string) func(*routev1.Route) {
		return func(r *routev1.Route) { r.Spec.TLS.Certificate, r.Spec.TLS.Key = cert, key }
	}
	p.route("co-1", onHost("one.coalesce.test"), edge, with(pair.Cert, pair.Key))
	p.route("co-2", onHost("two.coalesce.test"), edge, with(pair.Cert, pair.Key))
	p.route("co-3", onHost("three.coalesce.test"), edge, with(other.Cert, other.Key))
	p.route("co-4", onHost("four.coalesce.test"), p.terminated(routev1.TLSTerminationPassthrough))
	p.route("co-5", onHost("five.coalesce.test"), edge)
	p.route("co-6", onHost("six.coalesce.test"))
}

// testCoalescing asks for other hosts on one connection of HTTP/2: only those
// that its certificate serves are answered.
func testCoalescing(t *testing.T, p *plane) {
	c := p.as(t, somebody)
	for host, want := range map[string]int{"one": 200, "two": 200, "three": 421, "four": 421, "five": 421, "six": 421, "none": 421} {
		a, err := with(c, "https://one.coalesce.test/", "Host", host+".coalesce.test")
		if err != nil || a.ProtoMajor != 2 || a.StatusCode != want {
			t.Errorf("%s on the connection of one: %v, %v; want %d", host, a.Response, err, want)
		}
	}
	// A client of HTTP/1 that names another host means it.
	if a, err := p.raw("one.coalesce.test", "GET / HTTP/1.1\r\nHost: three.coalesce.test\r\nConnection: close\r\n\r\n"); err != nil || a.StatusCode != http.StatusOK {
		t.Errorf("HTTP/1: %v, %v", a.Response, err)
	}
}
