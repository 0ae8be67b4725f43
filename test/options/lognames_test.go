package options

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"router/test/haproxies"
	"router/test/routertest"
)

// TestNamesInTheAccessLog lets routes and pods come and go. Whatever HAProxy
// calls them by then, the log has their own names, in its own format and in the
// administrator's.
func TestNamesInTheAccessLog(t *testing.T) {
	t.Parallel()
	haproxies.EachAndNewer(t, func(t *testing.T, haproxy string) {
		t.Parallel()
		for name, format := range map[string]string{"default": "", "custom": `"{%[capture.req.hdr(0)]} %b/%s %{+Q}[be_name] %[srv_name] %bi %%b %ST \"GET %HU\""`} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				logNames(t, haproxy, format)
			})
		}
	})
}

func logNames(t *testing.T, haproxy, format string) {
	s := listen(t, "udp4", "127.0.0.1:0")
	pods := map[string]string{}
	for _, name := range []string{"one", "two", "three"} {
		pods[name] = serve(t, name, nil)
	}
	dir := directory(t, pods["one"], service("none", "127.0.0.1:1"), route("none", "missing", ""))
	args := []string{"--syslog-address", s.conn.LocalAddr().String(), "--log-level=info", "--capture-http-request-headers=X-Test:20"}
	if format != "" {
		args = append(args, "--syslog-format", format)
	}
	r := start(t, haproxy, dir, args...)
	number := 0
	// logged asks until there is the answer, and wants the names in the line
	// about every request with it.
	logged := func(url, by, want string) {
		t.Helper()
		number++
		try := 0
		status := http.StatusOK
		if by == "" {
			status = http.StatusServiceUnavailable
		}
		var path string
		routertest.Eventually(t, url+" is answered by "+by, func() error {
			try++
			path = fmt.Sprintf("/%d-%d.", number, try)
			if a := get(t, r, url+path, "X-Test: captured"); a.StatusCode != status || a.echo.Pod != by {
				return fmt.Errorf("it is %d by %q", a.StatusCode, a.echo.Pod)
			}
			return nil
		})
		lines := s.with(t, "GET "+path)
		line := lines[len(lines)-1]
		if format == "" {
			if !strings.Contains(line, " "+want+" ") || !strings.Contains(line, " {captured} \"GET "+path+" HTTP") {
				t.Errorf("%s is logged as %s", url, line)
			}
			return
		}
		backend, server, _ := strings.Cut(want, "/")
		if server == "<NOSRV>" {
			server = "-" // As HAProxy prints an expression that has no value.
		}
		if text := fmt.Sprintf("{captured} %s %q %s - %%b %d \"GET %s\"", want, backend, server, status, path); by == "" && !strings.Contains(line, text) {
			t.Errorf("%s is logged as %s, want %s", url, line, text)
		} else if text = fmt.Sprintf("{captured} %s %q %s 127.0.0.1 %%b %d \"GET %s\"", want, backend, server, status, path); by != "" && !strings.Contains(line, text) {
			t.Errorf("%s is logged as %s, want %s", url, line, text)
		}
	}
	id := func(service, at string) string {
		return "pod:" + service + "-1:" + service + ":main:" + at
	}
	logged("http://plain.test", "one", "be_http:default:plain/"+id("app", pods["one"]))
	logged("https://edge.test", "one", "be_edge_http:default:edge/"+id("app", pods["one"]))
	logged("http://none.test", "", "be_http:default:none/<NOSRV>")
	file := filepath.Join(dir, "more.yaml")
	for i, at := range []string{"two", "three", "two"} {
		name := fmt.Sprint("next", i)
		write(t, file, service("more", pods[at])+"\n---\n"+route(name, "more", "")+"\n---\n"+
			route("tls"+name, "more", "  tls: {termination: edge}\n"))
		logged("http://"+name+".test", at, "be_http:default:"+name+"/"+id("more", pods[at]))
		logged("https://tls"+name+".test", at, "be_edge_http:default:tls"+name+"/"+id("more", pods[at]))
	}
	// The same route, and one pod after the other.
	for _, at := range []string{"three", "one", "two"} {
		write(t, file, service("more", pods[at])+"\n---\n"+route("next", "more", ""))
		logged("http://next.test", at, "be_http:default:next/"+id("more", pods[at]))
	}
}
