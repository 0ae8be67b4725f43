package tlsfiles

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"router/pkg/pki"
	"slices"
	"strings"
	"time"
)

// The rhythm and bounds of downloads.
const (
	// firstDownload bounds the wait at the start.
	firstDownload = 5 * time.Second
	// downloadTimeout bounds one download, maxCRL its size in bytes.
	downloadTimeout = 30 * time.Second
	maxCRL          = 64 << 20
	// A list is downloaded again after half the time until it expires, and at
	// least every hour: authorities publish revocations before then.
	minRefresh, maxRefresh = time.Second, time.Hour
	// A failed download is tried again after minRetry, doubling to maxRetry,
	// the pause of the reference router.
	minRetry, maxRetry = time.Second, 5 * time.Minute
)

// lists are the revocation lists that authorities name.
type lists struct {
	opts Options
	// known are the downloads by their addresses.
	known map[string]*download
	// placeholder is a list of nobody's: it makes HAProxy refuse all clients
	// of authorities that have no list.
	placeholder string
}

// download is one revocation list and when to look for it.
type download struct {
	crl      *x509.RevocationList
	next     time.Time
	failures int
}

func newLists(o Options) *lists { return &lists{opts: o, known: map[string]*download{}} }

// of gives the lists that the authorities name, "" where none names any. A
// list that is missing is no error: its authority's clients are refused.
func (l *lists) of(ctx context.Context, authorities []*x509.Certificate) (string, error) {
	var crls []*x509.RevocationList
	named := map[string]bool{}
	for _, ca := range authorities {
		points := usablePoints(ca)
		if len(points) == 0 {
			continue
		}
		key := strings.Join(points, " ")
		if named[key] {
			continue
		}
		named[key] = true
		d := l.known[key]
		if d == nil {
			d = &download{}
			l.known[key] = d
		}
		l.refresh(ctx, d, ca, points, authorities)
		if d.crl != nil && !slices.ContainsFunc(crls, func(c *x509.RevocationList) bool { return bytes.Equal(c.Raw, d.crl.Raw) }) {
			crls = append(crls, d.crl)
		}
	}
	for key := range l.known {
		if !named[key] {
			delete(l.known, key)
		}
	}
	switch {
	case len(named) == 0:
		return "", nil
	case len(crls) == 0:
		return l.nobodys()
	}
	return encodeCRLs(crls), nil
}

// usablePoints are the addresses at which an authority's list can be had.
func usablePoints(ca *x509.Certificate) []string {
	var points []string
	for _, p := range ca.CRLDistributionPoints {
		if scheme, _, found := strings.Cut(p, "://"); found && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https")) {
			points = append(points, p)
		}
	}
	return points
}

// refresh downloads a list if it is time to.
func (l *lists) refresh(ctx context.Context, d *download, ca *x509.Certificate, points []string, authorities []*x509.Certificate) {
	now := l.opts.Now()
	if now.Before(d.next) {
		return
	}
	crl, err := l.fetch(ctx, points, authorities)
	if err != nil {
		d.failures++
		d.next = now.Add(min(minRetry<<min(d.failures-1, 10), maxRetry))
		what := "the former one stays in force until it expires"
		if d.crl == nil {
			what = "clients of the authority are refused"
		}
		l.opts.Logger.Warn("a list of revoked certificates cannot be downloaded", "authority", ca.Subject.String(), "meanwhile", what, "error", err, "retry", d.next)
		return
	}
	d.crl, d.failures = crl, 0
	pause := maxRefresh
	if !crl.NextUpdate.IsZero() {
		pause = min(max(crl.NextUpdate.Sub(now)/2, minRefresh), maxRefresh)
	}
	d.next = now.Add(pause)
}

// fetch tries the addresses in their order.
func (l *lists) fetch(ctx context.Context, points []string, authorities []*x509.Certificate) (*x509.RevocationList, error) {
	var failed []error
	for _, point := range points {
		crl, err := l.get(ctx, point, authorities)
		if err == nil {
			return crl, nil
		}
		failed = append(failed, fmt.Errorf("%s: %w", point, err))
	}
	return nil, errors.Join(failed...)
}

// get downloads a list. One that none of the authorities has signed, or that
// has expired, is of no use.
func (l *lists) get(ctx context.Context, address string, authorities []*x509.Certificate) (*x509.RevocationList, error) {
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := l.opts.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxCRL+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxCRL {
		return nil, fmt.Errorf("it is longer than %d bytes", maxCRL)
	}
	crls, err := parseCRLs(content)
	if err != nil {
		return nil, err
	}
	if expired(crls[0], l.opts.Now()) {
		return nil, fmt.Errorf("it expired at %s", crls[0].NextUpdate.Format(time.RFC3339))
	}
	for _, ca := range authorities {
		if crls[0].CheckSignatureFrom(ca) == nil {
			return crls[0], nil
		}
	}
	return nil, fmt.Errorf("none of the authorities has signed it; its issuer is %s", crls[0].Issuer)
}

// nobodys is a list that no authority has issued.
func (l *lists) nobodys() (string, error) {
	if l.placeholder != "" {
		return l.placeholder, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("placeholder for lists of revoked certificates: %w", err)
	}
	issuer := &x509.Certificate{
		Subject: pkix.Name{CommonName: "router: no list of revoked certificates yet"}, KeyUsage: x509.KeyUsageCRLSign, SubjectKeyId: []byte{1},
	}
	now := l.opts.Now()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(-time.Minute),
	}, issuer, key)
	if err != nil {
		return "", fmt.Errorf("placeholder for lists of revoked certificates: %w", err)
	}
	l.placeholder = pki.Encode(pki.CRLBlock, der)
	return l.placeholder, nil
}

// parseCRLs reads lists in PEM form, any number of them, or one in DER form.
func parseCRLs(content []byte) ([]*x509.RevocationList, error) {
	var crls []*x509.RevocationList
	for block := range pki.Blocks(string(content)) {
		if block.Type != pki.CRLBlock {
			continue
		}
		crl, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("list %d of revoked certificates: %w", len(crls)+1, err)
		}
		crls = append(crls, crl)
	}
	if len(crls) > 0 {
		return crls, nil
	}
	crl, err := x509.ParseRevocationList(content)
	if err != nil {
		return nil, errors.New("there is no list of revoked certificates in it; it needs one in PEM or DER form")
	}
	return []*x509.RevocationList{crl}, nil
}

func encodeCRLs(crls []*x509.RevocationList) string {
	var b strings.Builder
	for _, crl := range crls {
		b.WriteString(pki.Encode(pki.CRLBlock, crl.Raw))
	}
	return b.String()
}

func expired(crl *x509.RevocationList, now time.Time) bool {
	return !crl.NextUpdate.IsZero() && now.After(crl.NextUpdate)
}
