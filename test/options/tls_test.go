package options

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"router/test/certs"
	"router/test/routertest"
)

// shake makes a TLS connection and says what was agreed on.
func shake(r *routertest.Router, config *tls.Config) (tls.ConnectionState, error) {
	config.InsecureSkipVerify = true
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: routertest.Patience}, "tcp", r.HTTPS, config)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState(), nil
}

func agreed(t *testing.T, r *routertest.Router, what string, config *tls.Config, check func(tls.ConnectionState) bool) {
	t.Helper()
	if state, err := shake(r, config); err != nil || !check(state) {
		t.Errorf("%s: version %x, suite %s, group %v, protocol %q, %v", what, state.Version, tls.CipherSuiteName(state.CipherSuite), state.CurveID, state.NegotiatedProtocol, err)
	}
}

func refused(t *testing.T, r *routertest.Router, what string, config *tls.Config) {
	t.Helper()
	if state, err := shake(r, config); err == nil {
		t.Errorf("%s: there is a connection, version %x, suite %s", what, state.Version, tls.CipherSuiteName(state.CipherSuite))
	}
}

// named is the name in the certificate that the router shows.
func named(name string) func(tls.ConnectionState) bool {
	return func(s tls.ConnectionState) bool { return s.PeerCertificates[0].Subject.CommonName == name }
}

func TestTLS(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		ca := authority(t, "servers")
		pair := func(name string) certs.Pair { return must[certs.Pair](t)(ca.Issue(name)) }
		own := pair("own.test")
		indent := func(text string) string { return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ") }
		address := serve(t, "app", nil)
		dir := directory(t, address, route("own", "app", "  tls:\n   termination: edge\n   certificate: |\n"+indent(own.Cert)+"\n   key: |\n"+indent(own.Key)+"\n"))
		h2 := []string{"h2", "http/1.1"}

		t.Run("defaults", func(t *testing.T) {
			made := pair("by-path")
			file := write(t, filepath.Join(t.TempDir(), "pem"), made.Key+made.Cert+ca.PEM)
			r := start(t, haproxy, dir, "--default-certificate-path", file, "--ciphers=old")
			agreed(t, r, "HTTP/2", &tls.Config{NextProtos: h2}, func(s tls.ConnectionState) bool { return s.NegotiatedProtocol == "h2" && named("by-path")(s) })
			agreed(t, r, "HTTP/1.1", &tls.Config{NextProtos: h2[1:], MaxVersion: tls.VersionTLS12}, func(s tls.ConnectionState) bool { return s.NegotiatedProtocol == "http/1.1" }) //nolint:gosec // what is to be refused, or agreed on
			agreed(t, r, "its own certificate", &tls.Config{ServerName: "own.test", NextProtos: h2}, func(s tls.ConnectionState) bool { return named("own.test")(s) && s.NegotiatedProtocol == "h2" })
			agreed(t, r, "no such host", &tls.Config{ServerName: "nowhere.test"}, func(s tls.ConnectionState) bool {
				return named("by-path")(s) && len(s.PeerCertificates) == 2
			})
			refused(t, r, "TLS 1.1", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})        //nolint:gosec // what is to be refused, or agreed on
			a, err := ask(client(t, r, &tls.Config{InsecureSkipVerify: true, NextProtos: h2}), "https://edge.test/") //nolint:gosec // a test
			if err != nil || a.ProtoMajor != 2 || a.echo.Headers.Get("X-Forwarded-Proto-Version") != "h2" {
				t.Errorf("HTTP/2: %v, %v, %v", a.Response, a.echo.Headers, err)
			}
		})
		t.Run("1.3", func(t *testing.T) {
			files := t.TempDir()
			rotate := func(p certs.Pair) {
				write(t, filepath.Join(files, "tls.key"), strings.TrimSpace(p.Key))
				write(t, filepath.Join(files, "tls.crt"), strings.TrimSpace(p.Cert))
			}
			rotate(pair("first"))
			r := start(t, haproxy, dir, "--default-certificate-dir", files, "--ssl-min-version=TLSv1.3", "--ciphersuites=TLS_AES_256_GCM_SHA384", "--curves=P-384:P-256", "--disable-http2")
			agreed(t, r, "TLS 1.3", &tls.Config{NextProtos: h2, CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP384}}, func(s tls.ConnectionState) bool {
				return s.Version == tls.VersionTLS13 && s.CipherSuite == tls.TLS_AES_256_GCM_SHA384 && s.CurveID == tls.CurveP384 && s.NegotiatedProtocol == "http/1.1" && named("first")(s)
			})
			refused(t, r, "only X25519", &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519}})
			refused(t, r, "TLS 1.2", &tls.Config{MaxVersion: tls.VersionTLS12}) //nolint:gosec // what is to be refused, or agreed on
			if a, err := ask(client(t, r, nil), "https://edge.test/"); err != nil || a.StatusCode != http.StatusOK {
				t.Errorf("a request: %v, %v", a.Response, err)
			}
			worker := r.Info("Pid")
			rotate(pair("second"))
			routertest.Eventually(t, "the renewed default certificate is shown", func() error {
				state, err := shake(r, &tls.Config{})
				if err == nil && !named("second")(state) {
					err = errors.New("it is another one")
				}
				return err
			})
			if now := r.Info("Pid"); now != worker {
				t.Errorf("the default certificate was changed by a reload: %s, then %s", worker, now)
			}
			// A half that does not fit leaves the pair before in place.
			write(t, filepath.Join(files, "tls.key"), pair("other").Key)
			routertest.Eventually(t, "a message about the file", func() error {
				if text := r.Stderr.String(); !strings.Contains(text, "DEFAULT_CERTIFICATE_DIR") {
					return fmt.Errorf("it says %s", text)
				}
				return nil
			})
			agreed(t, r, "half renewed", &tls.Config{}, named("second"))
			if info, err := os.Stat(filepath.Join(r.Dir, "router", "certs", "default.pem")); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the file with the key: %v, %v", info, err)
			}
		})
		t.Run("1.2 and strict names", func(t *testing.T) {
			made := pair("inline")
			o := options(haproxy, dir, "--ssl-max-version=TLSv1.2", "--ciphers=ECDHE-ECDSA-AES256-GCM-SHA384", "--strict-sni")
			o.Env = []string{"DEFAULT_CERTIFICATE=" + made.Cert + made.Key}
			r := routertest.Start(t, o)
			agreed(t, r, "TLS 1.2", &tls.Config{ServerName: "own.test"}, func(s tls.ConnectionState) bool {
				return s.Version == tls.VersionTLS12 && s.CipherSuite == tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 && named("own.test")(s)
			})
			refused(t, r, "another cipher", &tls.Config{ServerName: "own.test", CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}})
			refused(t, r, "a host without a certificate", &tls.Config{ServerName: "edge.test"})
			agreed(t, r, "no host", &tls.Config{}, named("inline"))
			if text := r.Stderr.String() + r.Stdout.String(); strings.Contains(text, "PRIVATE KEY") {
				t.Error("a key is logged")
			}
		})
	})
}

// TestDefaultDestinationCA verifies re-encrypt servers by the router's own
// CA, which changes while it runs.
func TestDefaultDestinationCA(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		ca, other := authority(t, "services"), authority(t, "others")
		cert := must[tls.Certificate](t)(must[certs.Pair](t)(ca.Issue("re.default.svc")).TLS())
		address := serveTLS(t, "secure", &tls.Config{Certificates: []tls.Certificate{cert}}) //nolint:gosec // a test
		file := write(t, filepath.Join(t.TempDir(), "ca"), other.PEM)
		dir := directory(t, serve(t, "app", nil), service("re", address), route("re", "re", "  tls: {termination: reencrypt}\n"))
		r := start(t, haproxy, dir, "--default-destination-ca-path", file)
		if a := get(t, r, "https://re.test/"); a.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a server of another authority: status %d", a.StatusCode)
		}
		write(t, file, "# Renewed.\n"+ca.PEM)
		routertest.Eventually(t, "the new CA is trusted", func() error {
			if a := get(t, r, "https://re.test/"); a.StatusCode != http.StatusOK {
				return fmt.Errorf("status %d", a.StatusCode)
			}
			return nil
		})
		// It is no longer trusted, either.
		write(t, file, other.PEM)
		routertest.Eventually(t, "the former CA is not trusted", func() error {
			if a := get(t, r, "https://re.test/"); a.StatusCode != http.StatusServiceUnavailable {
				return fmt.Errorf("status %d", a.StatusCode)
			}
			return nil
		})
	})
}
