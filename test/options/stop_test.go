package options

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"router/test/routertest"
)

// soon is how long a router may take that was told to end at once, on a busy
// machine; without that it would take an hour.
const soon = 15 * time.Second

// endsAtOnce sends the second signal.
func endsAtOnce(t *testing.T, r *routertest.Router, second syscall.Signal) {
	t.Helper()
	r.Signal(second)
	if code, want := r.Ends(soon), 128+int(second); code != want {
		t.Errorf("the router ends with %d, want %d:\n%s", code, want, r.Stderr)
	}
	// A process that was killed takes a moment to be gone.
	routertest.Within(t, soon, "no process is left", func() error {
		if left := r.Processes(); len(left) > 0 {
			return fmt.Errorf("there are %q", left)
		}
		return nil
	})
}

// hold opens a request that takes longer than the test.
func hold(t *testing.T, r *routertest.Router) {
	t.Helper()
	conn := must[net.Conn](t)(net.Dial("tcp", r.HTTP))
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, "GET /slow?ms=3600000 HTTP/1.1\r\nHost: plain.test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
}

// stopping waits until the router has taken note of the first signal.
func stopping(t *testing.T, r *routertest.Router) {
	t.Helper()
	routertest.Eventually(t, "the router stops", func() error {
		if !strings.Contains(r.Stderr.String(), "msg=stopping") {
			return errors.New("it does not say so")
		}
		return nil
	})
}

func TestASecondSignalEndsTheDelay(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		r := start(t, haproxy, directory(t, serve(t, "app", nil)), "--graceful-shutdown-delay=1h")
		hold(t, r)
		r.Signal(syscall.SIGTERM)
		stopping(t, r)
		if a := get(t, r, "http://plain.test/"); a.StatusCode != 200 {
			t.Errorf("meanwhile a request has status %d", a.StatusCode)
		}
		endsAtOnce(t, r, syscall.SIGINT)
	})
}

// TestASecondSignalEndsConnections has requests that both the worker and one
// that a reload replaced wait for.
func TestASecondSignalEndsConnections(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		r := start(t, haproxy, directory(t, serve(t, "app", nil)), "--max-shutdown-timeout=3600", "--default-server-timeout=2h")
		hold(t, r)
		former := r.Info("Pid")
		reload(t, r)
		routertest.Eventually(t, "the reload", func() error {
			if now := r.Info("Pid"); now == former {
				return errors.New("the worker is the former one")
			}
			return nil
		})
		hold(t, r)
		routertest.Eventually(t, "both workers are there", func() error {
			if n := len(r.Processes()); n != 4 { // The router, the master, and two workers.
				return fmt.Errorf("there are %q", r.Processes())
			}
			return nil
		})
		r.Signal(syscall.SIGINT)
		stopping(t, r)
		closes(t, r)
		endsAtOnce(t, r, syscall.SIGTERM)
	})
}

// closes waits until HAProxy accepts no more connections.
func closes(t *testing.T, r *routertest.Router) {
	t.Helper()
	routertest.Within(t, soon, "the listeners are closed", func() error {
		conn, err := net.Dial("tcp", r.HTTP)
		if err == nil {
			_ = conn.Close()
			return errors.New("HAProxy still accepts connections")
		}
		return nil
	})
}

// TestAStopDuringAReload: a master that is loading itself anew hears no signal.
func TestAStopDuringAReload(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		r := start(t, haproxy, directory(t, serve(t, "app", nil)), "--max-shutdown-timeout=3600", "--default-server-timeout=2h")
		hold(t, r)
		reload(t, r)
		r.Signal(syscall.SIGINT)
		stopping(t, r)
		closes(t, r)
		endsAtOnce(t, r, syscall.SIGTERM)
	})
}

// reload asks HAProxy's master for one.
func reload(t *testing.T, r *routertest.Router) {
	t.Helper()
	conn := must[net.Conn](t)(net.Dial("unix", filepath.Join(r.Dir, "run", "master.sock")))
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "reload\n"); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, conn) // The master closes the connection.
}

// TestASecondSignalEndsAStart has an HAProxy that never gets to serve.
func TestASecondSignalEndsAStart(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		slow := filepath.Join(t.TempDir(), "haproxy")
		script := "#!/bin/bash\ncase \"$*\" in -W*haproxy.config) exec -a \"$*\" sleep 3600;; esac\nexec " + haproxy + " \"$@\"\n"
		if err := os.WriteFile(slow, []byte(script), 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
		r := routertest.Launch(t, options(slow, directory(t, serve(t, "app", nil)), "--graceful-shutdown-delay=1h"))
		routertest.Eventually(t, "HAProxy starts", func() error {
			for _, p := range r.Processes() {
				if strings.HasPrefix(p, "-W") {
					return nil
				}
			}
			return errors.New("it does not")
		})
		r.Signal(syscall.SIGTERM)
		stopping(t, r)
		endsAtOnce(t, r, syscall.SIGTERM)
	})
}

// TestADirectoryIsLeftAtOnce: only a cluster's load balancers need time.
func TestADirectoryIsLeftAtOnce(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		o := options(haproxy, directory(t, serve(t, "app", nil)))
		o.OwnDelay = true
		r := routertest.Start(t, o)
		r.Signal(syscall.SIGTERM)
		if code := r.Ends(soon); code != 0 {
			t.Errorf("the router ends with %d", code)
		}
	})
}
