package options

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"router/test/routertest"
)

// limited is a program that runs the router with limits of open files.
func limited(t *testing.T, soft, hard int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "limited")
	script := fmt.Sprintf("#!/bin/sh\nulimit -Sn %d && ulimit -Hn %d && exec %s \"$@\"\n", soft, hard, program)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	return path
}

// TestFewOpenFiles fills the port for HTTP with idle connections. HAProxy keeps
// the descriptors that it needs for itself.
func TestFewOpenFiles(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		dir := directory(t, serve(t, "app", nil))
		o := options(haproxy, dir, "--threads=2")
		o.Program = limited(t, 256, 512)
		r := routertest.Start(t, o)
		const fit = (512 - 100 - 2*4) / 2
		if got := r.Info("Maxconn"); got != strconv.Itoa(fit) {
			t.Errorf("HAProxy takes %s connections, want %d", got, fit)
		}
		said := r.Stderr.String()
		if strings.Count(said, "--max-connections") != 1 || !strings.Contains(said, fmt.Sprintf("wanted=2000 connections=%d limit=512 needed=4108", fit)) {
			t.Errorf("the router says %s", said)
		}
		metrics := statisticsPage(t, r, "/metrics")
		for kind, want := range map[string]int{"wanted": 2000, "effective": fit} {
			if line := fmt.Sprintf("router_max_connections{kind=%q} %d\n", kind, want); !strings.Contains(metrics, line) {
				t.Errorf("/metrics has no %s", line)
			}
		}
		for range 700 {
			conn := must[net.Conn](t)(net.DialTimeout("tcp", r.HTTP, routertest.Patience))
			t.Cleanup(func() { _ = conn.Close() })
		}
		routertest.Eventually(t, "the port is full", func() error {
			if got := r.Info("CurrConns"); got != strconv.Itoa(fit) {
				return fmt.Errorf("there are %s connections", got)
			}
			return nil
		})
		resp, err := http.Get("http://" + r.Stats + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("liveness has status %d", resp.StatusCode)
		}
		if said := r.Stderr.String(); strings.Contains(said, "FD limit") || strings.Contains(said, "ulimit-n") || strings.Contains(said, "level=ERROR") {
			t.Errorf("HAProxy lacks descriptors: %s", said)
		}
	})
}

// TestEnoughOpenFiles has a soft limit that would not do; HAProxy raises it.
func TestEnoughOpenFiles(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		dir := directory(t, serve(t, "app", nil))
		for connections, want := range map[string]string{"300": "300", "auto": ""} {
			o := options(haproxy, dir, "--max-connections", connections)
			o.Program = limited(t, 128, 1024)
			r := routertest.Start(t, o)
			if got := r.Info("Maxconn"); want != "" && got != want {
				t.Errorf("HAProxy takes %s connections, want %s", got, want)
			}
			limit, needed := must[int](t)(strconv.Atoi(r.Info("Ulimit-n"))), must[int](t)(strconv.Atoi(r.Info("Maxsock")))
			if limit < needed || limit > 1024 {
				t.Errorf("HAProxy may open %d files, and needs %d", limit, needed)
			}
			if said := r.Stderr.String(); strings.Contains(said, "FD limit") || strings.Contains(said, "--max-connections") {
				t.Errorf("%s: the router says %s", connections, said)
			}
			r.Stop()
		}
	})
}

// statisticsPage is what port 1936 has at a path.
func statisticsPage(t *testing.T, r *routertest.Router, path string) string {
	t.Helper()
	req := must[*http.Request](t)(http.NewRequest(http.MethodGet, "http://"+r.Stats+path, nil))
	req.SetBasicAuth("admin", routertest.Password)
	resp := must[*http.Response](t)(http.DefaultClient.Do(req))
	return body(t, resp)
}

// body reads a response to its end.
func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	return string(must[[]byte](t)(io.ReadAll(resp.Body)))
}
