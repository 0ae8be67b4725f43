package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// allowlists are values, and for clients whether they may connect.
var allowlists = []struct {
	name, value string
	want        map[string]bool
}{
	{"commas", "192.0.2.1,192.0.2.2, 192.0.2.3", map[string]bool{"192.0.2.1": true, "192.0.2.2": true, "192.0.2.3": true, "192.0.2.4": false}},
	{"blanks", " \t192.0.2.1 \t 192.0.2.2  ", map[string]bool{"192.0.2.1": true, "192.0.2.2": true, "192.0.2.3": false}},
	{"cidr", "10.0.0.0/8", map[string]bool{"10.255.1.2": true, "11.0.0.1": false}},
	{"six", "2001:db8:1::/48 2001:db8:2::7", map[string]bool{"2001:db8:1:2::3": true, "2001:db8:2::7": true, "2001:db8:2::8": false, "192.0.2.1": false}},
	{"some", "192.0.2.1 nonsense", map[string]bool{"192.0.2.1": true, "192.0.2.2": false}},
	{"unusable", "nonsense", map[string]bool{"192.0.2.1": false, "2001:db8::1": false}},
	{"empty", "", map[string]bool{"192.0.2.1": true}},
	{"blank", " ", map[string]bool{"192.0.2.1": true}},
	{"comma", ",", map[string]bool{"192.0.2.1": false}},
	{"many", manyAddresses(200), map[string]bool{"10.9.0.0": true, "10.9.0.199": true, "10.9.0.200": false}},
}

// manyAddresses is more than one configuration line holds.
func manyAddresses(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("10.9.%d.%d", i/256, i%256))
	}
	return strings.Join(list, " ")
}

func allowlistObjects(p *plane) {
	for _, l := range allowlists {
		for name, at := range terminations() {
			p.route("allow-"+l.name+"-"+name, p.terminated(at), annotated(haproxyAnnotation+"ip_allowlist", l.value))
		}
	}
	p.route("allow-old", annotated(haproxyAnnotation+"ip_whitelist", "192.0.2.1"))
	p.route("allow-old-only", annotated(haproxyAnnotation+"ip_whitelist", "192.0.2.1"), annotated(haproxyAnnotation+"ip_allowlist", ""))
	p.route("allow-same", annotated(haproxyAnnotation+"ip_whitelist", "192.0.2.1"), annotated(haproxyAnnotation+"ip_allowlist", "192.0.2.1/32"))
	p.route("allow-both", annotated(haproxyAnnotation+"ip_whitelist", "192.0.2.1"), annotated(haproxyAnnotation+"ip_allowlist", "192.0.2.2"))
}

func testAllowlists(t *testing.T, p *plane) {
	problems := p.problems(t)
	for _, l := range allowlists {
		for name := range terminations() {
			for from, may := range l.want {
				want := refused
				if may {
					want = http.StatusOK
				}
				p.wantStatus(t, from, scheme(name)+"allow-"+l.name+"-"+name+".test/", want)
			}
		}
	}
	p.wantStatus(t, "192.0.2.1", "http://allow-old.test/", http.StatusOK)
	p.wantStatus(t, "192.0.2.2", "http://allow-old.test/", refused)
	p.wantStatus(t, "192.0.2.1", "http://allow-old-only.test/", http.StatusOK)
	p.wantStatus(t, "192.0.2.2", "http://allow-old-only.test/", refused)
	p.wantStatus(t, "192.0.2.1", "http://allow-both.test/", refused)
	p.wantStatus(t, "192.0.2.2", "http://allow-both.test/", http.StatusOK)
	for _, route := range []string{"allow-empty-http", "allow-blank-passthrough", "allow-old-only", "allow-same"} {
		if got := problems(route); got != "" {
			t.Errorf("%s: problems are %q, want none", route, got)
		}
	}
	for route, want := range map[string]string{"allow-both": "ip_whitelist]: has no effect beside", "allow-unusable-passthrough": "every client is refused", "allow-some-http": `["nonsense"] is not an address`} {
		if got := problems(route); !strings.Contains(got, want) {
			t.Errorf("%s: problems are %q, want %q", route, got, want)
		}
	}
}

const limits = haproxyAnnotation + "rate-limit-connections"

func rateLimitObjects(p *plane) {
	for name, at := range terminations() {
		limit := func(kind, switched, value string) {
			p.route("limit-"+kind+"-"+name, p.terminated(at), annotated(limits, switched), annotated(limits+"."+kind, value))
		}
		limit("concurrent-tcp", "true", "3")
		limit("rate-tcp", "true", "5")
		limit("rate-http", "true", "5")
		p.route("limit-unusable-"+name, p.terminated(at), annotated(limits, "true"), annotated(limits+".rate-tcp", "+5"))
		p.route("limit-unclear-"+name, p.terminated(at), annotated(limits, "maybe"))
		p.route("limit-empty-"+name, p.terminated(at), annotated(limits, ""))
		p.route("limit-without-"+name, p.terminated(at), annotated(limits, "true"), annotated(limits+".rate-tcp", ""))
		p.route("limit-off-"+name, p.terminated(at), annotated(limits, "false"), annotated(limits+".rate-tcp", "1"))
	}
}

func testRateLimits(t *testing.T, p *plane) {
	for name := range terminations() {
		t.Run(name, func(t *testing.T) {
			url := func(kind string) string { return scheme(name) + "limit-" + kind + "-" + name + ".test/" }
			p.wantStatus(t, somebody, url("unusable"), refused)
			p.wantStatus(t, somebody, url("unclear"), refused)
			for range 3 {
				for _, kind := range []string{"off", "empty", "without"} {
					p.wantStatus(t, somebody, url(kind), http.StatusOK)
				}
			}
			concurrent(t, p, url("concurrent-tcp"))
			// A limit of five lets four pass; another client has its own count.
			for i := range 5 {
				want := http.StatusOK
				if i == 4 {
					want = refused
				}
				p.wantStatus(t, "192.0.2.1", url("rate-tcp"), want)
			}
			p.wantStatus(t, "192.0.2.2", url("rate-tcp"), http.StatusOK)
			// All addresses of an IPv6 network of 64 bits are one client's.
			for i := range 4 {
				p.wantStatus(t, fmt.Sprintf("2001:db8::%d", i), url("rate-tcp"), http.StatusOK)
			}
			p.wantStatus(t, "2001:db8::4", url("rate-tcp"), refused)
			p.wantStatus(t, "2001:db8:0:1::", url("rate-tcp"), http.StatusOK)
			requests(t, p, url("rate-http"), name == "passthrough")
		})
	}
}

// concurrent has two connections in use; a limit of three refuses the third.
func concurrent(t *testing.T, p *plane, url string) {
	t.Helper()
	var open []*websocket.Conn
	for range 2 {
		c, _, err := websocket.Dial(t.Context(), url+"ws", &websocket.DialOptions{HTTPClient: p.http1(t, "192.0.2.1")})
		if err != nil {
			t.Fatalf("a connection within the limit: %v", err)
		}
		open = append(open, c)
	}
	p.wantStatus(t, "192.0.2.1", url, refused)
	// HAProxy 3.4 speaks HTTP/1 to a pod after a WebSocket, whatever they have
	// agreed on, until a request has failed by it.
	eventually(t, "another client is not limited", func() error { return p.isStatus("192.0.2.2", url, http.StatusOK) })
	for _, c := range open {
		_ = c.CloseNow()
	}
	eventually(t, "connections are taken again", func() error { return p.isStatus("192.0.2.1", url, http.StatusOK) })
}

// requests asks six times on one connection. HAProxy counts a request after
// it has looked at the limit, so that a limit of five lets five pass, as in
// the reference router.
func requests(t *testing.T, p *plane, url string, unlimited bool) {
	t.Helper()
	c := p.as(t, "192.0.2.1")
	for i := range 6 {
		a, err := ask(c, url)
		if ok := err == nil && a.StatusCode == http.StatusOK; ok != (i < 5 || unlimited) {
			t.Errorf("request %d: %v, %v", i+1, a.Response, err)
		}
	}
}
