package admission

import (
	"cmp"
	"slices"
	"strings"
	"time"

	routev1 "github.com/openshift/api/route/v1"

	"router/pkg/model"
)

// Options are the administrator's rules.
type Options struct {
	Naming Naming
	// AllowedDomains, if there are any, are the only ones that hosts may be in
	// or below; DeniedDomains win over them.
	AllowedDomains, DeniedDomains []string
	// AllowWildcards admits routes with wildcardPolicy Subdomain.
	AllowWildcards bool
	// SharedHosts lets several namespaces use one host with different paths
	// (--disable-namespace-ownership-check).
	SharedHosts bool
	// Validate checks TLS settings and certificates (--extended-validation).
	Validate bool
	// CheckCertificate, if not nil, asks the TLS library that will serve it
	// whether it accepts a certificate.
	CheckCertificate func(model.Certificate) error
	// Now tells the time, for certificates that are past theirs.
	Now func() time.Time
}

// Reason is why a route is not admitted, in the words of the reference router,
// which consoles and scripts know.
type Reason string

// The reasons.
const (
	RouteNotAdmitted         Reason = "RouteNotAdmitted"
	HostAlreadyClaimed       Reason = "HostAlreadyClaimed"
	NoHostValue              Reason = "NoHostValue"
	InvalidHost              Reason = "InvalidHost"
	InvalidPath              Reason = "InvalidPath"
	ExtendedValidationFailed Reason = "ExtendedValidationFailed"
)

// Verdict is what becomes of one route.
type Verdict struct {
	Admitted bool
	// Reason and Message say why not.
	Reason  Reason
	Message string
	// Winner is the route that has what this one wants; zero if none has.
	Winner model.RouteKey
	// Host is the name that the route is served under; for a wildcard route
	// the domain below which it serves. FullHost is as it is shown to people.
	Host, FullHost string
	// Path is "" for the whole host.
	Path     string
	Wildcard bool
	// Certificate and DestinationCA are the checked contents of spec.tls.
	Certificate   *model.Certificate
	DestinationCA string
	// Problems do not keep the route from being admitted.
	Problems []model.Problem
}

// claim is a route as the rule sees it.
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
}

// older is the order of seniority: age, then what is the same on every replica.
func older(a, b *claim) int {
	return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.uid, b.uid), a.key.Compare(b.key))
}

// examine looks at one route alone.
func examine(r *routev1.Route, o *Options) *claim {
	c := &claim{key: model.RouteKey{Namespace: r.Namespace, Name: r.Name}, created: r.CreationTimestamp.Time, uid: string(r.UID)}
	v := &c.verdict
	v.FullHost = o.Naming.host(r)
	reject := func(reason Reason, message string) *claim {
		v.Reason, v.Message = reason, message
		return c
	}
	if reason, message := o.admitHost(r, v.FullHost); reason != "" {
		return reject(reason, message)
	}
	c.host, c.wildcard = v.FullHost, r.Spec.WildcardPolicy == routev1.WildcardPolicySubdomain
	if c.wildcard {
		c.host = domain(v.FullHost)
	}
	v.Host, v.Wildcard = c.host, c.wildcard
	if message := checkPath(r.Spec.Path); message != "" {
		return reject(InvalidPath, "spec.path: "+message)
	}
	c.path = r.Spec.Path
	if c.path == "/" {
		c.path = ""
	}
	v.Path = c.path
	c.tls = r.Spec.TLS != nil
	c.passthrough = c.tls && r.Spec.TLS.Termination == routev1.TLSTerminationPassthrough
	// From here on the route has its host, even if it cannot be served: a
	// broken certificate must not hand the host to somebody else.
	c.holds = true
	if failures := checkTLS(r, o, v); len(failures) > 0 {
		return reject(ExtendedValidationFailed, strings.Join(failures, ", "))
	}
	v.Admitted = true
	return c
}

// decide gives the claims of one host, or of one domain where wildcards are
// about, their verdicts. It sorts claims in place.
func decide(claims []*claim, o *Options) map[model.RouteKey]Verdict {
	slices.SortFunc(claims, older)
	verdicts := make(map[model.RouteKey]Verdict, len(claims))
	var holders []*claim
	for _, c := range claims {
		v := c.verdict
		if c.holds {
			if i := slices.IndexFunc(holders, func(h *claim) bool { return conflict(h, c, o) != "" }); i >= 0 {
				v = Verdict{
					Reason: HostAlreadyClaimed, Message: conflict(holders[i], c, o), Winner: holders[i].key,
					Host: v.Host, FullHost: v.FullHost, Path: v.Path, Wildcard: v.Wildcard,
				}
			} else {
				holders = append(holders, c)
			}
		}
		verdicts[c.key] = v
	}
	return verdicts
}

// conflict says, for people, why c cannot have what it wants beside the older
// h; "" if it can.
func conflict(h, c *claim, o *Options) string {
	foreign := h.key.Namespace != c.key.Namespace
	if h.wildcard != c.wildcard {
		covers := h.wildcard && domain(c.host) == h.host || c.wildcard && domain(h.host) == c.host
		if !foreign || o.SharedHosts || !covers {
			return ""
		}
		if h.wildcard {
			return "wildcard route " + h.key.String() + " has host *." + h.host + ", blocking " + c.host
		}
		return "route " + h.key.String() + " has host " + h.host + ", blocking *." + c.host
	}
	if h.host != c.host {
		return ""
	}
	switch {
	case foreign && !o.SharedHosts:
		return "a route in another namespace holds " + c.verdict.FullHost + " and is older than " + c.key.Name + ": " + h.key.String()
	case h.path == c.path, h.tls && c.tls && (h.passthrough || c.passthrough):
		if foreign {
			return "a route in another namespace holds " + c.verdict.FullHost + c.path + " and is older than " + c.key.Name + ": " + h.key.String()
		}
		return "route " + h.key.Name + " already exposes " + c.verdict.FullHost + h.path + " and is older"
	}
	return ""
}

// domain is what follows the first label.
func domain(host string) string {
	_, rest, _ := strings.Cut(host, ".")
	return rest
}
