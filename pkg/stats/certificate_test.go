package stats_test

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"router/pkg/given"
	"router/pkg/stats"
	"router/test/certs"
)

func TestARenewedCertificateIsServed(t *testing.T) {
	authority, err := certs.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	write := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	issue := func(name string) certs.Pair {
		t.Helper()
		pair, err := authority.Issue(name)
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	now := time.Unix(1000, 0)
	options := stats.CertificateOptions{CertFile: given.Path(certFile), KeyFile: given.Path(keyFile), Now: func() time.Time { return now }}
	if _, err := stats.NewCertificate(options); err == nil {
		t.Fatal("files that are missing are no error")
	}
	one, two := issue("one.test"), issue("two.test")
	write(certFile, one.Cert)
	write(keyFile, two.Key)
	if _, err := stats.NewCertificate(options); err == nil {
		t.Fatal("a key of another certificate is no error")
	}
	write(keyFile, one.Key)
	c, err := stats.NewCertificate(options)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		do   func()
		wait time.Duration
		want string
	}{
		{"at first", func() {}, 0, "one.test"},
		{"renewed just now", func() { write(certFile, two.Cert) }, 29 * time.Second, "one.test"},
		{"whose key is still the old one", func() {}, time.Second, "one.test"},
		{"renewed", func() { write(keyFile, two.Key) }, 30 * time.Second, "two.test"},
		{"gone", func() { _ = os.Remove(certFile) }, 30 * time.Second, "two.test"},
	} {
		step.do()
		now = now.Add(step.wait)
		pair, err := c.Get(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := leaf.DNSNames[0]; got != step.want {
			t.Errorf("%s: got %s, want %s", step.name, got, step.want)
		}
	}
}

func TestSecretsInPlaceOfPathsAreNotShown(t *testing.T) {
	const token = "Hunter2Hunter2"
	for _, o := range []stats.CertificateOptions{{CertFile: token, KeyFile: "x"}, {CertFile: "certificate_test.go", KeyFile: token}} {
		if _, err := stats.NewCertificate(o); err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("the error is %v", err)
		}
	}
}
