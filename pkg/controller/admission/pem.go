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
	"slices"
	"strings"

	"router/pkg/model"
)

// contents are the blocks of a PEM text, by what they hold.
type contents struct {
	certs []*x509.Certificate
	keys  []crypto.Signer
	// others are the types of blocks that are neither.
	others []string
}

func (c contents) othersAndCertificates() []string {
	others := slices.Clone(c.others)
	for range c.certs {
		others = append(others, "CERTIFICATE")
	}
	return others
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

// decode reads a PEM text. Text around the blocks, such as the bag attributes
// that OpenSSL writes, is left out, and so are blocks that are cut off.
func decode(text string) (contents, error) {
	var c contents
	for rest := []byte(mended(text)); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return c, nil
		}
		switch block.Type {
		case "CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return c, fmt.Errorf("certificate %d cannot be parsed: %w", len(c.certs)+1, err)
			}
			if key, ok := cert.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSABits {
				return c, fmt.Errorf("certificate %d has an RSA key of %d bits; at most %d are possible", len(c.certs)+1, key.N.BitLen(), maxRSABits)
			}
			c.certs = append(c.certs, cert)
		case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ECDSA PRIVATE KEY":
			if strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
				return c, errEncrypted
			}
			if len(block.Bytes) > maxKeyBytes {
				return c, fmt.Errorf("the private key is too large: at most %d bits of RSA are possible", model.MaxServedRSABits)
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
}

var errEncrypted = errors.New("the private key is encrypted; the router needs it without a passphrase")

// mended puts the line break back that is lost where files without one at
// their end are joined.
func mended(text string) string {
	return strings.ReplaceAll(text, "----------BEGIN ", "-----\n-----BEGIN ")
}

// damagedBlocks counts the blocks that decode leaves out.
func damagedBlocks(text string) int {
	const begin = "-----BEGIN "
	if text == "" {
		return 0
	}
	text = mended(text)
	blocks := strings.Count(text, begin)
	for rest := []byte(text); blocks > 0; blocks-- {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
	}
	return blocks
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

// parseKey reads a private key, whatever the header of its block says.
func parseKey(der []byte) (crypto.Signer, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		switch key := key.(type) {
		case *rsa.PrivateKey:
			return key, nil
		case *ecdsa.PrivateKey:
			return key, nil
		case ed25519.PrivateKey:
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
	return nil, errors.New("the private key cannot be parsed")
}

// encodeKey writes a key under the header of its type.
func encodeKey(key crypto.Signer) (string, error) {
	var block pem.Block
	var err error
	switch key := key.(type) {
	case *rsa.PrivateKey:
		block = pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	case *ecdsa.PrivateKey:
		block.Type = "EC PRIVATE KEY"
		block.Bytes, err = x509.MarshalECPrivateKey(key)
	default:
		block.Type = "PRIVATE KEY"
		block.Bytes, err = x509.MarshalPKCS8PrivateKey(key)
	}
	if err != nil {
		return "", errors.New("the private key is of a type that is not supported")
	}
	return string(pem.EncodeToMemory(&block)), nil
}

func encodeCertificates(certs []*x509.Certificate) string {
	var text strings.Builder
	for _, c := range certs {
		_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}) // a Builder takes everything
	}
	return text.String()
}
