package pki

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
)

// Chain puts the certificates of a leaf, which is the first, and its CAs as TLS
// wants them: each is followed by its issuer, as far as they are there; the rest
// keeps its order. None comes twice.
func Chain(certs, cas []*x509.Certificate) []*x509.Certificate {
	var rest []*x509.Certificate
	seen := map[string]bool{string(certs[0].Raw): true}
	for _, c := range slices.Concat(certs[1:], cas) {
		if !seen[string(c.Raw)] {
			seen[string(c.Raw)] = true
			rest = append(rest, c)
		}
	}
	chain := certs[:1:1]
	for {
		last := chain[len(chain)-1]
		next := slices.IndexFunc(rest, func(c *x509.Certificate) bool { return namesIssuer(last, c) })
		if next < 0 {
			return append(chain, rest...)
		}
		chain = append(chain, rest[next])
		rest = slices.Delete(rest, next, next+1)
	}
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

// IssuedBy is an error unless a leaf was issued by one of the authorities, maybe
// through intermediates. Dates and names are not looked at: they are the
// client's business. Signatures whose algorithm is too weak to be verified
// pass.
func IssuedBy(leaf *x509.Certificate, intermediates, cas []*x509.Certificate) error {
	trusted := map[string]bool{}
	for _, c := range cas {
		trusted[string(c.Raw)] = true
	}
	if trusted[string(leaf.Raw)] {
		return nil
	}
	var lastError error
	left := maxSignatures
	reached := []*x509.Certificate{leaf}
	visited := map[string]bool{string(leaf.Raw): true}
	issuers := slices.Concat(cas, intermediates)
	for len(reached) > 0 {
		c := reached[0]
		reached = reached[1:]
		for _, issuer := range issuers {
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
	if lastError != nil {
		return lastError
	}
	return errors.New("certificate signed by unknown authority; its issuer is not among the CA certificates")
}
