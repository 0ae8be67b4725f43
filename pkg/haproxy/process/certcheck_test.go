package process

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"router/pkg/model"
	"router/test/haproxies"
)

// selfSigned is a certificate with a key that others would not make.
func selfSigned(t *testing.T, key crypto.Signer) model.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a.test"}, DNSNames: []string{"a.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return model.Certificate{
		Chain: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})),
		Key:   model.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))),
	}
}

func rsaKey(t *testing.T, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ecdsaKey(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestTheTLSLibraryIsAskedAboutCertificates(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		cert    model.Certificate
		asked   bool
		refused bool
	}{
		{name: "RSA of 1024 bits", cert: selfSigned(t, rsaKey(t, 1024)), asked: true, refused: true},
		{name: "P-224", cert: selfSigned(t, ecdsaKey(t, elliptic.P224())), asked: true},
		{name: "RSA of 2048 bits", cert: selfSigned(t, rsaKey(t, 2048))},
		{name: "P-256", cert: selfSigned(t, ecdsaKey(t, elliptic.P256()))},
		{name: "Ed25519", cert: selfSigned(t, edKey)},
	}
	haproxies.Each(t, func(t *testing.T, binary string) {
		dir := t.TempDir()
		// The binary, behind a program that counts how often it is run.
		count, counted := filepath.Join(t.TempDir(), "count"), filepath.Join(t.TempDir(), "haproxy")
		if err := os.WriteFile(counted, []byte("#!/bin/sh\necho >>"+count+"\nexec "+binary+" \"$@\"\n"), 0o700); err != nil { //nolint:gosec // it is run
			t.Fatal(err)
		}
		c := NewCertificateChecker(counted, dir, slog.New(slog.DiscardHandler))
		runs := func() int {
			text, _ := os.ReadFile(count)
			return strings.Count(string(text), "\n")
		}
		for _, tt := range tests {
			before := runs()
			for range 3 {
				err := c.Check(tt.cert)
				if (err != nil) != tt.refused {
					t.Errorf("%s: %v", tt.name, err)
				}
				if err != nil && (!strings.HasPrefix(err.Error(), "the router's TLS library refuses it: ") || strings.Contains(err.Error(), dir)) {
					t.Errorf("%s: message is %q", tt.name, err)
				}
			}
			if got := runs() - before; got != 1 && tt.asked || got != 0 && !tt.asked {
				t.Errorf("%s: HAProxy was run %d times", tt.name, got)
			}
			// What is judged without asking is judged as HAProxy would.
			if answer, err := c.ask(tt.cert); err != nil || (answer != nil) != tt.refused {
				t.Errorf("%s: HAProxy says %v, %v", tt.name, answer, err)
			}
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%v is left behind, %v", left, err)
		}
	})
	c := NewCertificateChecker("/nonexistent", t.TempDir(), slog.New(slog.DiscardHandler))
	if err := c.Check(tests[0].cert); err != nil {
		t.Errorf("without HAProxy: %v", err)
	}
}
