package admission_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"

	"router/pkg/controller/admission"
	"router/test/admissiontest"
)

// oneLook is how long the look at one route may take, with room for a busy
// machine: all tenants wait for it.
const oneLook = 2 * time.Second

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// signed is a certificate that says it was issued by "N".
func signed(t *testing.T, subject string, public crypto.PublicKey, by *ecdsa.PrivateKey) string {
	t.Helper()
	made := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: subject},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, made, &x509.Certificate{Subject: pkix.Name{CommonName: "N"}}, public, by)
	if err != nil {
		t.Fatal(err)
	}
	return block("CERTIFICATE", der)
}

// hugeRSA is the private key of so many bits, as far as its form goes.
func hugeRSA(t *testing.T, bits uint) string {
	t.Helper()
	number := func(bits uint) *big.Int {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return n.Add(n, big.NewInt(12345))
	}
	half := number(bits / 2)
	der, err := asn1.Marshal(struct {
		Version                        int
		N                              *big.Int
		E                              int
		D, P, Q, ExpP, ExpQ, Remainder *big.Int
	}{0, new(big.Int).Mul(half, half), 65537, number(bits - 1), half, half, half, half, half})
	if err != nil {
		t.Fatal(err)
	}
	return block("RSA PRIVATE KEY", der)
}

// What a tenant writes to spec.tls to keep the router busy is refused before
// it does.
func TestCostlyCertificatesAreRefusedSoon(t *testing.T) {
	authority, leaf := newKey(t), newKey(t)
	der, err := x509.MarshalECPrivateKey(leaf)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := signed(t, "leaf", leaf.Public(), authority), block("EC PRIVATE KEY", der)
	elsewhere := signed(t, "elsewhere", newKey(t).Public(), authority)
	// All have the name of the issuer; half of them are, and so each of these
	// has to be asked about each of the others.
	var crowd strings.Builder
	for range 200 {
		crowd.WriteString(signed(t, "N", authority.Public(), authority))
		crowd.WriteString(signed(t, "N", newKey(t).Public(), authority))
	}
	modulus := new(big.Int).Lsh(big.NewInt(1), 400_000)
	wide := signed(t, "N", &rsa.PublicKey{N: modulus.Add(modulus, big.NewInt(1)), E: 65537}, authority)
	for _, c := range []struct {
		name string
		tls  routev1.TLSConfig
		want string
	}{
		{"ways to no authority", routev1.TLSConfig{Certificate: cert + crowd.String(), Key: key, CACertificate: elsewhere}, "more than 100 signatures"},
		{"many ways to an authority", routev1.TLSConfig{Certificate: cert, Key: key, CACertificate: crowd.String()}, ""},
		{"a wide public key", routev1.TLSConfig{Certificate: cert + wide, Key: key, CACertificate: elsewhere}, "RSA key of 400001 bits"},
		{"a wide public key of a CA", routev1.TLSConfig{Certificate: cert, Key: key, CACertificate: wide}, "RSA key of 400001 bits"},
		{"a wide public key of a destination CA", routev1.TLSConfig{Termination: routev1.TLSTerminationReencrypt, DestinationCACertificate: wide}, "RSA key of 400001 bits"},
		{"a wide private key", routev1.TLSConfig{Certificate: cert, Key: hugeRSA(t, 1_000_000)}, "private key is too large"},
		{"a private key wider than any that is served", routev1.TLSConfig{Certificate: cert, Key: hugeRSA(t, 16384)}, "private key is too large"},
		{"many private keys", routev1.TLSConfig{Certificate: cert, Key: strings.Repeat(key, 5000)}, "more than 4 private keys"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &routev1.Route{}
			r.Namespace, r.Name, r.Spec.Host, r.Spec.TLS = "n", "r", "h.test", &c.tls
			if c.tls.Termination == "" {
				c.tls.Termination = routev1.TLSTerminationEdge
			}
			began := time.Now()
			v := decide(r, options())
			if took := time.Since(began); took > oneLook {
				t.Errorf("the look took %v", took)
			}
			if c.want == "" {
				if !v.Admitted {
					t.Errorf("verdict is %+v", v)
				}
				return
			}
			if v.Admitted || v.Reason != admission.ExtendedValidationFailed || !strings.Contains(v.Message, c.want) {
				t.Errorf("verdict is %+v", v)
			}
		})
	}
}

// A key that costs everybody's handshakes is not served, wherever it comes
// from; that of an authority costs a verification.
func TestWidthOfServedKeys(t *testing.T) {
	authority := newKey(t)
	for _, c := range []struct {
		name string
		bits uint
		want string
	}{
		{"as wide as may be", 4096, ""},
		{"a bit wider", 4097, "RSA key of 4097 bits, whose handshakes would hold up everybody's; at most 4096 are served"},
		{"as wide as an authority's may be", 16384, "RSA key of 16384 bits, whose handshakes would hold up everybody's; at most 4096 are served"},
	} {
		modulus := new(big.Int).Lsh(big.NewInt(1), c.bits-1)
		wide := signed(t, "N", &rsa.PublicKey{N: modulus.Add(modulus, big.NewInt(1)), E: 65537}, authority)
		key := hugeRSA(t, c.bits)
		served := &routev1.TLSConfig{Termination: routev1.TLSTerminationEdge, Certificate: wide, Key: key}
		_, failures := admission.Certificate(served)
		if text := failures.ToAggregate(); c.want != "" && (text == nil || !strings.Contains(text.Error(), c.want)) {
			t.Errorf("%s: served: %v", c.name, text)
		} else if c.want == "" && text != nil && strings.Contains(text.Error(), "bits") {
			t.Errorf("%s: served: %v", c.name, text)
		}
		for _, validate := range []bool{false, true} {
			r := withTLS(*served)
			v := decide(r, admission.Options{Validate: validate, Now: admissiontest.Now})
			if c.want != "" && (v.Admitted || v.Reason != admission.ExtendedValidationFailed || !strings.Contains(v.Message, c.want)) {
				t.Errorf("%s: verdict is %+v", c.name, v)
			}
		}
		v := decide(withTLS(routev1.TLSConfig{Termination: routev1.TLSTerminationReencrypt, DestinationCACertificate: wide}), options())
		if !v.Admitted {
			t.Errorf("%s: an authority: verdict is %+v", c.name, v)
		}
	}
}
