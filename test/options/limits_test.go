package options

import (
	"context"
	"encoding/csv"
	"errors"
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

	"router/test/routertest"
)

// deaf is an address that never answers a connection: a socket whose queue of
// connections is full.
func deaf(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name := must[syscall.Sockaddr](t)(syscall.Getsockname(fd)).(*syscall.SockaddrInet4)
	address := fmt.Sprintf("127.0.0.1:%d", name.Port)
	for range 8 {
		conn, err := net.DialTimeout("tcp", address, 100*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the queue is never full")
	return ""
}

// TestTimeouts has one router with short time-outs, all different.
func TestTimeouts(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		dir := directory(t, serve(t, "app", nil), service("deaf", deaf(t)), route("deaf", "deaf", ""))
		r := start(t, haproxy, dir, "--http-request-timeout=300ms", "--http-keep-alive-timeout=500ms", "--default-client-timeout=700ms",
			"--default-server-timeout=900ms", "--default-connect-timeout=200ms", "--default-tunnel-timeout=1100ms", "--inspect-delay=250ms",
			"--client-fin-timeout=150ms", "--default-server-fin-timeout=160ms", "--hard-stop-after=30m")
		took := func(what string, least time.Duration, do func()) {
			t.Helper()
			started := time.Now()
			do()
			// The defaults are 5 s and more.
			if d := time.Since(started); d < least || d > least+4*time.Second {
				t.Errorf("%s took %v, with a time-out of %v", what, d, least)
			}
		}
		dial := func() net.Conn {
			t.Helper()
			conn := must[net.Conn](t)(net.Dial("tcp", r.HTTP))
			_ = conn.SetDeadline(time.Now().Add(routertest.Patience))
			t.Cleanup(func() { _ = conn.Close() })
			return conn
		}
		took("a request header that trickles in", 300*time.Millisecond, func() {
			conn := dial()
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: plain.test\r\nX-A")
			if said := drain(t, conn); !strings.HasPrefix(said, "HTTP/1.1 408 ") {
				t.Errorf("a slow client gets %q", said)
			}
		})
		took("an idle connection", 500*time.Millisecond, func() {
			conn := dial()
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: plain.test\r\n\r\n")
			drain(t, conn)
		})
		took("a body that does not come", 700*time.Millisecond, func() {
			conn := dial()
			_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: plain.test\r\nContent-Length: 10\r\n\r\nx")
			drain(t, conn)
		})
		took("an answer that does not come", 900*time.Millisecond, func() {
			if a := get(t, r, "http://plain.test/slow?ms=20000"); a.StatusCode != http.StatusGatewayTimeout {
				t.Errorf("status %d", a.StatusCode)
			}
		})
		took("a server that does not answer connections, twice", 2*200*time.Millisecond, func() {
			if a := get(t, r, "http://deaf.test/"); a.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("status %d", a.StatusCode)
			}
		})
		took("a WebSocket that is silent", 1100*time.Millisecond, func() {
			ctx, cancel := context.WithTimeout(t.Context(), routertest.Patience)
			defer cancel()
			c, _, err := websocket.Dial(ctx, "ws://plain.test/ws", &websocket.DialOptions{HTTPClient: client(t, r, nil)}) //nolint:bodyclose // the library does
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.CloseNow() }()
			if _, _, err := c.Read(ctx); err == nil || ctx.Err() != nil {
				t.Errorf("the connection ends with %v", err)
			}
		})
		says(t, r, "timeout client-fin 150ms", "timeout server-fin 160ms", "hard-stop-after 30m")
	})
}

// says looks for lines in HAProxy's file, of settings that show too late or
// too seldom to be waited for.
func says(t *testing.T, r *routertest.Router, lines ...string) {
	t.Helper()
	text := string(must[[]byte](t)(os.ReadFile(filepath.Join(r.Dir, "conf", "haproxy.config"))))
	for _, l := range lines {
		if !strings.Contains(text, "\n  "+l+"\n") {
			t.Errorf("the file does not say %q", l)
		}
	}
}

func TestErrorPages(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		files := t.TempDir()
		// As an editor leaves it: no carriage returns.
		unavailable := write(t, filepath.Join(files, "503"), "HTTP/1.0 503 Service Unavailable\nConnection: close\nContent-Type: text/html\nX-Page: own\n\nnobody is there\n")
		missing := write(t, filepath.Join(files, "404"), "HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\nContent-Type: text/plain\r\n\r\nnowhere\n")
		dir := directory(t, serve(t, "app", nil), route("empty", "nothing", ""))
		for _, c := range []struct {
			args            []string
			nowhere, empty  int
			said, saidEmpty string
		}{
			{nil, 503, 503, "Application is not available", "Application is not available"},
			{[]string{"--errorfile-503", unavailable}, 503, 503, "nobody is there\n", "nobody is there\n"},
			{[]string{"--errorfile-503", unavailable, "--errorfile-404", missing}, 404, 503, "nowhere\n", "nobody is there\n"},
		} {
			r := start(t, haproxy, dir, c.args...)
			for _, scheme := range []string{"http", "https"} {
				if a := get(t, r, scheme+"://nowhere.test/"); a.StatusCode != c.nowhere || !strings.Contains(a.body, c.said) {
					t.Errorf("%v: nobody's host has status %d: %s", c.args, a.StatusCode, a.body)
				}
			}
			if a := get(t, r, "http://empty.test/"); a.StatusCode != c.empty || !strings.Contains(a.body, c.saidEmpty) || len(c.args) > 0 && a.Header.Get("X-Page") != "own" {
				t.Errorf("%v: a route without endpoints has status %d, %v: %s", c.args, a.StatusCode, a.Header, a.body)
			}
		}
	})
}

func TestLimitsAndDefaultsOfRoutes(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		second := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
		t.Cleanup(func() { _ = second.Close() })
		two := service("two", serve(t, "one", nil)) + "---\n" + strings.Replace(strings.SplitN(service("two", second.Addr().String()), "---\n", 2)[1], "two-1", "two-2", 2)
		dir := directory(t, serve(t, "app", nil), two, route("two", "two", ""), route("pass", "app", "  tls: {termination: passthrough}\n"))
		r := start(t, haproxy, dir, "--max-connections=345", "--threads=2", "--buf-size=16384", "--max-rewrite-size=2048",
			"--load-balance-algorithm=leastconn", "--tcp-balance-scheme=roundrobin", "--backend-check-interval=1s",
			"--idle-close-on-response=false", "--abort-on-close", "--haproxy-contstats")
		for name, want := range map[string]string{"Maxconn": "345", "Nbthread": "2"} {
			if got := r.Info(name); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
		if a := get(t, r, "http://plain.test/", "X-Long: "+strings.Repeat("x", 12000)); a.StatusCode != http.StatusOK {
			t.Errorf("a header that fits has status %d", a.StatusCode)
		}
		if a := get(t, r, "http://plain.test/", "X-Long: "+strings.Repeat("x", 15000)); a.StatusCode < 400 || a.StatusCode > 499 {
			t.Errorf("a header that does not fit has status %d", a.StatusCode)
		}
		balance := map[string]string{}
		for _, row := range statistics(t, r) {
			if row["svname"] == "BACKEND" {
				balance[row["pxname"]] = row["algo"]
			}
		}
		for backend, want := range map[string]string{"be_http:default:two": "leastconn", "be_tcp:default:pass": "roundrobin"} {
			if balance[backend] != want {
				t.Errorf("%s is balanced by %q, want %s", backend, balance[backend], want)
			}
		}
		// Three checks fail: 3 s here, 15 s with the default.
		started := time.Now()
		_ = second.Close()
		routertest.Eventually(t, "the pod that has ended is noticed", func() error {
			for _, row := range statistics(t, r) {
				if row["pxname"] == "be_http:default:two" && strings.HasPrefix(row["status"], "DOWN") && row["svname"] != "BACKEND" {
					return nil
				}
			}
			return errors.New("no server is down")
		})
		if d := time.Since(started); d > 10*time.Second {
			t.Errorf("it took %v", d)
		}
		if metrics := statisticsPage(t, r, "/metrics"); !strings.Contains(metrics, "\nrouter_health_endpoints 2\n") {
			t.Errorf("metrics are %s", metrics)
		}
		says(t, r, "option abortonclose", "option contstats")
		if text := string(must[[]byte](t)(os.ReadFile(filepath.Join(r.Dir, "conf", "haproxy.config")))); strings.Contains(text, "idle-close-on-response") {
			t.Error("idle connections are kept for their next response")
		}

		automatic := start(t, haproxy, dir, "--max-connections=auto", "--abort-on-close=false", "--health-check-rate=0")
		if got := automatic.Info("Maxconn"); got == "" || got == "0" || got == "50000" || got == "2000" {
			t.Errorf("HAProxy's own limit of connections is %q", got)
		}
		if a := get(t, automatic, "http://plain.test/", "X-Long: "+strings.Repeat("x", 20000)); a.StatusCode != http.StatusOK {
			t.Errorf("a header that fits the default buffer has status %d", a.StatusCode)
		}
		says(t, automatic, "option idle-close-on-response")
		if metrics := statisticsPage(t, automatic, "/metrics"); strings.Contains(metrics, "router_health_endpoints") {
			t.Errorf("without health checks, metrics are %s", metrics)
		}
	})
}

// statistics are the rows of HAProxy's own table, by column.
func statistics(t *testing.T, r *routertest.Router) []map[string]string {
	t.Helper()
	rows := must[[][]string](t)(csv.NewReader(strings.NewReader(strings.TrimPrefix(strings.TrimSpace(r.Runtime("show stat")), "# "))).ReadAll())
	var list []map[string]string
	for _, row := range rows[1:] {
		named := map[string]string{}
		for i, column := range rows[0] {
			named[column] = row[i]
		}
		list = append(list, named)
	}
	return list
}
