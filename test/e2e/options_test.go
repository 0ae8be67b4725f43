package e2e

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"router/test/haproxies"
	"router/test/routertest"
)

// TestTheStatisticsPortsOptions starts the router with what the reference
// router's variables say about port 1936.
func TestTheStatisticsPortsOptions(t *testing.T) {
	ca := authority(t)
	pair, err := ca.IssueFor([]net.IP{net.IPv4(127, 0, 0, 1)}, "stats.test")
	if err != nil {
		t.Fatal(err)
	}
	dir, temporary := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{"cert.pem": pair.Cert, "key.pem": pair.Key} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var unready atomic.Bool
	asked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if unready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer asked.Close()
	for name, value := range map[string]string{
		"TMPDIR": temporary, "OPENSHIFT_PROFILE": "mem-tmp", "ROUTER_METRICS_TYPE": "haproxy", "ROUTER_METRICS_READY_HTTP_URL": asked.URL,
		"ROUTER_METRICS_HAPROXY_EXPORTED": "6,18", "ROUTER_METRICS_HAPROXY_BASE_SCRAPE_INTERVAL": "1h", "ROUTER_METRICS_HAPROXY_TIMEOUT": "10s",
		"ROUTER_METRICS_HAPROXY_SERVER_THRESHOLD": "7", "ROUTER_BIND_PORTS_BEFORE_SYNC": "true", "MAX_RELOAD_WAIT_TIME": "60",
		"ROUTER_METRICS_TLS_CERT_FILE": filepath.Join(dir, "cert.pem"), "ROUTER_METRICS_TLS_KEY_FILE": filepath.Join(dir, "key.pem"),
		"ROUTER_METRICS_TLS_MIN_VERSION": "VersionTLS12", "ROUTER_METRICS_TLS_CIPHERS": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ROUTER_METRICS_TLS_CURVES": "secp384r1",
		"ROUTER_SERVICE_NAMESPACE": "openshift-ingress", "RELOAD_SCRIPT": "/bin/true", "ROUTER_UPDATE_STATUS": "yes",
	} {
		t.Setenv(name, value)
	}
	r := start(t, haproxies.All(t)[0].Path, "--manifests", t.TempDir(), "--v=4")

	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), MaxVersion: tls.VersionTLS12}} //nolint:gosec // the suite asked for is one of 1.2
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+r.Stats+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("admin", routertest.Password)
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil || response.StatusCode != http.StatusOK || response.TLS.CipherSuite != tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 || response.TLS.CurveID != tls.CurveP384 {
		t.Errorf("%s, %s %v, %v", response.Status, tls.CipherSuiteName(response.TLS.CipherSuite), response.TLS.CurveID, err)
	}
	for text, want := range map[string]bool{
		"\nhaproxy_up 1\n": true, "\nhaproxy_frontend_limit_sessions{": true, "\nhaproxy_backend_weight{": true, "_current_sessions": false,
		"\nhaproxy_exporter_server_threshold{type=\"limit\"} 7\n": true, "\nhaproxy_exporter_scrape_interval 359": true,
	} {
		if strings.Contains(string(body), text) != want {
			t.Errorf("%q in the metrics: not %v:\n%s", text, want, body)
		}
	}

	if a, err := r.statistics("/healthz?verbose"); err != nil || strings.Contains(a.body, "admin-socket") {
		t.Errorf("liveness says %q, %v", a.body, err)
	}
	unready.Store(true)
	if a, err := r.statistics("/healthz/ready"); err != nil || a.StatusCode != http.StatusInternalServerError || !strings.Contains(a.body, "[-]backend-http failed") {
		t.Errorf("readiness says %s %q, %v", a.Status, a.body, err)
	}

	r.Stop()
	if info, err := os.Stat(filepath.Join(temporary, "mem.pprof")); err != nil || info.Size() == 0 {
		t.Errorf("the profile is %v, %v", info, err)
	}
	log := r.Stderr.String()
	for text, want := range map[string]bool{
		"RELOAD_SCRIPT) has no effect: ": true, "ROUTER_SERVICE_NAMESPACE": false, "level=DEBUG": true, "--update-status) counts as false: ": true,
	} {
		if strings.Contains(log, text) != want {
			t.Errorf("%q in the log: not %v:\n%s", text, want, log)
		}
	}
}

// TestAProtectionThatCannotBeReadEndsTheStart is about variables that keep
// something out.
func TestAProtectionThatCannotBeReadEndsTheStart(t *testing.T) {
	out, err := run(t, "ROUTER_MUTUAL_TLS_AUTH=requierd")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(out, `error: ROUTER_MUTUAL_TLS_AUTH (--mutual-tls-auth): "requierd" must be one of none, optional, required`) {
		t.Errorf("the router says %q, %v", out, err)
	}
}
