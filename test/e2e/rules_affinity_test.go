package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	routev1 "github.com/openshift/api/route/v1"

	"router/test/haproxies"
)

// cookieCases are annotations, and the cookie that a client gets with each
// termination; "" where there is none. VALUE stands for the cookie's value.
var cookieCases = []struct {
	name        string
	annotations []string
	http, tls   string
}{
	{"name", []string{routerAnnotation + "cookie_name", "my_cookie-1"}, "my_cookie-1=VALUE; path=/; HttpOnly", "my_cookie-1=VALUE; path=/; HttpOnly; Secure; SameSite=None"},
	{"lax", []string{routerAnnotation + "cookie_name", "c", routerAnnotation + "cookie-same-site", "Lax"}, "c=VALUE; path=/; HttpOnly", "c=VALUE; path=/; HttpOnly; Secure; SameSite=Lax"},
	{"strict", []string{routerAnnotation + "cookie_name", "c", routerAnnotation + "cookie-same-site", "Strict"}, "c=VALUE; path=/; HttpOnly", "c=VALUE; path=/; HttpOnly; Secure; SameSite=Strict"},
	{"wrong-site", []string{routerAnnotation + "cookie_name", "c", routerAnnotation + "cookie-same-site", "strict"}, "c=VALUE; path=/; HttpOnly", "c=VALUE; path=/; HttpOnly; Secure; SameSite=None"},
	{"off", []string{haproxyAnnotation + "disable_cookies", "true"}, "", ""},
	{"not-off", []string{routerAnnotation + "cookie_name", "c", haproxyAnnotation + "disable_cookies", "TRUE!"}, "c=VALUE; path=/; HttpOnly", "c=VALUE; path=/; HttpOnly; Secure; SameSite=None"},
}

func cookieObjects(p *plane) {
	for name, at := range terminations() {
		for _, c := range cookieCases {
			p.route("cookie-"+c.name+"-"+name, append(annotations(c.annotations), p.terminated(at))...)
		}
	}
	// Where plain HTTP is allowed, the cookie must work there, too.
	allow := append(annotations(cookieCases[1].annotations), p.terminated(routev1.TLSTerminationEdge), insecure(routev1.InsecureEdgeTerminationPolicyAllow))
	p.route("cookie-allow", allow...)
	// Without a name: that of the reference router, a digest of " default:cookie-default".
	p.route("cookie-default")
	p.add(rawPod(p.t, "jar").manifest(""))
	p.route("cookie-jar", to("jar"), annotated(routerAnnotation+"cookie_name", "c"))
	p.route("cookie-jar-edge", to("jar"), annotated(routerAnnotation+"cookie_name", "c"), p.terminated(routev1.TLSTerminationEdge))
}

func annotations(pairs []string) []func(*routev1.Route) {
	var list []func(*routev1.Route)
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, annotated(pairs[i], pairs[i+1]))
	}
	return list
}

func testCookies(t *testing.T, p *plane) {
	want := func(route, scheme, want string) {
		a, err := p.once(somebody, scheme+route+".test/")
		got := a.Header.Get("Set-Cookie")
		if name, rest, found := strings.Cut(got, "="); found {
			_, attributes, _ := strings.Cut(rest, ";")
			got = name + "=VALUE;" + attributes
		}
		if err != nil || got != want {
			t.Errorf("%s: cookie %q, %v; want %q", route, got, err, want)
		}
	}
	for _, c := range cookieCases {
		want("cookie-"+c.name+"-http", "http://", c.http)
		want("cookie-"+c.name+"-edge", "https://", c.tls)
		want("cookie-"+c.name+"-reencrypt", "https://", c.tls)
		want("cookie-"+c.name+"-passthrough", "https://", "")
	}
	want("cookie-allow", "https://", "c=VALUE; path=/; HttpOnly")
	want("cookie-allow", "http://", "c=VALUE; path=/; HttpOnly")
	want("cookie-default", "http://", "35eacb98d1af3a9eaf411295cfd43d4a=VALUE; path=/; HttpOnly")
}

// testCookieHeader: the router takes its own cookie out of what pods get, and
// leaves the others as they are.
func testCookieHeader(t *testing.T, p *plane) {
	long := strings.Repeat("x", 6000)
	for _, host := range []string{"cookie-jar.test", "cookie-jar-edge.test"} {
		url := "http://" + host + "/"
		server := ""
		if host == "cookie-jar-edge.test" {
			url, server = "https://"+host+"/", host
		}
		first, err := p.once(somebody, url)
		if err != nil || len(first.Cookies()) != 1 {
			t.Fatalf("%v, %v", first.Response, err)
		}
		own := "c=" + first.Cookies()[0].Value
		for _, tt := range []struct {
			sent, got []string // Cookie lines
			known     bool
		}{
			{[]string{own}, nil, true},
			{[]string{"a=1; " + own + "; b=2"}, []string{"a=1; b=2"}, true},
			{[]string{"a=1;" + own}, []string{"a=1"}, true},
			{[]string{own + "; a=\"q\\1%[src]\"; b=1=2"}, []string{"a=\"q\\1%[src]\"; b=1=2"}, true},
			{[]string{"a=1", own}, []string{"a=1"}, true},
			{[]string{own, "a=1"}, []string{"a=1"}, true},
			{[]string{"a=1", own, "b=2"}, []string{"a=1; b=2"}, true},
			{[]string{"a=1", "b=2", "d=3", own}, []string{"a=1; b=2; d=3"}, true},
			{[]string{"a=1", "b=2", "d=3", "e=4", "f=5"}, []string{"a=1", "b=2", "d=3", "e=4", "f=5"}, false},
			{[]string{"a=" + long + "; " + own}, []string{"a=" + long}, true},
			{[]string{"a=1", "b=2"}, []string{"a=1; b=2"}, false},
			{[]string{"x" + own}, []string{"x" + own}, false},
			{[]string{"a=" + own}, []string{"a=" + own}, false},
			{[]string{"C" + own[1:]}, []string{"C" + own[1:]}, false},
			{[]string{"c=other; a=1"}, []string{"a=1"}, false},
			{[]string{"c=; a=1"}, []string{"a=1"}, false},
		} {
			text := "GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n"
			for _, line := range tt.sent {
				text += "Cookie: " + line + "\r\n"
			}
			a, err := p.raw(server, text+"\r\n")
			if err != nil {
				t.Errorf("%.80q: %v", tt.sent, err)
				continue
			}
			var got []string
			for line := range strings.Lines(a.body) {
				if value, found := strings.CutPrefix(line, "cookie: "); found {
					got = append(got, strings.TrimSpace(value))
				}
			}
			if !slices.Equal(got, tt.got) || (len(a.Cookies()) == 0) != tt.known {
				t.Errorf("%s: of %.80q the pod gets %.80q, want %.80q; sets %v", host, tt.sent, got, tt.got, a.Cookies())
			}
		}
	}
}

// TestAffinity asks two routers that know nothing of each other, on different
// versions of HAProxy, and one of them over reloads and changes of endpoints:
// a cookie means the same pod everywhere.
func TestAffinity(t *testing.T) {
	binaries := haproxies.All(t)
	first, second := newPlane(t), newPlane(t)
	pods := runApp(t, "affine", 20, nil)
	for _, p := range []*plane{first, second} {
		p.add(pods.manifest(""))
		for name, at := range terminations() {
			if name == "http" || name == "edge" {
				p.route("affine-"+name, p.terminated(at), to("affine"), annotated(routerAnnotation+"cookie_name", "c"))
			}
		}
	}
	first.start(binaries[0].Path)
	second.start(binaries[len(binaries)-1].Path)

	for _, name := range []string{"http", "edge"} {
		url := scheme(name) + "affine-" + name + ".test/"
		cookies := map[string]string{} // by pod
		for len(cookies) < len(pods.addr) {
			a, err := first.once(somebody, url)
			if err != nil || len(a.Cookies()) != 1 {
				t.Fatalf("%s: %v, %v", url, a.Response, err)
			}
			cookies[a.echo.Pod] = a.Cookies()[0].Value
		}
		keep := func(p *plane, when string, gone ...string) {
			t.Helper()
			for pod, cookie := range cookies {
				a, err := p.once(somebody, url, "Cookie", "c="+cookie)
				left := len(gone) == 0 || pod != gone[0]
				if err != nil || (a.echo.Pod == pod) != left || (len(a.Cookies()) == 0) != left {
					t.Errorf("%s %s: the cookie of %s leads to %s, sets %v, %v", url, when, pod, a.echo.Pod, a.Cookies(), err)
				}
			}
		}
		keep(first, "at once")
		keep(second, "on another router")

		// A reload, and then fewer and more pods, without one.
		first.objects.write("more.yaml", route("more-"+name, "more-"+name+".test", "plain", ""))
		eventually(t, "a new route", func() error { return first.served("http://more-" + name + ".test/") })
		keep(first, "after a reload")
		last := app{name: "affine", addr: pods.addr[:len(pods.addr)-1]}
		docs := append([]string{}, first.docs...)
		for i := range docs {
			if docs[i] == pods.manifest("") {
				docs[i] = last.manifest("")
			}
		}
		gone := fmt.Sprintf("affine-%d", len(pods.addr))
		first.objects.write("objects.yaml", docs...)
		eventually(t, "a pod is gone", func() error {
			a, err := first.once(somebody, url, "Cookie", "c="+cookies[gone])
			if err == nil && a.echo.Pod == gone {
				err = fmt.Errorf("it answers")
			}
			return err
		})
		keep(first, "with a pod less", gone)
		first.objects.write("objects.yaml", first.docs...)
		eventually(t, "the pod is back", func() error {
			a, err := first.once(somebody, url, "Cookie", "c="+cookies[gone])
			if err == nil && a.echo.Pod != gone {
				err = fmt.Errorf("%s answers", a.echo.Pod)
			}
			return err
		})
		keep(first, "with the pod again")

		// A service of weight 0 keeps its sessions and gets no new one.
		docs = append([]string{}, first.docs...)
		for i := range docs {
			docs[i] = strings.ReplaceAll(docs[i], "  to:\n    kind: Service\n    name: affine\n    weight: null\n",
				"  alternateBackends: [{kind: Service, name: plain, weight: 1}]\n  to: {kind: Service, name: affine, weight: 0}\n")
		}
		first.objects.write("objects.yaml", docs...)
		eventually(t, "new sessions go elsewhere", func() error {
			for range 5 {
				if a, err := first.once(somebody, url); err != nil || !strings.HasPrefix(a.echo.Pod, "plain-") {
					return fmt.Errorf("%s answers, %w", a.echo.Pod, err)
				}
			}
			return nil
		})
		keep(first, "with the weight 0")
		first.objects.write("objects.yaml", first.docs...)
		eventually(t, "new sessions come back", func() error {
			a, err := first.once(somebody, url)
			if err == nil && strings.HasPrefix(a.echo.Pod, "plain-") {
				err = fmt.Errorf("%s answers", a.echo.Pod)
			}
			return err
		})
	}
}

// served is an error unless the answer is 200.
func (p *plane) served(url string) error {
	a, err := p.once(somebody, url)
	if err == nil && a.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: status %d", url, a.StatusCode)
	}
	return err
}
