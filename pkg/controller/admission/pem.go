package admission

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"router/pkg/model"
	"router/pkg/pki"
)

// contents are the blocks of a PEM text, by what they hold.
type contents struct {
	certs []*x509.Certificate
	keys  []crypto.Signer
	// others are the types of blocks that are neither.
	others []string
}

func (c contents) othersAndCertificates() []string {
	return append(slices.Clone(c.others), slices.Repeat([]string{pki.CertificateBlock}, len(c.certs))...)
}

// What is read is bounded, because one goroutine reads for all tenants, and
// some of the work grows with the square of these sizes and more. The bounds
// are beyond what OpenSSL serves.
const (
	// maxRSABits is OpenSSL's own bound of keys that it verifies with. It is
	// for authorities; what is served is bounded by model.MaxServedRSABits.
	maxRSABits = 16384
	// maxKeyBytes is more than the DER of a private key has that may be served
	// (2.4 KiB), and few enough to be parsed soon.
	maxKeyBytes = 4 << 10
	// maxKeys is how many private keys a field may have, of which the first
	// counts.
	maxKeys = 4
)

var errEncrypted = errors.New("the private key is encrypted; the router needs it without a passphrase")

// decode reads a PEM text. Blocks that are damaged are left out.
func decode(text string) (contents, error) {
	var c contents
	for block := range pki.Blocks(text) {
		switch block.Type {
		case pki.CertificateBlock:
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return c, fmt.Errorf("certificate %d cannot be parsed: %w", len(c.certs)+1, err)
			}
			if key, ok := cert.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSABits {
				return c, fmt.Errorf("certificate %d has an RSA key of %d bits; at most %d are possible", len(c.certs)+1, key.N.BitLen(), maxRSABits)
			}
			c.certs = append(c.certs, cert)
		case pki.KeyBlock, "RSA PRIVATE KEY", "EC PRIVATE KEY", "ECDSA PRIVATE KEY":
			if strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
				return c, errEncrypted
			}
			if len(c.keys) == maxKeys {
				return c, fmt.Errorf("there are more than %d private keys", maxKeys)
			}
			key, err := parseKey(block.Bytes)
			if err != nil {
				return c, err
			}
			c.keys = append(c.keys, key)
		case "ENCRYPTED PRIVATE KEY":
			return c, errEncrypted
		case "EC PARAMETERS": // The key says them again.
		case "PUBLIC KEY", "RSA PUBLIC KEY", "DSA PUBLIC KEY", "ECDSA PUBLIC KEY":
			c.others = append(c.others, block.Type)
		default:
			return c, fmt.Errorf("unrecognized PEM block %s", block.Type)
		}
	}
	return c, nil
}

func parseKey(der []byte) (crypto.Signer, error) {
	if len(der) > maxKeyBytes {
		return nil, fmt.Errorf("the private key is too large: at most %d bits of RSA are possible", model.MaxServedRSABits)
	}
	key, err := pki.ParseKey(der)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("block private key %T is not valid", key)
	}
	return signer, nil
}

// certificatesOnly reads a PEM text of one or more certificates.
func certificatesOnly(text string) ([]*x509.Certificate, error) {
	c, err := decode(text)
	switch {
	case err != nil:
		return nil, err
	case len(c.keys) > 0:
		return nil, errors.New("field contains invalid types PRIVATE KEY, expecting only CERTIFICATE")
	case len(c.others) > 0:
		return nil, fmt.Errorf("field contains invalid types %s, expecting only CERTIFICATE", strings.Join(c.others, ", "))
	case len(c.certs) == 0:
		return nil, errors.New("data does not contain any valid certificates")
	}
	return c.certs, nil
}
