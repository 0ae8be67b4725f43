package admission

import (
	"cmp"
	"strings"
	"time"

	routev1 "github.com/openshift/api/route/v1"

	"router/pkg/controller/routes"
	"router/pkg/model"
)

// claim is a route as the rule sees it. It is immutable.
type claim struct {
	key     model.RouteKey
	created time.Time
	uid     string
	model.Match
	tls         bool
	passthrough bool
	// verdict is what the route gets unless it loses to another; holds is whether
	// others can lose to it.
	verdict Verdict
	holds   bool
	checked checked
}

// compareAge orders claims, the oldest first. Those of the same second are
// ordered by what is the same on every replica.
func compareAge(a, b *claim) int {
	return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.uid, b.uid), a.key.Compare(b.key))
}

// older is the older of two claims, either of which may be nil.
func older(a, b *claim) *claim {
	if a == nil || b != nil && compareAge(b, a) < 0 {
		return b
	}
	return a
}

// same reports whether two claims of one route are the same in everything that
// matters to this package.
func (c *claim) same(o *claim) bool {
	return compareAge(c, o) == 0 && c.tls == o.tls && c.passthrough == o.passthrough && c.holds == o.holds && c.verdict.Equal(o.verdict)
}

// examine looks at one candidate alone. before is what an earlier look at the
// route gave, nil if there was none: what has not changed since is not checked
// again.
func examine(r *routes.Candidate, before *claim, o *Options) *claim {
	c := &claim{key: r.Key, created: r.Created, uid: string(r.UID)}
	v := &c.verdict
	c.Exact = r.Exact
	v.FullHost = o.Naming.host(r)
	c.Host, c.Wildcard = v.FullHost, r.Spec.WildcardPolicy == routev1.WildcardPolicySubdomain
	if c.Wildcard {
		c.Host = domain(v.FullHost)
	}
	if c.Path = r.Spec.Path; c.Path == "/" && !c.Exact {
		c.Path = ""
	}
	v.Match = c.Match
	if v.Reason, v.Message = o.admitHost(r, v.FullHost); v.Reason != "" {
		return c
	}
	// From here on the route has its host, even if it cannot be served: a
	// mistake in a certificate or path must not hand the host to somebody else.
	c.holds = true
	c.tls = r.Spec.TLS != nil
	c.passthrough = c.tls && r.Spec.TLS.Termination == routev1.TLSTerminationPassthrough
	failures := checkPath(r.Spec.Path)
	if c.passthrough && c.Path != "" {
		failures = append(failures, passthroughPath(c.Path))
	}
	v.Problems = append(pathProblems(c.Path), r.Problems...)
	if c.tls {
		c.checked = checkTLS(r, before, o)
		failures = append(failures, c.checked.failures...)
		v.Problems = append(v.Problems, c.checked.problems...)
	}
	switch err := failures.ToAggregate(); {
	case r.Invalid != "":
		v.Reason, v.Message = ExtendedValidationFailed, r.Invalid
	case c.checked.external.Reason != "" && c.checked.external.Certificate == "":
		v.Reason, v.Message = c.checked.external.Reason, c.checked.external.Message
	case err != nil:
		v.Reason, v.Message = ExtendedValidationFailed, err.Error()
	default:
		v.Admitted, v.Certificate, v.DestinationCA, v.Until = true, c.checked.certificate, c.checked.destinationCA, c.checked.until
		v.Reason, v.Message = c.checked.external.Reason, c.checked.external.Message
	}
	v.HostReserved = !v.Admitted
	return c
}

// bothTLS reports whether two routes want the TLS of one host, and one of them
// wants it passed through.
func bothTLS(a, b *claim) bool {
	return a.tls && b.tls && (a.passthrough || b.passthrough)
}

// losesTo is the verdict of a route that conflicts with an older one.
func (c *claim) losesTo(winner *claim) Verdict {
	return Verdict{
		Reason: HostAlreadyClaimed, Message: c.conflictMessage(winner), Winner: winner.key, Match: c.Match, FullHost: c.verdict.FullHost,
	}
}

// conflictMessage says what the winner has that c wants. The reference router
// does not name a route of another namespace; here every loser can see whom to
// talk to.
func (c *claim) conflictMessage(winner *claim) string {
	host := winner.verdict.FullHost
	kind, called := winner.key.Kind.Word(), winner.key.Namespace+"/"+winner.key.Name
	switch {
	case winner.Wildcard && !c.Wildcard:
		return "wildcard " + kind + " " + called + " has host *." + winner.Host + ", blocking " + c.Host
	case c.Wildcard && !winner.Wildcard:
		return kind + " " + called + " has host " + host + ", blocking *." + c.Host
	case winner.Wildcard:
		host = "*." + winner.Host
	}
	var m string
	if winner.key.Namespace == c.key.Namespace {
		m = kind + " " + winner.key.Name + " already exposes " + host + winner.Path + " and is older"
	} else {
		if winner.Match == c.Match {
			host += c.Path
		}
		article := "a"
		if winner.key.Kind == model.KindIngress {
			article = "an"
		}
		m = article + " " + kind + " in another namespace holds " + host + " and is older than " + c.key.Name + ": " + called
	}
	if winner.Match != c.Match && bothTLS(winner, c) {
		m += "; a passthrough route cannot share its host with other TLS routes"
	}
	return m
}

// domain is what follows the first label.
func domain(host string) string {
	_, rest, _ := strings.Cut(host, ".")
	return rest
}
