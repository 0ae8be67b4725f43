package admissiontest

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"regexp"
	"time"

	routev1 "github.com/openshift/api/route/v1"
)

// Material is certificates and keys in PEM, by name: "leaf" is a certificate
// and "leaf-key" its key. Sane ones are
//
//	ca            an authority
//	middle        an intermediate authority of ca
//	leaf          a certificate by ca
//	deep          a certificate by middle
//	self          a self-signed certificate
//	rsa, ed25519  self-signed ones with keys of these types
//	expired, future  self-signed ones whose time is over or has not come
//
// and there are pieces that are wrong in one way each.
type Material struct{ blocks map[string]string }

// NewMaterial makes new keys and certificates around Now.
func NewMaterial() (*Material, error) {
	m := &issuer{blocks: map[string]string{}, certs: map[string]*x509.Certificate{}, keys: map[string]crypto.Signer{}}
	for _, name := range []string{"ca", "middle", "leaf", "deep", "self", "expired", "future", "other", "sha1-leaf", "sha1-self"} {
		m.key(name, func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })
	}
	m.key("rsa", func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) })
	m.key("ed25519", func() (crypto.Signer, error) {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		return k, err
	})
	m.issue("ca", "ca", nil)
	m.issue("middle", "ca", func(t *x509.Certificate) { t.IsCA = true })
	m.issue("leaf", "ca", nil)
	m.issue("deep", "middle", nil)
	for _, name := range []string{"self", "rsa", "ed25519", "other"} {
		m.issue(name, name, nil)
	}
	m.issue("expired", "expired", func(t *x509.Certificate) { t.NotAfter = Now().Add(-time.Hour) })
	m.issue("future", "future", func(t *x509.Certificate) { t.NotBefore = Now().Add(time.Hour) })
	m.issue("sha1-leaf", "ca", func(t *x509.Certificate) { t.SignatureAlgorithm = x509.ECDSAWithSHA1 })
	m.issue("sha1-self", "sha1-self", func(t *x509.Certificate) { t.SignatureAlgorithm = x509.ECDSAWithSHA1 })
	m.odd()
	return &Material{m.blocks}, m.err
}

// PEM returns a text in which each "<name>" is the block of that name.
func (m *Material) PEM(text string) (string, error) {
	var err error
	filled := token.ReplaceAllStringFunc(text, func(name string) string {
		block, known := m.blocks[name[1:len(name)-1]]
		if !known {
			err = fmt.Errorf("no material has the name %s", name)
		}
		return block
	})
	return filled, err
}

var token = regexp.MustCompile(`<[a-z0-9-]+>`)

// fill replaces the names in a route's fields.
func (m *Material) fill(tls *routev1.TLSConfig) error {
	if tls == nil {
		return nil
	}
	for _, f := range []*string{&tls.Certificate, &tls.Key, &tls.CACertificate, &tls.DestinationCACertificate} {
		var err error
		if *f, err = m.PEM(*f); err != nil {
			return err
		}
	}
	return nil
}

// issuer makes the material; the first error stays.
type issuer struct {
	blocks map[string]string
	certs  map[string]*x509.Certificate
	keys   map[string]crypto.Signer
	serial int64
	err    error
}

func (m *issuer) put(name, kind string, der []byte, err error) {
	if err != nil {
		m.err = fmt.Errorf("%s: %w", name, err)
		return
	}
	m.blocks[name] = string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func (m *issuer) key(name string, generate func() (crypto.Signer, error)) {
	k, err := generate()
	if m.err != nil || err != nil {
		m.put(name, "", nil, err)
		return
	}
	m.keys[name] = k
	der, err := x509.MarshalPKCS8PrivateKey(k)
	m.put(name+"-key", "PRIVATE KEY", der, err)
}

func (m *issuer) issue(name, by string, change func(*x509.Certificate)) {
	if m.err != nil {
		return
	}
	m.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(m.serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"www.example.org"},
		NotBefore: Now().AddDate(-1, 0, 0), NotAfter: Now().AddDate(20, 0, 0),
		IsCA: name == by, BasicConstraintsValid: true,
	}
	if change != nil {
		change(template)
	}
	parent := m.certs[by]
	if name == by {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, m.keys[name].Public(), m.keys[by])
	m.put(name, "CERTIFICATE", der, err)
	if m.err == nil {
		m.certs[name], m.err = x509.ParseCertificate(der)
	}
}

// odd makes the pieces that are wrong, or unusual, in one way each.
func (m *issuer) odd() {
	if m.err != nil {
		return
	}
	leaf := m.keys["leaf"].(*ecdsa.PrivateKey)
	der, err := x509.MarshalECPrivateKey(leaf)
	m.put("leaf-key-sec1", "EC PRIVATE KEY", der, err)
	m.put("leaf-key-mislabelled", "RSA PRIVATE KEY", der, err)
	m.put("rsa-key-pkcs1", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(m.keys["rsa"].(*rsa.PrivateKey)), nil)
	der, err = x509.MarshalPKIXPublicKey(leaf.Public())
	m.put("leaf-public", "PUBLIC KEY", der, err)
	der, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "request"}}, leaf)
	m.put("request", "CERTIFICATE REQUEST", der, err)
	exchange, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err == nil {
		der, err = x509.MarshalPKCS8PrivateKey(exchange)
	}
	m.put("x25519-key", "PRIVATE KEY", der, err)
	m.put("ec-parameters", "EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}, nil)
	m.put("encrypted-key", "ENCRYPTED PRIVATE KEY", []byte("not readable"), nil)
	m.put("broken", "CERTIFICATE", []byte("not a certificate"), nil)
	m.put("broken-key", "PRIVATE KEY", []byte("not a key"), nil)
	m.blocks["cut-off"] = m.blocks["leaf"][:len(m.blocks["leaf"])/2] + "\n"
	m.blocks["proc-type-key"] = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
}
