package admission

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	routev1 "github.com/openshift/api/route/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"router/pkg/model"
)

// Certificate checks the certificate, key and CA certificates of spec.tls and
// returns them as they are to be served: the host's certificate first, those
// that lead to its authority after it, the key in the form of its type. It is
// zero where there is neither certificate nor key.
func Certificate(tls *routev1.TLSConfig) (model.Certificate, field.ErrorList) {
	cert, _, failures := pair(tls, true, true)
	if cert == nil || len(failures) > 0 {
		return model.Certificate{}, failures
	}
	return *cert, nil
}

// pair puts together what is to be served, nil if there is nothing or it
// cannot be done, and the certificates in their order. validate verifies the
// certificate by the CA, algorithms refuses weak signatures.
func pair(tls *routev1.TLSConfig, validate, algorithms bool) (*model.Certificate, []*x509.Certificate, field.ErrorList) {
	var failures field.ErrorList
	fail := func(at *field.Path, shown, format string, args ...any) {
		failures = append(failures, field.Invalid(at, shown, fmt.Sprintf(format, args...)))
	}
	var cas []*x509.Certificate
	if tls.CACertificate != "" {
		var err error
		if cas, err = certificatesOnly(tls.CACertificate); err != nil {
			fail(caField, someCA, "failed to parse CA certificate: %s", err)
		} else if algorithms {
			failures = append(failures, weakSignatures(caField, someCA, cas)...)
		}
	}
	if tls.Certificate == "" && tls.Key == "" {
		return nil, nil, failures
	}
	// Some tools write the key into the field of the certificate.
	inCertificate, err := decode(tls.Certificate)
	switch {
	case err != nil:
		fail(certificateField, someCertificate, "%s", err)
	case len(inCertificate.others) > 0:
		fail(certificateField, someCertificate, "field contains invalid types %s, expecting only CERTIFICATE", strings.Join(inCertificate.others, ", "))
	case len(inCertificate.certs) == 0:
		fail(certificateField, someCertificate, "no certificate specified: a PEM certificate is needed beside the key")
	}
	inKey, err := decode(tls.Key)
	switch wrong := inKey.othersAndCertificates(); {
	case err != nil:
		fail(keyField, someKey, "%s", err)
	case len(wrong) > 0:
		fail(keyField, someKey, "field contains invalid types %s, expecting only PRIVATE KEY", strings.Join(wrong, ", "))
	case len(inCertificate.keys)+len(inKey.keys) == 0:
		fail(keyField, "", "no key specified")
	}
	certs := inCertificate.certs
	if len(certs) == 0 {
		return nil, nil, failures
	}
	if key, ok := certs[0].PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > model.MaxServedRSABits {
		fail(certificateField, someCertificate, "it has an RSA key of %d bits, whose handshakes would hold up everybody's; at most %d are served", key.N.BitLen(), model.MaxServedRSABits)
	}
	if algorithms {
		failures = append(failures, weakSignatures(certificateField, someCertificate, certs)...)
	}
	if validate && len(cas) > 0 {
		if err := issuedBy(certs[0], certs[1:], cas); err != nil {
			fail(certificateField, someCertificate, "error verifying certificate: %s", err)
		}
	}
	keys := append(inCertificate.keys, inKey.keys...)
	if len(keys) > 0 {
		if owner := ownerOf(keys[0], certs); owner > 0 {
			fail(keyField, someKey, "private key does not match public key: it belongs to certificate %d of spec.tls.certificate; the host's own certificate must come first", owner+1)
		} else if owner < 0 {
			fail(keyField, someKey, "private key does not match public key")
		}
	}
	certs = inOrder(certs, cas)
	if len(failures) > 0 {
		return nil, certs, failures
	}
	key, err := encodeKey(keys[0])
	if err != nil {
		fail(keyField, someKey, "%s", err)
		return nil, certs, failures
	}
	return &model.Certificate{Chain: encodeCertificates(certs), Key: model.NewSecret(key)}, certs, nil
}

// ownerOf finds the certificate that a key belongs to, -1 if there is none.
func ownerOf(key crypto.Signer, certs []*x509.Certificate) int {
	for i, c := range certs {
		if samePublicKey(c.PublicKey, key.Public()) {
			return i
		}
	}
	return -1
}

func samePublicKey(a, b crypto.PublicKey) bool {
	switch a := a.(type) {
	case *rsa.PublicKey:
		return a.Equal(b)
	case *ecdsa.PublicKey:
		return a.Equal(b)
	case ed25519.PublicKey:
		return a.Equal(b)
	}
	return false
}

// inOrder puts certificates as TLS wants them: each is followed by its issuer,
// as far as they are there; the rest keeps its order. None comes twice.
func inOrder(certs, cas []*x509.Certificate) []*x509.Certificate {
	var rest []*x509.Certificate
	seen := map[string]bool{string(certs[0].Raw): true}
	for _, list := range [][]*x509.Certificate{certs[1:], cas} {
		for _, c := range list {
			if !seen[string(c.Raw)] {
				seen[string(c.Raw)] = true
				rest = append(rest, c)
			}
		}
	}
	ordered := certs[:1:1]
	for next := 0; next >= 0; {
		next = -1
		last := ordered[len(ordered)-1]
		for i, c := range rest {
			if namesIssuer(last, c) {
				next = i
				break
			}
		}
		if next >= 0 {
			ordered = append(ordered, rest[next])
			rest = append(rest[:next:next], rest[next+1:]...)
		}
	}
	return append(ordered, rest...)
}

// namesIssuer reports whether c says that it was issued by another.
func namesIssuer(c, issuer *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, issuer.RawSubject) &&
		(len(c.AuthorityKeyId) == 0 || len(issuer.SubjectKeyId) == 0 || bytes.Equal(c.AuthorityKeyId, issuer.SubjectKeyId))
}

// maxSignatures is how many signatures are checked to find the way to an
// authority, as many as Go's own verification does: certificates that are made
// for it could ask for millions.
const maxSignatures = 100

// issuedBy checks that a leaf was issued by one of the authorities, maybe
// through intermediates. Dates and names are not looked at: they are the
// client's business. Signatures whose algorithm is too weak to be verified
// pass here; whether they may be served is decided elsewhere.
func issuedBy(leaf *x509.Certificate, intermediates, cas []*x509.Certificate) error {
	trusted := map[string]bool{}
	for _, c := range cas {
		trusted[string(c.Raw)] = true
	}
	var lastError error
	left := maxSignatures
	if trusted[string(leaf.Raw)] {
		return nil
	}
	reached := []*x509.Certificate{leaf}
	visited := map[string]bool{string(leaf.Raw): true}
	for len(reached) > 0 {
		c := reached[0]
		reached = reached[1:]
		for _, list := range [][]*x509.Certificate{cas, intermediates} {
			for _, issuer := range list {
				if visited[string(issuer.Raw)] || !namesIssuer(c, issuer) {
					continue
				}
				if left--; left < 0 {
					return fmt.Errorf("more than %d signatures had to be checked; leave out certificates that do not lead to the CA", maxSignatures)
				}
				var weak x509.InsecureAlgorithmError
				if err := c.CheckSignatureFrom(issuer); err != nil && !errors.As(err, &weak) {
					lastError = err
					continue
				}
				if trusted[string(issuer.Raw)] {
					return nil
				}
				visited[string(issuer.Raw)] = true
				reached = append(reached, issuer)
			}
		}
	}
	if lastError != nil {
		return lastError
	}
	return errors.New("certificate signed by unknown authority; its issuer is not among the CA certificates")
}

// weakSignatures refuses certificates of authorities whose signatures TLS
// libraries do not accept any longer.
func weakSignatures(at *field.Path, shown string, certs []*x509.Certificate) field.ErrorList {
	var failures field.ErrorList
	for _, c := range certs {
		if weak := weakDigest(c.SignatureAlgorithm); weak != "" && !selfSigned(c) {
			failures = append(failures, field.Invalid(at, shown, "router does not support CA-signed certs using "+weak))
		}
	}
	return failures
}

func weakDigest(a x509.SignatureAlgorithm) string {
	switch a {
	case x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return "SHA1"
	case x509.MD5WithRSA:
		return "MD5"
	case x509.MD2WithRSA:
		return "MD2"
	}
	return ""
}

// selfSigned reports whether a certificate says that it signed itself; its
// signature proves nothing then, and nobody looks at it.
func selfSigned(c *x509.Certificate) bool {
	if !bytes.Equal(c.RawIssuer, c.RawSubject) {
		return false
	}
	if len(c.AuthorityKeyId) > 0 && !bytes.Equal(c.AuthorityKeyId, c.SubjectKeyId) {
		return false
	}
	switch c.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.MD5WithRSA, x509.MD2WithRSA:
		return c.PublicKeyAlgorithm == x509.RSA
	case x509.ECDSAWithSHA1:
		return c.PublicKeyAlgorithm == x509.ECDSA
	case x509.DSAWithSHA1:
		return c.PublicKeyAlgorithm == x509.DSA
	}
	return true
}
