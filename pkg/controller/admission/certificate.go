package admission

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"strings"

	routev1 "github.com/openshift/api/route/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"router/pkg/model"
	"router/pkg/pki"
)

// pair puts together what is to be served: the host's certificate first, those
// that lead to its authority after it, the key in the form of its type. It is nil
// if there is nothing or it cannot be done; the certificates in their order come
// beside it. validate verifies the certificate by the CA, algorithms refuses weak
// signatures.
func (c *checked) pair(tls *routev1.TLSConfig, validate, algorithms bool) (*model.Certificate, []*x509.Certificate) {
	before := len(c.failures)
	cas := c.authorities(tls.CACertificate, algorithms)
	if tls.Certificate == "" && tls.Key == "" {
		return nil, nil
	}
	certs, keys := c.contents(tls)
	if len(certs) == 0 {
		return nil, nil
	}
	if key, ok := certs[0].PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > model.MaxServedRSABits {
		c.invalid(certificateField, someCertificate, "it has an RSA key of %d bits, whose handshakes would hold up everybody's; at most %d are served", key.N.BitLen(), model.MaxServedRSABits)
	}
	if algorithms {
		c.fail(weakSignatures(certificateField, someCertificate, certs)...)
	}
	if validate && len(cas) > 0 {
		if err := pki.IssuedBy(certs[0], certs[1:], cas); err != nil {
			c.invalid(certificateField, someCertificate, "error verifying certificate: %s", err)
		}
	}
	if len(keys) > 0 {
		switch owner := pki.Owner(keys[0], certs); {
		case owner > 0:
			c.invalid(keyField, someKey, "private key does not match public key: it belongs to certificate %d of spec.tls.certificate; the host's own certificate must come first", owner+1)
		case owner < 0:
			c.invalid(keyField, someKey, "private key does not match public key")
		}
	}
	certs = pki.Chain(certs, cas)
	if len(c.failures) > before {
		return nil, certs
	}
	key, err := pki.EncodeKey(keys[0])
	if err != nil {
		c.invalid(keyField, someKey, "%s", err)
		return nil, certs
	}
	return &model.Certificate{Chain: pki.EncodeCertificates(certs), Key: model.NewSecret(key)}, certs
}

// authorities reads spec.tls.caCertificate.
func (c *checked) authorities(text string, algorithms bool) []*x509.Certificate {
	if text == "" {
		return nil
	}
	cas, err := certificatesOnly(text)
	if err != nil {
		c.invalid(caField, someCA, "failed to parse CA certificate: %s", err)
	} else if algorithms {
		c.fail(weakSignatures(caField, someCA, cas)...)
	}
	return cas
}

// contents reads spec.tls.certificate and spec.tls.key. Some tools write the key
// into the field of the certificate.
func (c *checked) contents(tls *routev1.TLSConfig) ([]*x509.Certificate, []crypto.Signer) {
	inCertificate, err := decode(tls.Certificate)
	switch {
	case err != nil:
		c.invalid(certificateField, someCertificate, "%s", err)
	case len(inCertificate.others) > 0:
		c.invalid(certificateField, someCertificate, "field contains invalid types %s, expecting only CERTIFICATE", strings.Join(inCertificate.others, ", "))
	case len(inCertificate.certs) == 0:
		c.invalid(certificateField, someCertificate, "no certificate specified: a PEM certificate is needed beside the key")
	}
	inKey, err := decode(tls.Key)
	switch wrong := inKey.othersAndCertificates(); {
	case err != nil:
		c.invalid(keyField, someKey, "%s", err)
	case len(wrong) > 0:
		c.invalid(keyField, someKey, "field contains invalid types %s, expecting only PRIVATE KEY", strings.Join(wrong, ", "))
	case len(inCertificate.keys)+len(inKey.keys) == 0:
		c.invalid(keyField, "", "no key specified")
	}
	return inCertificate.certs, append(inCertificate.keys, inKey.keys...)
}

func (c *checked) invalid(at *field.Path, shown, format string, args ...any) {
	c.fail(field.Invalid(at, shown, fmt.Sprintf(format, args...)))
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
