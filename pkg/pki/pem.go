// Package pki reads and writes certificates, private keys and chains. It is the
// only place that knows PEM.
package pki

import (
	"crypto/sha1" //nolint:gosec // HAProxy shows certificates by it; nothing trusts it.
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"iter"
	"strings"
)

// The types of PEM blocks that this router writes.
const (
	CertificateBlock = "CERTIFICATE"
	KeyBlock         = "PRIVATE KEY"
	CRLBlock         = "X509 CRL"
)

// Blocks yields the blocks of a PEM text. Text around them, such as the bag
// attributes that OpenSSL writes, is left out, and so are blocks that are
// damaged.
func Blocks(text string) iter.Seq[*pem.Block] {
	return func(yield func(*pem.Block) bool) {
		for rest := []byte(mended(text)); ; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil || !yield(block) {
				return
			}
		}
	}
}

// begin is how each block begins.
const begin = "-----BEGIN "

// mended puts the line break back that is lost where files without one at
// their end are joined.
func mended(text string) string {
	return strings.ReplaceAll(text, "-----"+begin, "-----\n"+begin)
}

// Damaged counts the blocks that Blocks leaves out.
func Damaged(text string) int {
	damaged := strings.Count(text, begin)
	for range Blocks(text) {
		damaged--
	}
	return max(0, damaged)
}

// Encode writes one block.
func Encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// isCertificate reports whether OpenSSL reads a block as a certificate.
func isCertificate(b *pem.Block) bool {
	return b.Type == CertificateBlock || b.Type == "TRUSTED CERTIFICATE" || b.Type == "X509 CERTIFICATE"
}

// Certificates parses the certificates of a PEM text, whatever else is in it.
func Certificates(text string) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for block := range Blocks(text) {
		if !isCertificate(block) {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

// Leaf is the first certificate of a chain, the host's own; nil if it cannot be
// read.
func Leaf(chain string) *x509.Certificate {
	for block := range Blocks(chain) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil
		}
		return cert
	}
	return nil
}

// EncodeCertificates is the reverse of Certificates.
func EncodeCertificates(certs []*x509.Certificate) string {
	var text strings.Builder
	for _, c := range certs {
		text.WriteString(Encode(CertificateBlock, c.Raw))
	}
	return text.String()
}

// Fingerprints are the SHA-1 digests of the certificates in a PEM text, in the
// form in which HAProxy shows them.
func Fingerprints(text string) []string {
	var prints []string
	for block := range Blocks(text) {
		if isCertificate(block) {
			prints = append(prints, fmt.Sprintf("%X", sha1.Sum(block.Bytes))) //nolint:gosec // see the import
		}
	}
	return prints
}
