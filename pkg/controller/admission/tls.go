package admission

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"strings"

	routev1 "github.com/openshift/api/route/v1"

	"router/pkg/model"
)

func quote(s string) string { return strconv.Quote(s) }

// checkTLS checks spec.tls and fills in what was checked. The failures name
// their fields; keys and certificates are never shown.
func checkTLS(r *routev1.Route, o *Options, v *Verdict) []string {
	tls := r.Spec.TLS
	if tls == nil {
		return nil
	}
	var failures []string
	fail := func(field, format string, args ...any) {
		failures = append(failures, "spec.tls."+field+": "+fmt.Sprintf(format, args...))
	}
	switch tls.Termination {
	case routev1.TLSTerminationEdge:
		if tls.DestinationCACertificate != "" {
			fail("destinationCACertificate", "edge termination does not support destination certificates")
		}
	case routev1.TLSTerminationReencrypt:
	case routev1.TLSTerminationPassthrough:
		for _, f := range [][2]string{{"certificate", tls.Certificate}, {"key", tls.Key}, {"caCertificate", tls.CACertificate}, {"destinationCACertificate", tls.DestinationCACertificate}} {
			if f[1] != "" {
				fail(f[0], "passthrough termination does not support certificates")
			}
		}
		if v.Path != "" {
			failures = append(failures, "spec.path: passthrough termination does not support paths: the router cannot read requests")
		}
	default:
		fail("termination", "Unsupported value: %q: supported values: %q, %q, %q", tls.Termination, "edge", "passthrough", "reencrypt")
	}
	failures = append(failures, checkInsecurePolicy(tls)...)
	if tls.Termination != routev1.TLSTerminationEdge && tls.Termination != routev1.TLSTerminationReencrypt {
		return failures
	}
	if tls.DestinationCACertificate != "" && tls.Termination == routev1.TLSTerminationReencrypt {
		if ca, err := certificates(tls.DestinationCACertificate); err != nil {
			fail("destinationCACertificate", "failed to parse destination CA certificate: %s", err)
		} else {
			v.DestinationCA = ca.pem
		}
	}
	if tls.Certificate == "" && tls.Key == "" {
		return failures
	}
	cert, field, err := pair(tls, o, v)
	if err != nil {
		fail(field, "%s", err)
		return failures
	}
	v.Certificate = cert
	return failures
}

func checkInsecurePolicy(tls *routev1.TLSConfig) []string {
	const message = "invalid value for InsecureEdgeTerminationPolicy option, acceptable values are "
	switch p := tls.InsecureEdgeTerminationPolicy; p {
	case "", routev1.InsecureEdgeTerminationPolicyNone, routev1.InsecureEdgeTerminationPolicyRedirect:
		return nil
	case routev1.InsecureEdgeTerminationPolicyAllow:
		if tls.Termination != routev1.TLSTerminationPassthrough {
			return nil
		}
	}
	values := "None, Allow, Redirect, or empty"
	if tls.Termination == routev1.TLSTerminationPassthrough {
		values = "None, Redirect, or empty"
	}
	return []string{"spec.tls.insecureEdgeTerminationPolicy: Invalid value: " + quote(string(tls.InsecureEdgeTerminationPolicy)) + ": " + message + values}
}

// pair checks a route's certificate and key, and returns them as they will be
// served: the leaf, its intermediates and CAs, the key.
func pair(tls *routev1.TLSConfig, o *Options, v *Verdict) (*model.Certificate, string, error) {
	// A key may stand in the certificate's field, as some tools write it.
	public, private := split(tls.Certificate)
	certs, err := certificates(public)
	if err != nil {
		return nil, "certificate", err
	}
	key, err := privateKey(private + "\n" + tls.Key)
	if err != nil {
		return nil, "key", err
	}
	leaf := certs.list[0]
	if !matches(leaf.PublicKey, key.public) {
		return nil, "key", errors.New("the key does not belong to the first certificate; the host's certificate must come first, then its intermediates")
	}
	chain := certs.pem
	if tls.CACertificate != "" {
		cas, err := certificates(tls.CACertificate)
		if err != nil {
			return nil, "caCertificate", fmt.Errorf("failed to parse CA certificate: %w", err)
		}
		if err := verify(leaf, cas.list, certs.list[1:]); err != nil {
			return nil, "caCertificate", fmt.Errorf("error verifying certificate: %w", err)
		}
		chain += cas.pem
	}
	for _, c := range certs.list {
		if weak := weakSignature(c); weak != "" {
			return nil, "certificate", fmt.Errorf("router does not support CA-signed certs using %s", weak)
		}
	}
	switch now := o.Now(); {
	case now.After(leaf.NotAfter):
		v.Problems = append(v.Problems, model.Problem{Field: "spec.tls.certificate", Message: "expired on " + leaf.NotAfter.UTC().Format("2006-01-02")})
	case now.Before(leaf.NotBefore):
		v.Problems = append(v.Problems, model.Problem{Field: "spec.tls.certificate", Message: "is not valid before " + leaf.NotBefore.UTC().Format("2006-01-02")})
	}
	cert := &model.Certificate{Chain: chain, Key: model.NewSecret(key.pem)}
	if o.CheckCertificate != nil {
		if err := o.CheckCertificate(*cert); err != nil {
			return nil, "certificate", err
		}
	}
	return cert, "", nil
}

// split tells private keys from the other blocks of a PEM text.
func split(text string) (public, private string) {
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return public, private
		}
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			private += string(pem.EncodeToMemory(block))
		} else {
			public += string(pem.EncodeToMemory(block))
		}
	}
}

// parsed are certificates and their clean PEM form.
type parsed struct {
	list []*x509.Certificate
	pem  string
}

// certificates parses a PEM text that must hold certificates only.
func certificates(text string) (parsed, error) {
	var p parsed
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return p, fmt.Errorf("holds a PEM block of type %q; only CERTIFICATE is possible here", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return p, fmt.Errorf("certificate %d cannot be parsed: %w", len(p.list)+1, err)
		}
		p.list = append(p.list, c)
		p.pem += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes}))
	}
	if len(p.list) == 0 {
		return p, errors.New("holds no PEM certificate")
	}
	return p, nil
}

type parsedKey struct {
	public crypto.PublicKey
	pem    string
}

// privateKey parses the first key of a PEM text and writes it in the form
// that its type asks for, whatever its header says.
func privateKey(text string) (parsedKey, error) {
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return parsedKey{}, errors.New("no key specified: a PEM private key is needed beside the certificate")
		}
		if block.Type == "EC PARAMETERS" {
			continue
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return parsedKey{}, fmt.Errorf("holds a PEM block of type %q; only a private key is possible here", block.Type)
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return parsedKey{}, errors.New("is encrypted; the router needs it without a passphrase")
		}
		key, err := parseKey(block.Bytes)
		if err != nil {
			return parsedKey{}, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return parsedKey{}, errors.New("is of a type that is not supported")
		}
		return parsedKey{
			public: key.(crypto.Signer).Public(),
			pem:    string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		}, nil
	}
}

func parseKey(der []byte) (any, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		switch key.(type) {
		case *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey:
			return key, nil
		}
		return nil, fmt.Errorf("block private key %T is not valid", key)
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	return nil, errors.New("is no private key that can be parsed")
}

func matches(a, b crypto.PublicKey) bool {
	type comparable interface{ Equal(crypto.PublicKey) bool }
	c, ok := a.(comparable)
	return ok && c.Equal(b)
}

// verify checks that a leaf was issued by the given authorities. Its dates
// and names are not looked at: an expired certificate is the user's choice.
func verify(leaf *x509.Certificate, cas, intermediates []*x509.Certificate) error {
	options := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(),
		CurrentTime: leaf.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	for _, c := range cas {
		options.Roots.AddCert(c)
		options.Intermediates.AddCert(c)
		if c.NotBefore.After(options.CurrentTime) {
			options.CurrentTime = c.NotBefore
		}
	}
	for _, c := range intermediates {
		options.Intermediates.AddCert(c)
	}
	_, err := leaf.Verify(options)
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return nil
	}
	return err
}

// weakSignature names the digest of a CA-signed certificate that current TLS
// libraries refuse.
func weakSignature(c *x509.Certificate) string {
	if string(c.RawIssuer) == string(c.RawSubject) {
		return ""
	}
	switch c.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return "SHA1"
	case x509.MD5WithRSA:
		return "MD5"
	case x509.MD2WithRSA:
		return "MD2"
	}
	return ""
}
