package e2e

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
)

// rawPod answers each request with its header as it came, byte for byte,
// whatever it is. X-Pod has its name.
func rawPod(t *testing.T, name string) app {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				var text strings.Builder
				lines := bufio.NewScanner(c)
				for lines.Scan() && lines.Text() != "" {
					text.WriteString(lines.Text() + "\n")
				}
				_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Pod: %s\r\nx-case-test: pod\r\nContent-Length: %d\r\n\r\n%s", name, text.Len(), text.String())
			}()
		}
	}()
	return app{name: name, addr: []net.Addr{l.Addr()}}
}

// exchange sends text and reads until the end.
func exchange(t *testing.T, c net.Conn, text string) string {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

var forwardedPolicies = []string{"append", "replace", "if-none", "never"}

func forwardedObjects(p *plane) {
	for name, at := range terminations() {
		for _, policy := range forwardedPolicies {
			if name != "passthrough" {
				p.route("forward-"+policy+"-"+name, p.terminated(at), annotated(haproxyAnnotation+"set-forwarded-headers", policy))
			}
		}
	}
	p.route("forward-wrong", annotated(haproxyAnnotation+"set-forwarded-headers", "Replace"))
}

// clientHeaders are what a client pretends.
var clientHeaders = []string{
	"X-Forwarded-For", "10.0.0.1", "X-Forwarded-Host", "their.test", "X-Forwarded-Port", "1", "X-Forwarded-Proto", "ftp",
	"X-Forwarded-Proto-Version", "h9", "Forwarded", "for=10.0.0.1",
}

func testForwarded(t *testing.T, p *plane) {
	problems := p.problems(t)
	for name := range terminations() {
		if name == "passthrough" {
			continue
		}
		proto, port := "http", "80"
		if name != "http" {
			proto, port = "https", "443"
		}
		for _, policy := range forwardedPolicies {
			host := "forward-" + policy + "-" + name + ".test"
			for from, quoted := range map[string]string{"192.0.2.9": "192.0.2.9", "2001:db8::9": `"[2001:db8::9]"`} {
				own := http.Header{
					"X-Forwarded-For": {from}, "X-Forwarded-Host": {host}, "X-Forwarded-Port": {port}, "X-Forwarded-Proto": {proto},
					"Forwarded": {"for=" + quoted + ";host=" + host + ";proto=" + proto},
				}
				if name != "http" {
					own["X-Forwarded-Proto-Version"] = []string{"h2"}
				}
				theirs := http.Header{}
				for i := 0; i < len(clientHeaders); i += 2 {
					theirs.Add(clientHeaders[i], clientHeaders[i+1])
				}
				both := http.Header{}
				for k := range theirs {
					both[k] = append(slices.Clone(theirs[k]), own[k]...)
				}
				// With headers of the client, and without any.
				want := map[string][2]http.Header{
					"append": {both, own}, "replace": {own, own}, "if-none": {theirs, own}, "never": {theirs, {}},
				}[policy]
				for i, headers := range [][]string{clientHeaders, nil} {
					a, err := p.once(from, scheme(name)+host+"/", headers...)
					if err != nil {
						t.Errorf("%s: %v", host, err)
						continue
					}
					for k := range theirs {
						if got := a.echo.Headers.Values(k); !slices.Equal(got, want[i].Values(k)) {
							t.Errorf("%s from %s, pretending %v: %s is %q, want %q", host, from, headers != nil, k, got, want[i].Values(k))
						}
					}
				}
			}
		}
	}
	if a, err := p.once("192.0.2.9", "http://forward-wrong.test/"); err != nil || a.echo.Headers.Get("X-Forwarded-For") != "192.0.2.9" {
		t.Errorf("an unknown policy is not the default: %v, %v", a.echo.Headers, err)
	}
	if got := problems("forward-wrong"); !strings.Contains(got, "must be append, replace, if-none or never") {
		t.Errorf("problems are %q", got)
	}
	// What a client says of the protocol is not a way to say more.
	a, err := p.once("192.0.2.9", "http://forward-if-none-http.test/", "X-Forwarded-Proto", "https, for=10.0.0.1")
	if got := a.echo.Headers.Values("Forwarded"); err != nil || len(got) != 1 || strings.Contains(got[0], "10.0.0.1") {
		t.Errorf("Forwarded is %q, %v", got, err)
	}
}

func smugglingObjects(p *plane) {
	p.route("smuggle", annotated(haproxyAnnotation+"set-forwarded-headers", "replace"))
	p.route("smuggle-edge", p.terminated(routev1.TLSTerminationEdge), annotated(haproxyAnnotation+"set-forwarded-headers", "replace"))
	p.route("smuggle-append")
}

func testSmuggling(t *testing.T, p *plane) {
	names := []string{
		"X-Forwarded-For", "x-forwarded-for", "X-FORWARDED-HOST", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Proto-Version", "Forwarded", "FORWARDED",
		"X_Forwarded_For", "X-Forwarded_For", "X_Forwarded-For", "X-Forwarded-Proto_Version", "x_forwarded_proto", "X.Forwarded.For", "X-Forwarded.For",
		"Proxy", "PROXY", "proxy",
		"X-SSL", "x-ssl", "X-SSL-Client-CN", "X-Ssl-Client-Verify", "X_SSL_Client_DN", "X-SSL_Client_DN", "X-SSL-Client-DER", "X-SSL-Issuer", "X.SSL.Client.CN", "X_SSL",
	}
	for _, server := range []string{"", "smuggle-edge.test"} {
		host := "smuggle.test"
		if server != "" {
			host = server
		}
		for _, name := range names {
			// Twice, and once more behind a value of the list's own.
			text := "GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n" + strings.Repeat(name+": forged\r\n", 2) + name + ": a, forged\r\n\r\n"
			a, err := p.raw(server, text)
			if err != nil || a.StatusCode != http.StatusOK {
				t.Errorf("%s: %v, %v", name, a.Response, err)
				continue
			}
			if strings.Contains(fmt.Sprint(a.echo.Headers), "forged") {
				t.Errorf("%s: the pod gets %v", name, a.echo.Headers)
			}
		}
	}
	// Names that look alike are nobody's business.
	for _, name := range []string{"X-Forwardedness", "X-Sslx", "Proxy-Hint", "X-Forward", "Xforwarded"} {
		a, err := p.once(somebody, "http://smuggle.test/", name, "kept")
		if err != nil || a.echo.Headers.Get(name) != "kept" {
			t.Errorf("%s: the pod gets %v, %v", name, a.echo.Headers, err)
		}
	}
	// Spellings other than the known ones do not count as the client's own.
	if a, err := p.once(somebody, "http://smuggle-append.test/", "x_forwarded_for", "forged"); err != nil || !slices.Equal(a.echo.Headers["X-Forwarded-For"], []string{somebody}) {
		t.Errorf("the pod gets %v, %v", a.echo.Headers, err)
	}
}

// certificateHeaders are the names under which pods learn of a client's
// certificate.
var certificateHeaders = []string{
	"X-SSL", "X-SSL-Client-CN", "X-SSL-Client-DER", "X-SSL-Client-DN", "X-SSL-Client-NotAfter", "X-SSL-Client-NotBefore", "X-SSL-Client-SHA1",
	"X-SSL-Client-Serial", "X-SSL-Client-Subject", "X-SSL-Client-Verify", "X-SSL-Client-Version", "X-SSL-Issuer",
}

// otherHeaders look like them, and are what proxies before this one say.
var otherHeaders = []string{
	"X-SSL-Cipher", "X-SSL-Protocol", "X-SSL-Client-Cert", "X-SSL-Client-Certificate", "X-SSL-Client-Fingerprint", "X-SSL-Client-Issuer", "X-SSL-Client",
	"X-SSL-Client-CN2", "X-SSL-Client-CN-Extra", "X-SSL-CN", "X-SSL-Issuer-DN", "X-SSL-Session-Id", "X-SSLCN", "XSSL", "My-X-SSL",
}

// spellings are a name in other cases, and with other signs in place of its
// hyphens: all of them, or the first alone.
func spellings(name string) []string {
	list := []string{name, strings.ToLower(name), strings.ToUpper(name)}
	for _, sign := range []string{"_", ".", "!", "~", "|"} {
		list = append(list, strings.ReplaceAll(name, "-", sign), strings.Replace(name, "-", sign, 1), strings.ToLower(strings.ReplaceAll(name, "-", sign)))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func certificateHeaderObjects(p *plane) {
	for name, at := range terminations() {
		p.route("said-"+name, p.terminated(at))
	}
}

func testCertificateHeaders(t *testing.T, p *plane) {
	for name := range terminations() {
		url := scheme(name) + "said-" + name + ".test/"
		ask := func(names []string, value string) string {
			var headers []string
			for _, n := range names {
				headers = append(headers, n, value)
			}
			a, err := p.once(somebody, url, headers...)
			if err != nil || a.StatusCode != http.StatusOK {
				t.Errorf("%s: %v, %v", url, a.Response, err)
			}
			return a.body
		}
		for _, header := range certificateHeaders {
			// Nobody looks into a passthrough route's requests.
			if got := ask(spellings(header), "forged"); strings.Contains(got, "forged") != (name == "passthrough") {
				t.Errorf("%s, spellings of %s: the pod gets %s", name, header, got)
			}
		}
		for _, header := range otherHeaders {
			if got := strings.Count(ask(spellings(header), "said"), `"said"`); got < len(spellings(header)) {
				t.Errorf("%s: of %d spellings of %s the pod gets %d", name, len(spellings(header)), header, got)
			}
		}
	}
}

func actionObjects(p *plane) {
	set := func(name, value string) routev1.RouteHTTPHeader {
		return routev1.RouteHTTPHeader{Name: name, Action: routev1.RouteHTTPHeaderActionUnion{Type: routev1.Set, Set: &routev1.RouteSetHTTPHeader{Value: value}}}
	}
	del := func(name string) routev1.RouteHTTPHeader {
		return routev1.RouteHTTPHeader{Name: name, Action: routev1.RouteHTTPHeaderActionUnion{Type: routev1.Delete}}
	}
	actions := func(request, response []routev1.RouteHTTPHeader) func(*routev1.Route) {
		return func(r *routev1.Route) {
			r.Spec.HTTPHeaders = &routev1.RouteHTTPHeaders{Actions: routev1.RouteHTTPHeaderActions{Request: request, Response: response}}
		}
	}
	for name, at := range terminations() {
		p.route("actions-"+name, p.terminated(at), annotated(haproxyAnnotation+"hsts_header", "max-age=1"), actions(
			[]routev1.RouteHTTPHeader{
				set("X-Plain", `it's "a" \ value; 100%% #1 {x} $HOME`), set("X-Host", "%[req.hdr(host),base64]"), set("X-Mixed", "<%[req.hdr(X-In),lower]>"),
				set("X-Quoted", "%{+Q}[req.hdr(X-In)]"), set("X-Cert", "%{+Q}[ssl_c_der,base64]"), del("X-Gone"), set("X-Twice", "1"), set("X-Twice", "2"),
				set("Accept", "text/plain"), del("X-Forwarded-For"), set("Host", "other.test"), set("Proxy", "x"), set("X-Bad", "%[env(HOME)]"), set("X-Bad-2", "%[res.hdr(a)]"), set("Forwarded", "for=unknown"),
			},
			[]routev1.RouteHTTPHeader{
				set("X-Frame-Options", "DENY"), set("X-Pod-Copy", "%[res.hdr(X-Pod),lower]"), del("X-Pod"), set("Strict-Transport-Security", "max-age=9"), set("Set-Cookie", "a=b"),
				set("X-Bad", "%[req.hdr(a)]"),
			}))
	}
	var many []routev1.RouteHTTPHeader
	for i := range 25 {
		many = append(many, set(fmt.Sprintf("X-Many-%d", i), "1"))
	}
	p.route("actions-many", actions(many, nil))
}

func testActions(t *testing.T, p *plane) {
	problems := p.problems(t)
	for name := range terminations() {
		url := scheme(name) + "actions-" + name + ".test/"
		a, err := p.once(somebody, url, "X-Gone", "x", "X-In", "ABC", "Accept", "text/html")
		if err != nil || a.StatusCode != http.StatusOK {
			t.Errorf("%s: %v, %v", url, a.Response, err)
			continue
		}
		if name == "passthrough" {
			if a.Header.Get("X-Frame-Options") != "" || !strings.Contains(problems("actions-"+name), "spec.httpHeaders: has no effect on a passthrough route") {
				t.Errorf("passthrough: %v, problems %s", a.Header, problems("actions-"+name))
			}
			continue
		}
		host := "actions-" + name + ".test"
		for header, want := range map[string][]string{
			"X-Plain": {`it's "a" \ value; 100% #1 {x} $HOME`}, "X-Host": {base64.StdEncoding.EncodeToString([]byte(host))}, "X-Mixed": {"<abc>"}, "X-Quoted": {"ABC"}, "X-Gone": nil, "X-Twice": {"2"},
			"Accept": {"text/plain"}, "X-Forwarded-For": nil, "Proxy": nil, "X-Bad": nil, "X-Bad-2": nil, "X-Forwarded-Host": {host}, "Forwarded": {"for=unknown"},
		} {
			if got := a.echo.Headers[header]; !slices.Equal(got, want) {
				t.Errorf("%s: the pod gets %s %q, want %q", name, header, got, want)
			}
		}
		if a.echo.Host != "other.test" {
			t.Errorf("%s: the pod gets the host %s", name, a.echo.Host)
		}
		hsts := "max-age=1"
		if name == "http" {
			hsts = ""
		}
		for header, want := range map[string]string{"X-Frame-Options": "DENY", "X-Pod-Copy": a.echo.Pod, "X-Pod": "", "Strict-Transport-Security": hsts, "X-Bad": ""} {
			if got := a.Header.Get(header); got != want {
				t.Errorf("%s: the client gets %s %q, want %q", name, header, got, want)
			}
		}
		said := problems("actions-" + name)
		for _, want := range []string{
			"actions.request[11].name: belongs to the router", "actions.request[12].action.set.value: %[env(HOME)] is not an expression",
			"actions.request[13].action.set.value", "actions.response[3].name: belongs", "actions.response[4].name: belongs", "actions.response[5].action.set.value",
		} {
			if !strings.Contains(said, want) {
				t.Errorf("%s: problems do not say %q:\n%s", name, want, said)
			}
		}
	}
	a, err := p.once(somebody, "http://actions-many.test/")
	if err != nil || a.echo.Headers.Get("X-Many-19") != "1" || a.echo.Headers.Get("X-Many-20") != "" {
		t.Errorf("of many actions: %v, %v", a.echo.Headers, err)
	}
	if got := problems("actions-many"); !strings.Contains(got, "at most 20") {
		t.Errorf("problems are %q", got)
	}
}

// framingActions are actions that would change where a message ends.
func framingActions() map[string]routev1.RouteHTTPHeader {
	list := map[string]routev1.RouteHTTPHeader{}
	for name, value := range map[string]string{"Content-Length": "600", "content-length": "3", "Transfer-Encoding": "chunked", "Connection": "close", "Upgrade": "h2c"} {
		list[fmt.Sprintf("set-%s-%s", strings.ToLower(name), value)] = routev1.RouteHTTPHeader{
			Name: name, Action: routev1.RouteHTTPHeaderActionUnion{Type: routev1.Set, Set: &routev1.RouteSetHTTPHeader{Value: value}},
		}
		list["delete-"+strings.ToLower(name)] = routev1.RouteHTTPHeader{Name: name, Action: routev1.RouteHTTPHeaderActionUnion{Type: routev1.Delete}}
	}
	return list
}

func framingObjects(p *plane) {
	for name, action := range framingActions() {
		p.route("framing-request-"+name, func(r *routev1.Route) {
			r.Spec.HTTPHeaders = &routev1.RouteHTTPHeaders{Actions: routev1.RouteHTTPHeaderActions{Request: []routev1.RouteHTTPHeader{action}}}
		})
		p.route("framing-response-"+name, func(r *routev1.Route) {
			r.Spec.HTTPHeaders = &routev1.RouteHTTPHeaders{Actions: routev1.RouteHTTPHeaderActions{Response: []routev1.RouteHTTPHeader{action}}}
		})
	}
	p.route("framing-victim")
}

// testFraming shares connections between a route that would change where its
// messages end, and another one: each client gets its own response.
func testFraming(t *testing.T, p *plane) {
	problems := p.problems(t)
	for name := range framingActions() {
		for _, direction := range []string{"request", "response"} {
			route := "framing-" + direction + "-" + name
			if said := problems(route); !strings.Contains(said, "actions."+direction+"[0].name: belongs to the router") {
				t.Errorf("%s: problems are %q", route, said)
			}
			if err := p.inTurn(route+".test", "framing-victim.test", route+".test"); err != nil {
				t.Errorf("%s: %v", route, err)
			}
		}
	}
}

// inTurn posts to hosts on one connection, all at once, and wants the answer of
// each. What is left to read at the end is an error.
func (p *plane) inTurn(hosts ...string) error {
	c, err := p.dial(p.t.Context(), somebody, 80)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	for i, host := range hosts {
		last := ""
		if i == len(hosts)-1 {
			last = "Connection: close\r\n"
		}
		if _, err := fmt.Fprintf(c, "POST /%d HTTP/1.1\r\nHost: %s\r\nContent-Length: 4\r\nAuthorization: of %[2]s\r\n%s\r\nbody", i, host, last); err != nil {
			return err
		}
	}
	reader := bufio.NewReader(c)
	for i, host := range hosts {
		resp, err := http.ReadResponse(reader, nil)
		if err != nil {
			return fmt.Errorf("response %d: %w", i, err)
		}
		a, err := answerOf(resp)
		if err != nil {
			return fmt.Errorf("response %d: %w", i, err)
		}
		if a.echo.Host != host || a.echo.Path != fmt.Sprintf("/%d", i) || a.echo.Headers.Get("Content-Length") != "4" || len(a.echo.Headers["Transfer-Encoding"]) > 0 {
			return fmt.Errorf("response %d, of %s: %v, %s", i, host, a.Response, a.body)
		}
	}
	rest, err := io.ReadAll(reader)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("after the last response there is %q", rest)
	}
	return err
}

func hstsObjects(p *plane) {
	for name, at := range terminations() {
		p.route("hsts-"+name, p.terminated(at), annotated(haproxyAnnotation+"hsts_header", "max-age=31536000;includeSubDomains;preload"))
		p.route("hsts-quoted-"+name, p.terminated(at), annotated(haproxyAnnotation+"hsts_header", `includesubdomains ; max-age = "31536000"`))
		p.route("hsts-bad-"+name, p.terminated(at), annotated(haproxyAnnotation+"hsts_header", "max-age=1; report-uri=x"))
	}
}

func testHSTS(t *testing.T, p *plane) {
	problems := p.problems(t)
	for name := range terminations() {
		for route, want := range map[string]string{
			"hsts-": "max-age=31536000;includeSubDomains;preload", "hsts-quoted-": `includesubdomains ; max-age = "31536000"`, "hsts-bad-": "",
		} {
			if name == "http" || name == "passthrough" {
				want = ""
			}
			a, err := p.once(somebody, scheme(name)+route+name+".test/")
			if got := a.Header.Get("Strict-Transport-Security"); err != nil || a.StatusCode != http.StatusOK || got != want {
				t.Errorf("%s%s: %q, %v; want %q", route, name, got, err, want)
			}
			if said := problems(route + name); (said == "") != (want != "") {
				t.Errorf("%s%s: problems are %q", route, name, said)
			}
		}
	}
}
