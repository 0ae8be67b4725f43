// Package defaultcert finds, or makes, the certificate for hosts that have
// none of their own.
package defaultcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"router/pkg/given"
	"router/pkg/model"
	"router/pkg/pki"
)

// Options say where to look, in this order; all may be empty.
type Options struct {
	// PEM is the certificate, chain and key as text.
	PEM model.Secret
	// Path is a file with them.
	Path given.Path
	// Dir has tls.crt and tls.key.
	Dir given.Path
	// SelfSigned is the file that keeps a certificate that was made, so that
	// it stays the same after a restart.
	SelfSigned string
	// Domain is what a made certificate is for: all names one label below it.
	Domain string
	Now    time.Time
}

// Load returns the certificate; made is whether it is a self-signed one.
// Errors name the flag whose value is at fault.
func Load(o Options) (c model.Certificate, made bool, err error) {
	switch {
	case !o.PEM.IsEmpty():
		c, err = parse(o.PEM.Reveal())
		return c, false, wrap("--default-certificate (DEFAULT_CERTIFICATE)", err)
	case o.Path != "":
		text, err := o.Path.Read()
		if err == nil {
			c, err = parse(string(text))
		}
		return c, false, wrap("--default-certificate-path (DEFAULT_CERTIFICATE_PATH)", at(o.Path, err))
	case o.Dir != "":
		text, err := readDir(o.Dir)
		if err == nil {
			c, err = parse(text)
		}
		return c, false, wrap("--default-certificate-dir (DEFAULT_CERTIFICATE_DIR)", at(o.Dir, err))
	}
	c, err = selfSigned(o)
	return c, true, wrap("self-signed certificate", err)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// at says which file or directory an error is about, once.
func at(p given.Path, err error) error {
	if err == nil || strings.HasPrefix(err.Error(), p.String()) {
		return err
	}
	return fmt.Errorf("%s: %w", p, err)
}

// readDir joins the two files; the key may be in the first one already.
func readDir(dir given.Path) (string, error) {
	cert, err := dir.Join("tls.crt").Read()
	if err != nil {
		return "", err
	}
	if strings.Contains(string(cert), pki.KeyBlock+"-----") {
		return string(cert), nil
	}
	key, err := dir.Join("tls.key").Read()
	if err != nil {
		return "", err
	}
	return string(cert) + "\n" + string(key), nil
}

// parse tells the chain from the key and checks that they belong together.
func parse(text string) (model.Certificate, error) {
	var chain, key []byte
	for block := range pki.Blocks(text) {
		switch {
		case block.Type == pki.CertificateBlock:
			chain = append(chain, pem.EncodeToMemory(block)...)
		case strings.HasSuffix(block.Type, pki.KeyBlock) && key == nil:
			key = pem.EncodeToMemory(block)
		}
	}
	switch {
	case chain == nil:
		return model.Certificate{}, errors.New("there is no certificate in it; it needs certificate, key and chain in PEM form")
	case key == nil:
		return model.Certificate{}, errors.New("there is no private key in it; it needs certificate, key and chain in PEM form")
	}
	if _, err := tls.X509KeyPair(chain, key); err != nil {
		return model.Certificate{}, fmt.Errorf("certificate and key do not fit: %w", err)
	}
	return model.Certificate{Chain: string(chain), Key: model.NewSecret(string(key))}, nil
}

// validity of a self-signed certificate, and how long before its end a new one
// is made.
const (
	validity = 10 * 365 * 24 * time.Hour
	renewal  = 30 * 24 * time.Hour
)

// selfSigned reads the certificate that was made before, or makes one.
func selfSigned(o Options) (model.Certificate, error) {
	name := "localhost"
	if o.Domain != "" {
		name = "*." + o.Domain
	}
	text, err := os.ReadFile(o.SelfSigned)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return model.Certificate{}, err
	}
	if c, err := parse(string(text)); err == nil {
		if cert := pki.Leaf(c.Chain); cert != nil && cert.VerifyHostname(strings.Replace(name, "*", "x", 1)) == nil && o.Now.Before(cert.NotAfter.Add(-renewal)) {
			return c, nil
		}
	}
	made, err := generate(name, o.Now)
	if err != nil {
		return model.Certificate{}, err
	}
	if err := os.MkdirAll(filepath.Dir(o.SelfSigned), 0o750); err != nil {
		return model.Certificate{}, err
	}
	if err := renameio.WriteFile(o.SelfSigned, []byte(made), 0o600, renameio.WithStaticPermissions(0o600)); err != nil {
		return model.Certificate{}, err
	}
	return parse(made)
}

// serialBits is the size of a serial number (CA/Browser Forum: at least 64).
const serialBits = 127

func generate(name string, now time.Time) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "router"}, DNSNames: []string{name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validity),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return pki.Encode(pki.CertificateBlock, der) + pki.Encode(pki.KeyBlock, keyDER), nil
}
