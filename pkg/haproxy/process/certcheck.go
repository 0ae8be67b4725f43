package process

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"router/pkg/model"
	"router/pkg/pki"
)

// CertificateChecker asks the TLS library of HAProxy whether it takes a
// certificate, before anything is built on it: a library has a level of
// security, below which it refuses keys and signatures, and that level is the
// distribution's choice. One refused certificate in HAProxy's own files costs
// everybody a load in vain.
//
// Asking takes a process and some 30 ms, so that certificates which no library
// refuses are not asked about, and others once. It belongs to one goroutine.
type CertificateChecker struct {
	binary, dir string
	logger      *slog.Logger
	answers     map[[sha256.Size]byte]error
}

const (
	// checkTimeout bounds the process that is asked.
	checkTimeout = 10 * time.Second
	// rememberedAnswers bounds what is kept of answers.
	rememberedAnswers = 10_000
)

// NewCertificateChecker asks the binary; dir is where a certificate lies
// meanwhile.
func NewCertificateChecker(binary, dir string, logger *slog.Logger) *CertificateChecker {
	return &CertificateChecker{binary: binary, dir: dir, logger: logger, answers: map[[sha256.Size]byte]error{}}
}

// Check is an error where the library refuses the certificate. If it cannot be
// asked, the certificate passes: HAProxy judges again when it loads it.
func (c *CertificateChecker) Check(cert model.Certificate) error {
	if ordinary(cert.Chain) {
		return nil
	}
	digest := sha256.Sum256([]byte(cert.Chain + "\x00" + cert.Key.Reveal()))
	answer, known := c.answers[digest]
	if known {
		return answer
	}
	answer, err := c.ask(cert)
	if err != nil {
		c.logger.Warn("HAProxy cannot be asked about a certificate", "error", err)
		return nil
	}
	if len(c.answers) >= rememberedAnswers {
		clear(c.answers)
	}
	c.answers[digest] = answer
	return answer
}

// reason is what newer versions say behind the name of the file.
var reason = regexp.MustCompile(`into SSL Context '[^']*'(?:: ([^.\n]+))?`)

// ask starts HAProxy on the certificate and next to nothing else.
func (c *CertificateChecker) ask(cert model.Certificate) (answer, err error) {
	dir, err := os.MkdirTemp(c.dir, "cert")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	config, file := filepath.Join(dir, "cfg"), filepath.Join(dir, "pem")
	if err := os.WriteFile(file, []byte(cert.Chain+cert.Key.Reveal()), 0o600); err != nil {
		return nil, err
	}
	text := "frontend check\n  mode http\n  timeout client 1s\n  bind unix@" + filepath.Join(dir, "s") + " ssl crt " + file + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	var refused *Refusal
	switch err := checkConfig(ctx, c.binary, config); {
	case err == nil:
		return nil, nil //nolint:nilnil // neither refused nor failed
	case !errors.As(err, &refused) || ctx.Err() != nil:
		return nil, err
	}
	m := reason.FindStringSubmatch(refused.Log)
	switch {
	case m == nil:
		return nil, refused // It is not about the certificate.
	case m[1] == "":
		return errors.New("the router's TLS library refuses it: its key or signature is too weak, or of a kind that it does not know"), nil
	}
	return errors.New("the router's TLS library refuses it: " + strings.TrimSpace(m[1])), nil
}

// ordinary reports whether all certificates have keys and signatures that TLS
// libraries take, so that there is nothing to ask.
func ordinary(chain string) bool {
	certs, err := pki.Certificates(chain)
	return err == nil && !slices.ContainsFunc(certs, func(c *x509.Certificate) bool { return !ordinaryKey(c) || !ordinarySignature(c) })
}

// ordinaryBits is the least size of an RSA key at the level of security that
// distributions choose.
const ordinaryBits = 2048

func ordinaryKey(cert *x509.Certificate) bool {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= ordinaryBits
	case *ecdsa.PublicKey:
		return key.Curve != elliptic.P224()
	case ed25519.PublicKey:
		return true
	}
	return false
}

func ordinarySignature(cert *x509.Certificate) bool {
	switch cert.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.PureEd25519:
		return true
	}
	return false
}
