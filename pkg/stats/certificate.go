package stats

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"router/pkg/given"
)

// certificateAge is after which time the files of a certificate are read again.
const certificateAge = 30 * time.Second

// Certificate is a certificate and its key from two files, which are read
// again while they are used, so that a renewed pair is served without a
// restart. A pair that cannot be used leaves the one before in place.
type Certificate struct {
	certFile, keyFile given.Path
	logger            *slog.Logger
	now               func() time.Time

	mu        sync.Mutex
	cert, key []byte
	pair      *tls.Certificate
	checked   time.Time
}

// CertificateOptions are what a Certificate needs.
type CertificateOptions struct {
	// CertFile and KeyFile are PEM files.
	CertFile, KeyFile given.Path
	Logger            *slog.Logger
	// Now tells the time; nil means time.Now.
	Now func() time.Time
}

// NewCertificate reads the files; an error names the one that is at fault, or
// says what is wrong with the pair.
func NewCertificate(o CertificateOptions) (*Certificate, error) {
	c := &Certificate{certFile: o.CertFile, keyFile: o.KeyFile, logger: o.Logger, now: o.Now}
	if c.now == nil {
		c.now = time.Now
	}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	return c, c.read()
}

// Get returns the pair; it fits tls.Config.GetCertificate.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Sub(c.checked) >= certificateAge {
		if err := c.read(); err != nil {
			c.logger.Warn("the statistics port keeps its former certificate", "error", err)
		}
	}
	return c.pair, nil
}

// read reads the files and takes a changed pair over, if it can be used.
func (c *Certificate) read() error {
	c.checked = c.now()
	cert, err := c.certFile.Read()
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	key, err := c.keyFile.Read()
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	if c.pair != nil && bytes.Equal(cert, c.cert) && bytes.Equal(key, c.key) {
		return nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", c.certFile, c.keyFile, err)
	}
	c.cert, c.key, c.pair = cert, key, &pair
	return nil
}
