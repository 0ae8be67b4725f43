package admission

import (
	"cmp"
	"strings"
	"time"

	routev1 "github.com/openshift/api/route/v1"

	"router/pkg/model"
)

// claim is a route as the rule sees it. It is immutable.
type claim struct {
	key     model.RouteKey
	created time.Time
	uid     string
	// host is the name, or the domain of a wildcard claim.
	host        string
	wildcard    bool
	path        string
	tls         bool
	passthrough bool
	// verdict is what the route gets if nobody is in its way; holds is whether
	// it stands in the way of others.
	verdict Verdict
	holds   bool
	checked checked
}

// older is the order of seniority: age, then what is the same on every
// replica.
func older(a, b *claim) int {
	return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.uid, b.uid), a.key.Compare(b.key))
}

// same reports whether two claims of one route are the same in everything that
// matters to this package.
func (c *claim) same(o *claim) bool {
	return older(c, o) == 0 && c.host == o.host && c.wildcard == o.wildcard && c.path == o.path &&
		c.tls == o.tls && c.passthrough == o.passthrough && c.holds == o.holds && c.verdict.Equal(o.verdict)
}

// examine looks at one route alone. before is what an earlier look at the
// route gave, nil if there was none: what has not changed since is not checked
// again.
func examine(r *routev1.Route, before *claim, o *Options) *claim {
	c := &claim{key: model.RouteKey{Namespace: r.Namespace, Name: r.Name}, created: r.CreationTimestamp.Time, uid: string(r.UID)}
	v := &c.verdict
	v.FullHost = o.Naming.host(r)
	c.host, c.wildcard = v.FullHost, r.Spec.WildcardPolicy == routev1.WildcardPolicySubdomain
	if c.wildcard {
		c.host = domain(v.FullHost)
	}
	if c.path = r.Spec.Path; c.path == "/" {
		c.path = ""
	}
	v.Host, v.Wildcard, v.Path = c.host, c.wildcard, c.path
	if v.Reason, v.Message = o.admitHost(r, v.FullHost); v.Reason != "" {
		return c
	}
	// From here on the route has its host, even if it cannot be served: a
	// mistake in a certificate or path must not hand the host to somebody else.
	c.holds = true
	c.tls = r.Spec.TLS != nil
	c.passthrough = c.tls && r.Spec.TLS.Termination == routev1.TLSTerminationPassthrough
	failures := checkPath(r.Spec.Path)
	if c.passthrough && c.path != "" {
		failures = append(failures, passthroughPath(c.path))
	}
	v.Problems = pathProblems(c.path)
	if c.tls {
		c.checked = checkTLS(r, before, o)
		failures = append(failures, c.checked.failures...)
		v.Problems = append(v.Problems, c.checked.problems...)
	}
	switch err := failures.ToAggregate(); {
	case c.checked.external.Reason != "" && c.checked.external.Certificate == "":
		v.Reason, v.Message = c.checked.external.Reason, c.checked.external.Message
	case err != nil:
		v.Reason, v.Message = ExtendedValidationFailed, err.Error()
	default:
		v.Admitted, v.Certificate, v.DestinationCA = true, c.checked.certificate, c.checked.destinationCA
		v.Reason, v.Message = c.checked.external.Reason, c.checked.external.Message
	}
	return c
}

// conflict reports whether c cannot have what it wants beside the older h.
func conflict(h, c *claim, o *Options) bool {
	foreign := h.key.Namespace != c.key.Namespace && !o.SharedHosts
	if h.wildcard != c.wildcard {
		return foreign && (h.wildcard && domain(c.host) == h.host || c.wildcard && domain(h.host) == c.host)
	}
	return h.host == c.host && (foreign || h.path == c.path || bothTLS(h, c))
}

// bothTLS reports whether two routes want the TLS of one host and one of them
// without the router looking into it.
func bothTLS(a, b *claim) bool {
	return a.tls && b.tls && (a.passthrough || b.passthrough)
}

// lost is the verdict of a route that an older one is in the way of.
func (c *claim) lost(winner *claim) Verdict {
	v := c.verdict
	return Verdict{
		Reason: HostAlreadyClaimed, Message: c.why(winner), Winner: winner.key,
		Host: v.Host, FullHost: v.FullHost, Path: v.Path, Wildcard: v.Wildcard,
	}
}

// why says what the winner has that c wants. The reference router keeps the
// name of a route in another namespace to itself; here every loser can see
// whom to talk to.
func (c *claim) why(winner *claim) string {
	host := winner.verdict.FullHost
	var m string
	switch {
	case winner.wildcard && !c.wildcard:
		return "wildcard route " + winner.key.String() + " has host *." + winner.host + ", blocking " + c.host
	case c.wildcard && !winner.wildcard:
		return "route " + winner.key.String() + " has host " + host + ", blocking *." + c.host
	}
	if winner.wildcard {
		host = "*." + winner.host
	}
	if winner.key.Namespace == c.key.Namespace {
		m = "route " + winner.key.Name + " already exposes " + host + winner.path + " and is older"
	} else {
		if winner.path == c.path {
			host += c.path
		}
		m = "a route in another namespace holds " + host + " and is older than " + c.key.Name + ": " + winner.key.String()
	}
	if winner.path != c.path && bothTLS(winner, c) {
		m += "; a passthrough route cannot share its host with other TLS routes"
	}
	return m
}

// domain is what follows the first label.
func domain(host string) string {
	_, rest, _ := strings.Cut(host, ".")
	return rest
}
