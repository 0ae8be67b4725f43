package template

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"router/pkg/model"
)

// BackendView is the data of the "backend" part.
type BackendView struct {
	Balance        Arg
	ConsistentHash bool
	AdjustCase     bool
	Allowlist      *Path
	TunnelTimeout  *Duration
	RateLimit      *model.RateLimit
	// Counters is the section by which the counters of limits survive a reload.
	Counters                        Name
	Rewrite                         *RewriteView
	Cookie                          *CookieView
	HSTS                            *Arg
	RequestHeaders, ResponseHeaders []HeaderView
}

// RewriteView is the regular expression and replacement of a path rewrite.
type RewriteView struct{ Match, Replacement Arg }

// CookieView is session affinity.
type CookieView struct {
	// Inside is the name of the cookie between frontends and backends, the same
	// for all routes; clients see that of the route.
	Inside   Name
	Secure   bool
	SameSite *Arg
}

// sessionCookie is CookieView.Inside.
const sessionCookie = "_router_session"

// ServerView is the data of the "server" part.
type ServerView struct {
	TLS, HTTP2, H2C, Backup bool
	VerifyHost              *Arg
	CAFile                  *Path
	MaxConn                 int
}

func newBackendView(r *model.Route, files Layout) (BackendView, error) {
	b := builder{}
	be := &r.Backend
	passthrough := r.Termination == model.TerminationPassthrough
	v := BackendView{
		Balance: b.arg("balance", string(be.Balance)),
		// Only a consistent hash can change its servers while running.
		ConsistentHash: passthrough || be.Balance == model.BalanceSource,
		RateLimit:      be.RateLimit, Counters: Name{counters},
	}
	if be.Allowlist != nil {
		p, err := in(files.Lists, FileStem(r.Key)+".txt")
		b.fail("allowlist", err)
		v.Allowlist = &p
	}
	if passthrough {
		v.TunnelTimeout = optional(be.TunnelTimeout)
		return v, b.err
	}
	v.AdjustCase = be.AdjustCase
	v.HSTS = b.optional("HSTS header", strings.ReplaceAll(be.HSTS, "%", "%%"))
	v.RequestHeaders, v.ResponseHeaders = b.headers(be.RequestHeaders), b.headers(be.ResponseHeaders)
	if c := be.Cookie; c != nil {
		v.Cookie = &CookieView{Inside: Name{sessionCookie}, Secure: c.Secure, SameSite: b.optional("SameSite", c.SameSite)}
	}
	if be.Rewrite != nil {
		v.Rewrite = b.rewrite(r.Path, *be.Rewrite)
	}
	return v, b.err
}

// rewrite replaces the route's path, taken literally, at the beginning of the
// request's path.
func (b *builder) rewrite(path string, rw model.Rewrite) *RewriteView {
	match := "^" + regexp.QuoteMeta(path)
	if rw.Target == "/" {
		match += "/?"
	}
	match += "(.*)$"
	replacement := strings.NewReplacer(`\`, `\\`, "%", "%%").Replace(rw.Target)
	if !rw.DropRest {
		replacement += `\1`
	}
	return &RewriteView{Match: b.arg("rewrite of path", match), Replacement: b.arg("rewrite target", replacement)}
}

// isShareable reports whether other backends may have the same settings: none
// of them is a file of the route's own, or counts for the route alone.
func (v *BackendView) isShareable() bool { return v.Allowlist == nil && v.RateLimit == nil }

func newServerView(r *model.Route, s *model.Server, files Layout) (ServerView, error) {
	b := builder{}
	be := &r.Backend
	v := ServerView{
		H2C: s.H2C, Backup: s.Backup,
		MaxConn: be.MaxConnPerServer,
	}
	if t := be.TLS; t != nil {
		v.TLS, v.HTTP2, v.H2C = true, t.HTTP2, false
		v.VerifyHost = b.optional("verified host", s.VerifyHost)
		ca := t.CAFile
		if t.CA != "" {
			p, err := caPath(t.CA, files)
			b.fail("destination CA", err)
			ca = p.text
		}
		v.CAFile = b.path("destination CA", ca)
	}
	if b.err != nil {
		return v, fmt.Errorf("server %s: %w", s.ID, b.err)
	}
	return v, nil
}

// caPath is the file of a destination CA. It is named by its content, so that
// the servers of all routes that have the same CA are alike, and HAProxy reads
// it once.
func caPath(content string, files Layout) (Path, error) {
	sum := sha256.Sum256([]byte(content))
	return in(files.CAs, hex.EncodeToString(sum[:digestBytes])+".pem")
}
