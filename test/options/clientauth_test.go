package options

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"router/test/certs"
	"router/test/routertest"
)

// far is when lists expire that are not to.
var far = time.Date(2060, 1, 1, 0, 0, 0, 0, time.UTC)

// as is a TLS configuration of a client that shows the pair, and keeps
// sessions to resume them.
func as(t *testing.T, pair certs.Pair, version uint16) *tls.Config {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(0)} //nolint:gosec // a test
	if pair.Cert != "" {
		cert := must[tls.Certificate](t)(pair.TLS())
		// Even to a server that asks for other authorities' certificates.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	}
	return config
}

// status asks on a new connection that may resume a session of the
// configuration; 0 is a handshake that was refused.
func status(t *testing.T, r *routertest.Router, config *tls.Config) int {
	t.Helper()
	c := client(t, r, config)
	defer c.CloseIdleConnections()
	a, err := ask(c, "https://edge.test/")
	if err != nil {
		return 0
	}
	return a.StatusCode
}

func becomes(t *testing.T, r *routertest.Router, what string, config *tls.Config, want int) {
	t.Helper()
	routertest.Eventually(t, what, func() error {
		if got := status(t, r, config); got != want {
			return fmt.Errorf("status %d, want %d", got, want)
		}
		return nil
	})
}

// published is a list of revoked certificates that authorities point to.
type published struct {
	url    string
	issuer atomic.Pointer[certs.Authority]
	// revoked is who is on the list; with nil, there is no list to be had.
	revoked atomic.Pointer[[]certs.Pair]
}

// lifetime of a published list. It is made when it is asked for.
const lifetime = 4 * time.Second

func publish(t *testing.T) *published {
	t.Helper()
	p := &published{}
	p.url = "http://" + serve(t, "", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		revoked := p.revoked.Load()
		if revoked == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		text, err := p.issuer.Load().CRL(time.Now().Add(lifetime), *revoked...)
		if err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, text)
	})) + "/list.crl"
	return p
}

func TestRequiredClientCertificates(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		list := publish(t)
		ca, stranger := authority(t, "clients", "ldap://nowhere/", list.url), authority(t, "strangers")
		list.issuer.Store(ca)
		good, bad, other := must[certs.Pair](t)(ca.Issue("good.clients")), must[certs.Pair](t)(ca.Issue("bad.clients")), must[certs.Pair](t)(ca.Issue("other"))
		strange := must[certs.Pair](t)(stranger.Issue("good.clients"))
		caFile := write(t, filepath.Join(t.TempDir(), "ca.pem"), ca.PEM)
		dir := directory(t, serve(t, "app", nil))
		r := start(t, haproxy, dir, "--mutual-tls-auth=required", "--mutual-tls-auth-ca", caFile, "--mutual-tls-auth-filter", `\.clients$`)

		goodTLS, bad12, bad13 := as(t, good, tls.VersionTLS13), as(t, bad, tls.VersionTLS12), as(t, bad, tls.VersionTLS13)
		if got := status(t, r, goodTLS); got != 0 {
			t.Errorf("without the authority's list a client gets status %d", got)
		}
		worker := r.Info("Pid")
		list.revoked.Store(&[]certs.Pair{})
		becomes(t, r, "the list is there", goodTLS, http.StatusOK)
		for name, c := range map[string]struct {
			config *tls.Config
			want   int
		}{
			"no certificate":      {as(t, certs.Pair{}, tls.VersionTLS13), 0},
			"unknown authority":   {as(t, strange, tls.VersionTLS13), 0},
			"subject not allowed": {as(t, other, tls.VersionTLS13), http.StatusForbidden},
			"not revoked, 1.2":    {bad12, http.StatusOK},
			"not revoked, 1.3":    {bad13, http.StatusOK},
		} {
			if got := status(t, r, c.config); got != c.want {
				t.Errorf("%s: status %d, want %d", name, got, c.want)
			}
		}
		headers(t, r, goodTLS)

		list.revoked.Store(&[]certs.Pair{bad})
		becomes(t, r, "a revoked client is refused", as(t, bad, tls.VersionTLS13), 0)
		if a, b := status(t, r, bad12), status(t, r, bad13); a != 0 || b != 0 {
			t.Errorf("a revoked client that resumes its session gets status %d with TLS 1.2, %d with 1.3", a, b)
		}
		if got := status(t, r, goodTLS); got != http.StatusOK {
			t.Errorf("another client gets status %d", got)
		}
		list.revoked.Store(nil)
		becomes(t, r, "a list that has expired and cannot be had anew refuses all", goodTLS, 0)

		// Authorities change, too; the new one names no list. That is the one
		// change here that needs a reload.
		if now := r.Info("Pid"); now != worker {
			t.Errorf("lists were changed by reloads: %s, then %s", worker, now)
		}
		write(t, caFile, stranger.PEM)
		becomes(t, r, "a new authority's client is let in", as(t, strange, tls.VersionTLS13), http.StatusOK)
		if got := status(t, r, goodTLS); got != 0 {
			t.Errorf("a former authority's client gets status %d", got)
		}
	})
}

// headers looks at what the pod is told of the client.
func headers(t *testing.T, r *routertest.Router, config *tls.Config) {
	t.Helper()
	names := []string{"X-SSL", "X-SSL-Client-CN", "X-SSL-Client-DN", "X-SSL-Client-Verify", "X-SSL-Client-Serial", "X-SSL-Client-Version", "X-SSL-Client-SHA1", "X-SSL-Issuer", "X-SSL-Client-NotBefore", "X-SSL-Client-NotAfter", "X-SSL-Client-DER", "X-SSL-Client-Subject"}
	var forged []string
	for _, n := range names {
		forged = append(forged, n+": forged", strings.ReplaceAll(n, "-", "_")+": forged", strings.ToLower(n)+": forged", n+": forged again")
	}
	for url, verified := range map[string]bool{"https://edge.test/": true, "http://edge.test/": false} {
		a, err := ask(client(t, r, config), url, forged...)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(a.body, "forged") {
			t.Errorf("%s: forged headers reach the pod: %s", url, a.body)
		}
		if !verified {
			continue
		}
		for name, want := range map[string]string{
			"X-Ssl": "1", "X-Ssl-Client-Verify": "0", "X-Ssl-Client-Cn": "good.clients", "X-Ssl-Client-Dn": "/CN=good.clients", "X-Ssl-Issuer": "/CN=clients", "X-Ssl-Client-Version": "3",
			"X-Ssl-Client-Notafter": "700101000000Z",
		} {
			if got := a.echo.Headers[name]; len(got) != 1 || got[0] != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		for _, name := range []string{"X-Ssl-Client-Serial", "X-Ssl-Client-Sha1", "X-Ssl-Client-Der", "X-Ssl-Client-Notbefore"} {
			if got := a.echo.Headers.Get(name); len(got) < 4 {
				t.Errorf("%s is %q", name, got)
			}
		}
	}
}

func TestOptionalClientCertificates(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		ca := authority(t, "clients")
		good, bad := must[certs.Pair](t)(ca.Issue("good")), must[certs.Pair](t)(ca.Issue("bad"))
		files := t.TempDir()
		caFile := write(t, filepath.Join(files, "ca.pem"), ca.PEM)
		crlFile := write(t, filepath.Join(files, "crl.pem"), must[string](t)(ca.CRL(far, bad)))
		// With a passthrough route, TLS ends behind a hop of the router's own.
		dir := directory(t, serve(t, "app", nil), route("pass", "app", "  tls: {termination: passthrough}\n"))
		r := start(t, haproxy, dir, "--mutual-tls-auth=optional", "--mutual-tls-auth-ca", caFile, "--mutual-tls-auth-crl", crlFile)
		worker := r.Info("Pid")

		nobody, goodTLS, badTLS := as(t, certs.Pair{}, 0), as(t, good, 0), as(t, bad, 0)
		for name, c := range map[string]struct {
			config *tls.Config
			want   int
		}{"nobody": {nobody, http.StatusOK}, "good": {goodTLS, http.StatusOK}, "bad": {badTLS, 0}} {
			if got := status(t, r, c.config); got != c.want {
				t.Errorf("%s: status %d, want %d", name, got, c.want)
			}
		}
		if a, err := ask(client(t, r, nobody), "https://edge.test/"); err != nil || a.echo.Headers["X-Ssl-Client-Cn"] == nil || a.echo.Headers.Get("X-Ssl-Client-Cn") != "" {
			t.Errorf("a client without a certificate: %v, %v", a.echo.Headers, err)
		}
		write(t, crlFile, must[string](t)(ca.CRL(far, good)))
		becomes(t, r, "the file's new list is in force", badTLS, http.StatusOK)
		if got := status(t, r, goodTLS); got != 0 {
			t.Errorf("the client that is revoked now gets status %d", got)
		}
		write(t, crlFile, "garbage")
		routertest.Eventually(t, "a message about the file", func() error {
			if !strings.Contains(r.Stderr.String(), "ROUTER_MUTUAL_TLS_AUTH_CRL") {
				return fmt.Errorf("it says %s", r.Stderr)
			}
			return nil
		})
		if a, b := status(t, r, goodTLS), status(t, r, badTLS); a != 0 || b != http.StatusOK {
			t.Errorf("with a file that cannot be read, status %d for the revoked client, %d for the other", a, b)
		}
		write(t, crlFile, must[string](t)(ca.CRL(time.Now().Add(-time.Minute))))
		becomes(t, r, "an expired list refuses clients with certificates", badTLS, 0)
		if now := r.Info("Pid"); now != worker {
			t.Errorf("lists were changed by reloads: %s, then %s", worker, now)
		}
		// A list that is too long for a command comes with a reload.
		write(t, crlFile, must[string](t)(ca.CRL(far, slices.Repeat([]certs.Pair{good}, 1000)...)))
		becomes(t, r, "a long list is in force", badTLS, http.StatusOK)
		if got := status(t, r, goodTLS); got != 0 {
			t.Errorf("the client that is revoked by a long list gets status %d", got)
		}
	})
}
