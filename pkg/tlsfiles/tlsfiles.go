// Package tlsfiles reads the router's own TLS files: the default certificate,
// the authorities of clients' certificates with their lists of revoked ones,
// and the default authority of servers. It reads them again while the router
// runs, and downloads the lists that authorities name.
package tlsfiles

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"router/pkg/defaultcert"
	"router/pkg/given"
	"router/pkg/model"
	"router/pkg/pki"
)

// Options say where the files are.
type Options struct {
	// Certificate is where the default certificate is.
	Certificate defaultcert.Options
	// VerifyClients is whether clients' certificates are checked; the client
	// files are read only then.
	VerifyClients bool
	// ClientCAFile is required where clients are verified. ClientCRLFile, if
	// not "", takes the place of the lists that the authorities name.
	ClientCAFile, ClientCRLFile given.Path
	// DestinationCAFile is "" for none.
	DestinationCAFile given.Path
	Logger            *slog.Logger
	// Now tells the time.
	Now func() time.Time
	// Client downloads; nil for one with the defaults of net/http.
	Client *http.Client
}

// Interval is the time between looks at the files. They are small and looked
// at by content, so that every way of replacing them is seen, on every kind
// of volume.
const Interval = time.Second

// Files are the files as they were read last.
type Files struct {
	opts    Options
	current model.TLSFiles
	// generated is whether the default certificate was made here.
	generated bool
	lists     *lists
	// troubles are the last errors by file, so that each is told once.
	troubles map[string]string
	// parsed are the authorities by file, so that only what has changed is
	// parsed again.
	parsed map[given.Path]authorities
	// validity is that of the default certificate.
	validity validity
}

// authorities are what a file of certificates holds.
type authorities struct {
	content []byte
	// text is PEM with nothing but the certificates.
	text  string
	certs []*x509.Certificate
}

// Load reads all files and downloads the lists of revoked certificates, for a
// few seconds at most. Errors name the flag that names the file. A list that
// could not be downloaded is no error: clients are refused until it is there.
func Load(ctx context.Context, o Options) (*Files, error) {
	if o.Client == nil {
		o.Client = &http.Client{}
	}
	f := &Files{opts: o, lists: newLists(o), troubles: map[string]string{}, parsed: map[given.Path]authorities{}}
	var err error
	if f.current.DefaultCertificate, f.generated, err = defaultcert.Load(o.Certificate); err != nil {
		return nil, err
	}
	f.tellLargeKey(f.current.DefaultCertificate)
	f.tellValidity(f.current.DefaultCertificate)
	if f.current.DestinationCA, err = f.readDestinationCA(); err != nil {
		return nil, err
	}
	if !o.VerifyClients {
		return f, nil
	}
	cas, certs, err := f.readClientCA()
	if err != nil {
		return nil, err
	}
	f.current.ClientTrust.CAs = cas
	if o.ClientCRLFile != "" {
		f.current.ClientTrust.CRLs, err = f.readCRLs()
	} else {
		ctx, cancel := context.WithTimeout(ctx, firstDownload)
		defer cancel()
		f.current.ClientTrust.CRLs, err = f.lists.of(ctx, certs)
	}
	if err != nil {
		return nil, err
	}
	f.tellUncovered(certs, f.current.ClientTrust.CRLs)
	return f, nil
}

// Current is what was read last.
func (f *Files) Current() model.TLSFiles { return f.current }

// SelfSigned reports whether the default certificate was made by the router.
func (f *Files) SelfSigned() bool { return f.generated }

// Watch reads the files again, and calls changed with all of them when one is
// different, until ctx ends. A file that cannot be used leaves what was read
// before in place, with a message.
func (f *Files) Watch(ctx context.Context, changed func(model.TLSFiles)) {
	ticker := time.NewTicker(Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if now := f.read(ctx); now != f.current {
			f.current = now
			f.opts.Logger.Info("the router's TLS files have changed")
			changed(now)
		}
	}
}

// read is the files as they are now; one that cannot be used is as it was.
func (f *Files) read(ctx context.Context) model.TLSFiles {
	now := f.current
	if !f.generated {
		cert, _, err := defaultcert.Load(f.opts.Certificate)
		if f.usable("default certificate", err) {
			if cert != now.DefaultCertificate {
				f.tellLargeKey(cert)
			}
			now.DefaultCertificate = cert
		}
	}
	f.tellValidity(now.DefaultCertificate)
	if ca, err := f.readDestinationCA(); f.usable("destination CA", err) {
		now.DestinationCA = ca
	}
	if !f.opts.VerifyClients {
		return now
	}
	cas, certs, err := f.readClientCA()
	if !f.usable("client CA", err) {
		cas = now.ClientTrust.CAs
		certs, _ = pki.Certificates(cas) // They were parsed before they were taken.
	}
	now.ClientTrust.CAs = cas
	var crls string
	if f.opts.ClientCRLFile != "" {
		crls, err = f.readCRLs()
	} else {
		crls, err = f.lists.of(ctx, certs)
	}
	if f.usable("client CRL", err) {
		now.ClientTrust.CRLs = crls
	}
	f.tellUncovered(certs, now.ClientTrust.CRLs)
	return now
}

// usable tells of an error, once.
func (f *Files) usable(what string, err error) bool {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && f.troubles[what] != text {
		f.opts.Logger.Error("a TLS file cannot be used as it is", "file", what, "error", err)
	}
	f.troubles[what] = text
	return err == nil
}

// tellLargeKey tells of a default certificate that no route could have. It is
// served all the same: the administrator's own choice harms nobody else.
func (f *Files) tellLargeKey(c model.Certificate) {
	cert := pki.Leaf(c.Chain)
	if cert == nil {
		return
	}
	if key, ok := cert.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > model.MaxServedRSABits {
		f.opts.Logger.Warn("the default certificate has a large RSA key: each handshake holds all others up", "bits", key.N.BitLen(), "advised", model.MaxServedRSABits)
	}
}

// tellUncovered tells of authorities without a list: where there are lists at
// all, their clients are refused.
func (f *Files) tellUncovered(authorities []*x509.Certificate, text string) {
	if text == "" {
		return
	}
	crls, _ := parseCRLs([]byte(text)) // It was made by encodeCRLs.
	for _, ca := range authorities {
		var err error
		if !slices.ContainsFunc(crls, func(crl *x509.RevocationList) bool { return bytes.Equal(crl.RawIssuer, ca.RawSubject) }) {
			err = errors.New("there are lists of revoked certificates, but none of this authority; its clients are refused")
		}
		f.usable("client CA "+ca.Subject.String(), err)
	}
}

func (f *Files) readDestinationCA() (string, error) {
	const flag = "--default-destination-ca-path (DEFAULT_DESTINATION_CA_PATH)"
	if f.opts.DestinationCAFile == "" {
		return "", nil
	}
	a, err := f.readAuthorities(f.opts.DestinationCAFile)
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	return a.text, nil
}

func (f *Files) readClientCA() (string, []*x509.Certificate, error) {
	const flag = "--mutual-tls-auth-ca (ROUTER_MUTUAL_TLS_AUTH_CA)"
	a, err := f.readAuthorities(f.opts.ClientCAFile)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", flag, err)
	}
	return a.text, a.certs, nil
}

// readAuthorities reads certificates of authorities, in PEM form; whatever
// else is in the file is left out.
func (f *Files) readAuthorities(path given.Path) (authorities, error) {
	content, err := path.Read()
	if err != nil {
		return authorities{}, err
	}
	if known, ok := f.parsed[path]; ok && bytes.Equal(known.content, content) {
		return known, nil
	}
	certs, err := pki.Certificates(string(content))
	if err != nil {
		return authorities{}, fmt.Errorf("%s: %w", path, err)
	}
	if len(certs) == 0 {
		return authorities{}, fmt.Errorf("there is no certificate in %s; it needs those of authorities in PEM form", path)
	}
	a := authorities{content: content, certs: certs, text: pki.EncodeCertificates(certs)}
	f.parsed[path] = a
	return a, nil
}

// readCRLs reads the operator's own file of lists.
func (f *Files) readCRLs() (string, error) {
	const flag = "--mutual-tls-auth-crl (ROUTER_MUTUAL_TLS_AUTH_CRL)"
	content, err := f.opts.ClientCRLFile.Read()
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	crls, err := parseCRLs(content)
	if err != nil {
		return "", fmt.Errorf("%s: %s: %w", flag, f.opts.ClientCRLFile, err)
	}
	for _, crl := range crls {
		if expired(crl, f.opts.Now()) {
			f.usable("client CRL of "+crl.Issuer.String(), errors.New("it has expired; its authority's clients are refused"))
		}
	}
	return encodeCRLs(crls), nil
}
