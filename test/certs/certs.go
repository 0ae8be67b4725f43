// Package certs makes certificate authorities and certificates for tests and
// samples.
package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Authority signs certificates.
type Authority struct {
	// PEM is the authority's certificate.
	PEM  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Pair is a certificate and its key, in PEM form.
type Pair struct{ Cert, Key string }

// NewAuthority makes an authority with a random key. Its certificate says that
// its list of revoked certificates is at the points, if any.
func NewAuthority(name string, points ...string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return newAuthority(name, key, points...)
}

// SampleAuthority makes an authority whose key follows from its name, so that
// manifests can name it. Everybody knows that key: it is for samples only.
func SampleAuthority(name string) (*Authority, error) {
	seed := sha256.Sum256([]byte("sample " + name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	if err != nil {
		return nil, err
	}
	return newAuthority(name, key)
}

// Validity of what is made here.
var (
	notBefore = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(2070, 1, 1, 0, 0, 0, 0, time.UTC)
)

func newAuthority(name string, key *ecdsa.PrivateKey, points ...string) (*Authority, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: notBefore, NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		CRLDistributionPoints: points,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("authority %s: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &Authority{PEM: encode("CERTIFICATE", der), cert: cert, key: key}, nil
}

// Issue makes a certificate for names; the first one is its common name.
func (a *Authority) Issue(names ...string) (Pair, error) { return a.IssueFor(nil, names...) }

// IssueFor makes a certificate for addresses and names.
func (a *Authority) IssueFor(addresses []net.IP, names ...string) (Pair, error) {
	return a.issueECDSA(&x509.Certificate{IPAddresses: addresses, NotAfter: notAfter}, names)
}

// IssueUntil makes a certificate for names that is valid until then.
func (a *Authority) IssueUntil(until time.Time, names ...string) (Pair, error) {
	return a.issueECDSA(&x509.Certificate{NotAfter: until}, names)
}

func (a *Authority) issueECDSA(template *x509.Certificate, names []string) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	return a.issue(key, template, names)
}

// IssueRSA makes a certificate with an RSA key of so many bits for names.
func (a *Authority) IssueRSA(bits int, names ...string) (Pair, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return Pair{}, err
	}
	return a.issue(key, &x509.Certificate{NotAfter: notAfter}, names)
}

// IssueEd25519 makes a certificate with an Ed25519 key for names.
func (a *Authority) IssueEd25519(names ...string) (Pair, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	return a.issue(key, &x509.Certificate{NotAfter: notAfter}, names)
}

// issue completes and signs a certificate.
func (a *Authority) issue(key crypto.Signer, template *x509.Certificate, names []string) (Pair, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		return Pair{}, err
	}
	template.SerialNumber, template.Subject, template.DNSNames, template.NotBefore = serial, pkix.Name{CommonName: names[0]}, names, notBefore
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return Pair{}, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Cert: encode("CERTIFICATE", der), Key: encode("PRIVATE KEY", keyDER)}, nil
}

// CRL is the authority's list of revoked certificates, in PEM form.
func (a *Authority) CRL(nextUpdate time.Time, revoked ...Pair) (string, error) {
	list := &x509.RevocationList{Number: big.NewInt(time.Now().UnixNano()), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: nextUpdate}
	for _, p := range revoked {
		pair, err := p.TLS()
		if err != nil {
			return "", err
		}
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: pair.Leaf.SerialNumber, RevocationTime: list.ThisUpdate})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	if err != nil {
		return "", err
	}
	return encode("X509 CRL", der), nil
}

// TLS is the pair for a server.
func (p Pair) TLS() (tls.Certificate, error) { return tls.X509KeyPair([]byte(p.Cert), []byte(p.Key)) }

// Pool trusts the authority.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
