package haproxy_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"router/pkg/haproxy"
	"router/pkg/model"
	"router/test/haproxies"
)

// TestTheAccessLogIsHAProxysOwn compares the lines with those of "option
// httplog" and "option tcplog", field by field, for the same requests.
func TestTheAccessLogIsHAProxysOwn(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newLogPlane(t, binary, func(o *haproxy.Options) {
			h := &o.Global.Headers
			h.CaptureRequest, h.CaptureResponse = []model.Capture{{Name: "User-Agent", Length: 30}, {Name: "X-None", Length: 5}}, []model.Capture{{Name: "Content-Type", Length: 10}}
			h.CaptureCookie = &model.Capture{Name: "sid", Length: 20, Exact: true}
		})
		a, dead := pod(t, "a"), pod(t, "dead")
		dead.Port = 1 // Nobody listens.
		down := route("dead", "dead.test", dead)
		down.Backend.CheckInterval = 0 // Checks run only in one of the two processes.
		redirect := ended(route("edge", "edge.test", a), model.TerminationEdge)
		redirect.Insecure = model.InsecureRedirect
		apply(t, p.plane, model.Change{Upsert: []*model.Route{
			sticky("plain", a), redirect, ended(route("pass", "pass.test", tlsPod(t, "pass")), model.TerminationPassthrough),
			ended(route("secure", "secure.test", tlsPod(t, "secure")), model.TerminationReencrypt), route("none", "none.test"), down,
		}})
		ours := p.all(t)
		if err := p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}

		p.startWithOwnFormats(t, binary)
		theirs := p.all(t)
		for i := range theirs {
			got, want := strings.Fields(ours[i]), strings.Fields(theirs[i])
			if len(got) != len(want) {
				t.Errorf("fields are missing or too many in\n%s\nHAProxy's own is\n%s", ours[i], theirs[i])
				continue
			}
			for j := range got {
				if got[j] != want[j] {
					t.Errorf("field %d differs in\n%s\nHAProxy's own is\n%s", j, ours[i], theirs[i])
				}
			}
		}
	})
}

// startWithOwnFormats starts HAProxy with the configuration that was written,
// but for the formats of the log, which are HAProxy's own.
func (p *logPlane) startWithOwnFormats(t *testing.T, binary string) {
	t.Helper()
	file := filepath.Join(p.dir, "conf", "haproxy.config")
	config, err := os.ReadFile(file) //nolint:gosec // the test's own
	if err != nil {
		t.Fatal(err)
	}
	replaced := 0
	own := regexp.MustCompile(`(?m)^  log-format .*$`).ReplaceAllStringFunc(string(config), func(line string) string {
		replaced++
		if strings.Contains(line, "%TR") {
			return "  option httplog"
		}
		return "  option tcplog"
	})
	if replaced != 3 {
		t.Fatalf("%d formats in\n%s", replaced, config)
	}
	if err := os.WriteFile(file, []byte(own), 0o600); err != nil { //nolint:gosec // the test's own
		t.Fatal(err)
	}
	process := exec.CommandContext(t.Context(), binary, "-db", "-f", file) //nolint:gosec // the tester's choice
	process.Stderr = t.Output()
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	eventually(t, "HAProxy listens", 10*time.Second, func() bool {
		conn, err := net.Dial("unix", filepath.Join(p.dir, "run", "haproxy.sock"))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

var (
	accessLine = regexp.MustCompile(`\] (public|public_ssl|fe_sni~?) `)
	// What no two requests have alike: times, ports, counts, and how many bytes
	// and which end the closing of a TLS connection takes.
	lineHead = regexp.MustCompile(`^.*haproxy\[\d+\]: (127\.0\.0\.1|unix):\d+ \[[^\]]*\]`)
	counts   = regexp.MustCompile(` [-+]?\d+(/[-+]?\d+)+`)
	number   = regexp.MustCompile(`[/ ]\+?\d+`)
	tlsEnd   = regexp.MustCompile(` \d+ (--|[A-Z-]{2}) `)
	// Before 3.0 HAProxy's own name of a server is that of a slot.
	serverName = regexp.MustCompile(`(be_\S+:ns:\S+/)(s1|pod:\S+) `)
)

// all makes every kind of request, and returns the lines about them, without
// what differs from one to the next.
func (p *logPlane) all(t *testing.T) []string {
	t.Helper()
	var lines []string
	for _, r := range []string{
		"GET / HTTP/1.1\r\nHost: plain.test\r\nUser-Agent: me\r\nCookie: a=1; sid=me\r\nConnection: close\r\n\r\n",
		"GET /x?y=%22z HTTP/1.0\r\nHost: plain.test\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: none.test\r\nConnection: close\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: dead.test\r\nConnection: close\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: nobody.test\r\nConnection: close\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: bad/host\r\nConnection: close\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
		"nothing\r\n\r\n",
	} {
		lines = append(lines, p.linesOf(t, r, 1, func() {
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.http))
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			_, _ = io.WriteString(conn, r)
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		})...)
	}
	// A connection whose TLS is terminated has a line of its own.
	for url, n := range map[string]int{"https://edge.test/": 2, "https://nobody.test/": 2, "https://secure.test/": 2, "https://pass.test/": 1} {
		lines = append(lines, p.linesOf(t, url, n, func() {
			resp, err := p.client().Get(url)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		})...)
	}
	slices.Sort(lines)
	return lines
}

// linesOf are the n lines about what ask asks.
func (p *logPlane) linesOf(t *testing.T, what string, n int, ask func()) []string {
	t.Helper()
	p.mu.Lock()
	p.lines = nil
	p.mu.Unlock()
	ask()
	var lines []string
	eventually(t, fmt.Sprintf("%d lines about %q", n, what), 10*time.Second, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		lines = slices.DeleteFunc(slices.Clone(p.lines), func(line string) bool { return !accessLine.MatchString(line) })
		return len(lines) >= n
	})
	for i, line := range lines {
		line = serverName.ReplaceAllString(lineHead.ReplaceAllString(line, "HEAD"), "${1}SERVER ")
		line = counts.ReplaceAllStringFunc(line, func(s string) string {
			return number.ReplaceAllStringFunc(s, func(n string) string { return n[:1] + "N" })
		})
		if strings.Contains(line, " public_ssl ") {
			line = tlsEnd.ReplaceAllString(line, " BYTES END ")
		}
		lines[i] = line
	}
	return lines
}
