package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"router/test/certs"
)

// secret is the manifest of a Secret with a certificate and its key.
func secret(name string, p certs.Pair) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata: {name: %s}\nstringData:\n  tls.crt: |\n%s\n  tls.key: |\n%s\n",
		name, indent(p.Cert), indent(p.Key))
}

// withSecret is the manifest of an edge route whose certificate is in a secret.
func withSecret(name, host, service, secret string) string {
	return route(name, host, service, "  tls: {termination: edge, externalCertificate: {name: "+secret+"}}\n")
}

// pair makes a certificate whose first name tells it from others.
func pair(t *testing.T, a *certs.Authority, names ...string) certs.Pair {
	t.Helper()
	p, err := a.Issue(names...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// weakPair has a key that is too small for TLS libraries, as distributions
// configure them.
func weakPair(t *testing.T, name string) certs.Pair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // that is the point
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "weak"}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return certs.Pair{
		Cert: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		Key:  string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	}
}

// shows is an error unless clients that ask for a host see the certificate
// with that name, and the pod behind it.
func (r *router) shows(host, certificate, pod string) error {
	c, err := tls.Dial("tcp", r.HTTPS, &tls.Config{ServerName: host, InsecureSkipVerify: true}) //nolint:gosec // looked at below
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if got := c.ConnectionState().PeerCertificates[0].Subject.CommonName; got != certificate {
		return fmt.Errorf("%s is served with the certificate of %s, want %s", host, got, certificate)
	}
	return r.servedBy("https://"+host+"/", pod)
}

// told is an error unless the router says this of a route; part is a part of
// the message.
func (r *router) told(name string, admitted bool, reason, part string) error {
	routes, err := r.routes()
	if err != nil {
		return err
	}
	if got := routes[name]; got.Admitted != admitted || got.Reason != reason || !strings.Contains(got.Message, part) {
		return fmt.Errorf("route %s is reported as %+v, want admitted %v, %s %q", name, got, admitted, reason, part)
	}
	return nil
}

func TestCertificatesFromSecrets(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		ca, app, d := authority(t), runApp(t, "app", 1, nil), newDirectory(t)
		first, second, third := pair(t, ca, "first", "one.test"), pair(t, ca, "second", "one.test"), pair(t, ca, "third", "two.test")
		broken := certs.Pair{Cert: second.Cert, Key: third.Key}
		d.write("app.yaml", app.manifest(""),
			withSecret("one", "one.test", "app", "one"), withSecret("mismatch", "mismatch.test", "app", "mismatch"),
			withSecret("missing", "missing.test", "app", "missing"), withSecret("opaque", "opaque.test", "app", "opaque"))
		d.write("one.yaml", secret("one", first))
		d.write("mismatch.yaml", secret("mismatch", broken))
		d.write("opaque.yaml", strings.Replace(secret("opaque", first), "kubernetes.io/tls", "Opaque", 1))
		r := start(t, haproxy, "--manifests", d.dir)

		if err := r.shows("one.test", "first", "app-1"); err != nil {
			t.Error(err)
		}
		// A route that never had a certificate of its own is not served, least
		// of all with the default one.
		for name, want := range map[string][2]string{
			"mismatch": {"ExtendedValidationFailed", "private key does not match public key"},
			"missing":  {"ExternalCertificateValidationFailed", `spec.tls.externalCertificate: Not found: "missing"`},
			"opaque":   {"ExternalCertificateValidationFailed", `secret of type "kubernetes.io/tls" required`},
		} {
			if err := r.told(name, false, want[0], want[1]); err != nil {
				t.Error(err)
			}
			if err := r.status("https://"+name+".test/", 503); err != nil {
				t.Error(err)
			}
		}

		reloads, err := r.metric("router_reloads_total")
		if err != nil {
			t.Fatal(err)
		}
		d.write("one.yaml", secret("one", second))
		eventually(t, "the secret's new certificate is served", func() error { return r.shows("one.test", "second", "app-1") })
		if err := r.told("one", true, "", ""); err != nil {
			t.Error(err)
		}
		d.write("one.yaml", secret("one", broken))
		eventually(t, "a broken secret is reported", func() error {
			return r.told("one", true, "ExtendedValidationFailed", "private key does not match public key; the last good certificate is served")
		})
		if err := r.shows("one.test", "second", "app-1"); err != nil {
			t.Errorf("with a broken secret: %v", err)
		}
		d.write("one.yaml", secret("one", weakPair(t, "one.test")))
		eventually(t, "a secret that the TLS library refuses is reported", func() error {
			return r.told("one", true, "ExtendedValidationFailed", "the router's TLS library refuses it")
		})
		if err := r.shows("one.test", "second", "app-1"); err != nil {
			t.Errorf("with a weak key: %v", err)
		}
		d.write("one.yaml", secret("one", first))
		eventually(t, "the mended secret's certificate is served", func() error { return r.shows("one.test", "first", "app-1") })
		if err := r.told("one", true, "", ""); err != nil {
			t.Error(err)
		}
		d.remove("one.yaml")
		eventually(t, "a removed secret is reported", func() error {
			return r.told("one", true, "ExternalCertificateSecretDeleted", `secret "one" deleted for route "default/one"; the last good`)
		})
		if err := r.shows("one.test", "first", "app-1"); err != nil {
			t.Errorf("with a removed secret: %v", err)
		}
		d.write("one.yaml", secret("one", second))
		eventually(t, "the certificate of the secret that is back is served", func() error { return r.shows("one.test", "second", "app-1") })
		if after, err := r.metric("router_reloads_total"); err != nil || after != reloads {
			t.Errorf("certificates took %v reloads, %v", after-reloads, err)
		}
		d.write("missing.yaml", secret("missing", third))
		eventually(t, "a route is served once its secret is there", func() error { return r.shows("missing.test", "third", "app-1") })
	})
}
