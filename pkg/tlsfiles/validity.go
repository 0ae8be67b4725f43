package tlsfiles

import (
	"log/slog"
	"time"

	"router/pkg/model"
	"router/pkg/pki"
)

// soon is how long before its end a certificate is told of. Two weeks are time
// to get another one, and what renews itself in time never comes that near:
// tools renew a certificate of 90 days when it has 30 left.
const soon = 14 * 24 * time.Hour

// validity is what a certificate says of its own time.
type validity struct {
	chain       string
	from, until time.Time
	// told is what was logged last, "" for nothing.
	told string
}

// tellValidity tells that the default certificate has expired, is not valid
// yet, or expires soon: once, and again where the certificate or the answer is
// another one. The certificate is served all the same.
func (f *Files) tellValidity(c model.Certificate) {
	v := &f.validity
	if v.chain != c.Chain {
		*v = validity{chain: c.Chain}
		cert := pki.Leaf(c.Chain)
		if cert == nil {
			return // It was parsed before it was taken.
		}
		v.from, v.until = cert.NotBefore, cert.NotAfter
	}
	if v.until.IsZero() {
		return
	}
	now, message, date := f.opts.Now(), "", slog.Attr{}
	switch {
	case now.After(v.until):
		message, date = "the default certificate has expired", slog.Time("expired", v.until)
	case now.Before(v.from):
		message, date = "the default certificate is not valid yet", slog.Time("from", v.from)
	case now.Add(soon).After(v.until):
		message, date = "the default certificate expires soon", slog.Time("expires", v.until)
	}
	if message != "" && message != v.told {
		f.opts.Logger.Warn(message, date) //nolint:sloglint // one of three
	}
	v.told = message
}
