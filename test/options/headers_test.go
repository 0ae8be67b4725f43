package options

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"router/test/routertest"
)

func TestHeaders(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		address := serve(t, "app", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Server", "secret/1.0")
			w.Header().Set("X-Seen", r.Header.Get("X-Order")+"|"+r.Header.Get("X-Text")+"|"+r.Header.Get("X-Copy")+"|"+r.Header.Get("X-Gone")+"|"+strings.Join(r.Header["X-Forwarded-For"], ","))
			w.Header()["X-CamelCase"] = []string{"1"}
		}))
		actions := "  httpHeaders:\n   actions:\n    request: [{name: X-Order, action: {type: Set, set: {value: '%[req.hdr(X-Order)], then the route'}}}]\n" +
			"    response: [{name: X-Answer, action: {type: Set, set: {value: from the route}}}, {name: X-Route, action: {type: Set, set: {value: x}}}]\n"
		forwarded := "apiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {name: told, annotations: {haproxy.router.openshift.io/set-forwarded-headers: append}}\n" +
			"spec: {host: told.test, to: {name: app}}\n"
		dir := directory(t, address, route("acted", "app", "  tls: {termination: edge, insecureEdgeTerminationPolicy: Allow}\n"+actions), forwarded)
		o := options(haproxy, dir, "--set-forwarded-headers=never", "--http-header-name-case-adjustments=X-CamelCase,X-SEEN", "--cookie-name=THE_COOKIE", "--ciphers=modern",
			"--set-delete-http-request-header", "X-Order:the+router:Set,X-Text:50%25%25+of+%22it%27s%22+%24HOME+%5B%5D%23+a%3Ab%2Cc:Set,X-Copy:%25%5Breq.hdr(user-agent)%2Clower%5D:Set,X-Gone:Delete")
		o.Env = []string{"ROUTER_HTTP_RESPONSE_HEADERS=X-Answer:%25%5Bres.hdr(x-answer)%5D%2C+then+the+router:Set,Server:Delete,X-Route:Delete"}
		r := routertest.Start(t, o)
		for _, scheme := range []string{"http", "https"} {
			a := get(t, r, scheme+"://acted.test/", "X-Gone: here", "User-Agent: ME", "X-Order: forged")
			if got, want := a.Header.Get("X-Seen"), `the router, then the route|50% of "it's" $HOME []# a:b,c|me||`; got != want {
				t.Errorf("%s: the pod sees %q, want %q", scheme, got, want)
			}
			if got := a.Header.Values("X-Answer"); len(got) != 1 || got[0] != "from the route, then the router" {
				t.Errorf("%s: the answer is %q", scheme, got)
			}
			if a.Header.Get("Server") != "" || a.Header.Get("X-Route") != "" {
				t.Errorf("%s: headers that were to be deleted: %v", scheme, a.Header)
			}
			if c := a.Cookies(); len(c) != 1 || c[0].Name != "THE_COOKIE" {
				t.Errorf("%s: cookies %v", scheme, c)
			}
		}
		if a := get(t, r, "http://told.test/"); !strings.HasSuffix(a.Header.Get("X-Seen"), "|127.0.0.1") {
			t.Errorf("a route with a policy of its own: %q", a.Header.Get("X-Seen"))
		}
		text := raw(t, r.HTTP, "GET / HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n")
		if !strings.Contains(text, "\r\nX-CamelCase: 1\r\n") || !strings.Contains(text, "\r\nX-SEEN: ") {
			t.Errorf("the client gets %s", text)
		}
	})
}

// TestHeaderCaseForServers looks at the bytes that a pod gets.
func TestHeaderCaseForServers(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer func() { _ = conn.Close() }()
					reader := bufio.NewReader(conn)
					var request strings.Builder
					for {
						line, err := reader.ReadString('\n')
						if err != nil {
							return // A health check.
						}
						if request.WriteString(line); line == "\r\n" {
							break
						}
					}
					_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", request.Len(), request.String())
				}()
			}
		}()
		old := "apiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {name: old, annotations: {haproxy.router.openshift.io/h1-adjust-case: 'true'}}\n" +
			"spec: {host: old.test, to: {name: app}}\n"
		r := start(t, haproxy, directory(t, l.Addr().String(), old), "--http-header-name-case-adjustments=Host,X-OLD")
		for url, want := range map[string]string{"http://old.test/": "\r\nX-OLD: 1\r\n", "http://plain.test/": "\r\nx-old: 1\r\n"} {
			if a := get(t, r, url, "X-Old: 1"); !strings.Contains(a.body, want) {
				t.Errorf("%s: the pod gets %s", url, a.body)
			}
		}
	})
}

func TestCompression(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		text := strings.Repeat("text ", 1000)
		address := serve(t, "app", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", r.URL.Query().Get("type"))
			if coding := r.URL.Query().Get("coding"); coding != "" {
				w.Header().Set("Content-Encoding", coding)
			}
			_, _ = io.WriteString(w, text)
		}))
		dir := directory(t, address)
		for _, c := range []struct {
			args   []string
			mime   string
			coding map[string]string
		}{
			{nil, "", map[string]string{"type=text/html": ""}},
			{[]string{"--enable-compression"}, "", map[string]string{
				"type=text/html": "gzip", "type=text/html;charset=utf-8": "gzip", "type=text/css": "gzip", "type=application/json": "", "type=text/html&coding=br": "br",
			}},
			{[]string{"--enable-compression", "--compression-mime", `application/json "image/svg+xml"`}, "", map[string]string{
				"type=application/json": "gzip", "type=image/svg%2Bxml": "gzip", "type=text/html": "", "type=application/json&coding=gzip": "gzip",
			}},
			{[]string{"--enable-compression"}, `html application/json "x-custom/allow-custom; specialChar=\'"`, map[string]string{
				"type=application/json": "gzip", "type=x-custom/allow-custom; specialChar='": "gzip", "type=x-custom/allow-custom": "", "type=text/html": "",
			}},
		} {
			o := options(haproxy, dir, c.args...)
			o.Env = []string{"ROUTER_COMPRESSION_MIME=" + c.mime}
			r := routertest.Start(t, o)
			if told := strings.Contains(r.Stderr.String(), `has \"html\", which is not a media type`); told != (c.mime != "") {
				t.Errorf("%v: the router says %s", c.args, r.Stderr)
			}
			for query, want := range c.coding {
				query = strings.NewReplacer(";", "%3B", " ", "%20").Replace(query)
				a := get(t, r, "https://edge.test/?"+query, "Accept-Encoding: gzip, br")
				if got := a.Header.Get("Content-Encoding"); got != want {
					t.Errorf("%v: %s is coded %q, want %q", c.args, query, got, want)
				}
				if compressed := len(a.body) < len(text); compressed != (want == "gzip" && !strings.Contains(query, "coding")) {
					t.Errorf("%v: %s has %d bytes", c.args, query, len(a.body))
				}
				if a := get(t, r, "https://edge.test/?"+query); a.body != text {
					t.Errorf("%v: %s is changed for a client that did not ask", c.args, query)
				}
			}
		}
	})
}
