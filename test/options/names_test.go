package options

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"router/test/certs"
	"router/test/routertest"
)

// withCertificate is the tls part of an edge route with a certificate.
func withCertificate(p certs.Pair) string {
	indent := func(text string) string { return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ") }
	return "  tls:\n   termination: edge\n   certificate: |\n" + indent(p.Cert) + "\n   key: |\n" + indent(p.Key) + "\n"
}

// show is an error unless the router shows the certificate of that name to
// clients that ask for the host, with TLS 1.2 and 1.3.
func show(r *routertest.Router, host, name string) error {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		state, err := shake(r, &tls.Config{ServerName: host, MinVersion: version, MaxVersion: version}) //nolint:gosec // a test
		if err != nil {
			return fmt.Errorf("%s, version %x: %w", host, version, err)
		}
		if got := state.PeerCertificates[0].Subject.CommonName; got != name {
			return fmt.Errorf("%s, version %x: the certificate is that of %s", host, version, got)
		}
	}
	return nil
}

func shows(t *testing.T, r *routertest.Router, host, name string) {
	t.Helper()
	if err := show(r, host, name); err != nil {
		t.Error(err)
	}
}

// defaultDirectory has a default certificate that can be renewed.
func defaultDirectory(t *testing.T) (dir string, renew func(certs.Pair)) {
	t.Helper()
	dir = t.TempDir()
	return dir, func(p certs.Pair) {
		write(t, filepath.Join(dir, "tls.key"), p.Key)
		write(t, filepath.Join(dir, "tls.crt"), p.Cert)
	}
}

// A host's own certificate is served to every client, though HAProxy prefers
// the ECDSA certificate of a wildcard above it: the default one, or another
// route's.
func TestOwnCertificatesBelowWildcards(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		ca := authority(t, "servers")
		issue := func(names ...string) certs.Pair { return must[certs.Pair](t)(ca.Issue(names...)) }
		rsa := func(name string) string { return withCertificate(must[certs.Pair](t)(ca.IssueRSA(2048, name))) }
		app := serve(t, "app", nil)
		dir := directory(t, app,
			route("own.example", "app", rsa("own.example.test")),
			route("ed.example", "app", withCertificate(must[certs.Pair](t)(ca.IssueEd25519("ed.example.test")))),
			route("plain.example", "app", "  tls: {termination: edge}\n"),
			route("any.wild", "app", "  wildcardPolicy: Subdomain\n"+withCertificate(issue("*.wild.test"))),
			route("own.wild", "app", rsa("own.wild.test")),
		)
		for name, args := range map[string][]string{"any name": nil, "strict names": {"--strict-sni"}} {
			t.Run(name, func(t *testing.T) {
				defaults, renew := defaultDirectory(t)
				renew(issue("*.example.test", "example.test"))
				r := start(t, haproxy, dir, append([]string{"--allow-wildcard-routes", "--default-certificate-dir", defaults}, args...)...)
				shows(t, r, "own.example.test", "own.example.test")
				shows(t, r, "ed.example.test", "ed.example.test")
				shows(t, r, "plain.example.test", "*.example.test")
				shows(t, r, "own.wild.test", "own.wild.test")
				shows(t, r, "z.wild.test", "*.wild.test")
				agreed(t, r, "no name", &tls.Config{}, named("*.example.test"))
				worker := r.Info("Pid")

				stop := shakeOn(t, r, "z.wild.test", "*.wild.test")
				late := write(t, filepath.Join(dir, "late.yaml"), route("late.wild", "app", rsa("late.wild.test"))+"---\n"+route("late.example", "app", rsa("late.example.test")))
				routertest.Eventually(t, "a certificate that comes later is shown", func() error {
					return errors.Join(show(r, "late.wild.test", "late.wild.test"), show(r, "late.example.test", "late.example.test"))
				})
				shows(t, r, "own.wild.test", "own.wild.test")
				renew(issue("*.example.test", "new.test"))
				routertest.Eventually(t, "the renewed default certificate is shown", func() error {
					return errors.Join(show(r, "new.test", "*.example.test"), show(r, "late.example.test", "late.example.test"))
				})
				if err := os.Remove(late); err != nil {
					t.Fatal(err)
				}
				routertest.Eventually(t, "the wildcards' certificates are shown again", func() error {
					return errors.Join(show(r, "late.wild.test", "*.wild.test"), show(r, "late.example.test", "*.example.test"))
				})
				stop()
				shows(t, r, "own.example.test", "own.example.test")
				if now := r.Info("Pid"); now != worker {
					t.Errorf("there was a reload: %s, then %s", worker, now)
				}
				if said := r.Stderr.String(); strings.Contains(said, "went wrong") || strings.Contains(said, "differs from") {
					t.Error("the router had to repair something")
				}
			})
		}
	})
}

// shakeOn makes handshakes until the function is called; all must get the
// certificate of that name.
func shakeOn(t *testing.T, r *routertest.Router, host, name string) (stop func()) {
	t.Helper()
	var done atomic.Bool
	var group sync.WaitGroup
	group.Go(func() {
		for n := 0; !done.Load(); n++ {
			if err := show(r, host, name); err != nil {
				t.Errorf("handshake %d: %v", n, err)
				return
			}
		}
	})
	stop = sync.OnceFunc(func() { done.Store(true); group.Wait() })
	t.Cleanup(stop)
	return stop
}

// With strict names, clients that ask for a name without a certificate are
// refused in the handshake; those that name none get the default certificate,
// as many load balancers' checks need it.
func TestStrictNames(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		ca := authority(t, "servers")
		inner := must[tls.Certificate](t)(must[certs.Pair](t)(ca.Issue("pass.test")).TLS())
		secure := serveTLS(t, "secure", &tls.Config{Certificates: []tls.Certificate{inner}}) //nolint:gosec // a test
		own := route("own", "app", withCertificate(must[certs.Pair](t)(ca.Issue("own.test"))))
		dir := directory(t, serve(t, "app", nil), own)
		defaults, renew := defaultDirectory(t)
		renew(must[certs.Pair](t)(ca.Issue("default.test")))
		r := start(t, haproxy, dir, "--strict-sni", "--default-certificate-dir", defaults)
		check := func(what string) {
			t.Helper()
			shows(t, r, "own.test", "own.test")
			shows(t, r, "default.test", "default.test")
			agreed(t, r, what+": no name", &tls.Config{}, named("default.test"))
			for _, host := range []string{"nowhere.test", "edge.test", "sub.default.test"} {
				_, err := shake(r, &tls.Config{ServerName: host}) //nolint:gosec // a test
				var alert tls.AlertError
				var op *net.OpError
				if err == nil || !errors.As(err, &alert) && !errors.As(err, &op) || !strings.Contains(err.Error(), "unrecognized name") {
					t.Errorf("%s: %s is not refused in the handshake: %v", what, host, err)
				}
			}
			conn := must[*tls.Conn](t)(tls.Dial("tcp", r.HTTPS, &tls.Config{InsecureSkipVerify: true})) //nolint:gosec // a test
			defer func() { _ = conn.Close() }()
			transport := &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
			a, err := ask(&http.Client{Transport: transport, Timeout: routertest.Patience}, "https://edge.test/")
			if err != nil || a.StatusCode != http.StatusOK || a.echo.Headers.Get("X-Forwarded-For") != "127.0.0.1" || a.echo.Headers.Get("X-Forwarded-Proto") != "https" {
				t.Errorf("%s: a request without a name: %v, %v, %v", what, a.Response, a.echo.Headers, err)
			}
		}
		check("at first")
		write(t, filepath.Join(dir, "pass.yaml"), service("secure", secure)+"---\n"+route("pass", "secure", "  tls: {termination: passthrough}\n"))
		routertest.Eventually(t, "the passthrough route is served", func() error { return show(r, "pass.test", "pass.test") })
		check("beside a passthrough route")
		renew(must[certs.Pair](t)(ca.Issue("default.test", "own.test", "more.test")))
		routertest.Eventually(t, "a new name of the default certificate", func() error { return show(r, "more.test", "default.test") })
		check("with a renewed default certificate")
	})
}
