package admission

import (
	"os"
	"strings"

	routev1 "github.com/openshift/api/route/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Naming gives hosts to routes.
type Naming struct {
	// Template makes a host of "${name}" and "${namespace}"; "" for none.
	Template string
	// Domain completes spec.subdomain; "" for none.
	Domain string
	// Override uses the template for every route, OverrideDomains for those
	// in or below these domains.
	Override        bool
	OverrideDomains []string
}

// host is the name that a route is served under.
func (n Naming) host(r *routev1.Route) string {
	host := r.Spec.Host
	if host == "" && r.Spec.Subdomain != "" && n.Domain != "" {
		host = r.Spec.Subdomain + "." + n.Domain
	}
	if n.Template == "" || host != "" && !n.Override && !inDomains(host, n.OverrideDomains) {
		return host
	}
	known := true
	made := os.Expand(n.Template, func(name string) string {
		switch name {
		case "name":
			return r.Name
		case "namespace":
			return r.Namespace
		}
		known = false
		return ""
	})
	if !known {
		return host
	}
	return strings.Trim(made, `"'`)
}

// inDomains reports whether a host is one of the domains or below one.
func inDomains(host string, domains []string) bool {
	for _, d := range domains {
		if host == d || strings.HasSuffix(host, "."+d) {
			return true
		}
	}
	return false
}

// admitHost applies the rules about hosts alone, in the order of the
// reference router.
func (o *Options) admitHost(r *routev1.Route, host string) (Reason, string) {
	if host != "" {
		if inDomains(host, o.DeniedDomains) {
			return RouteNotAdmitted, "host in list of denied domains"
		}
		if len(o.AllowedDomains) > 0 && !inDomains(host, o.AllowedDomains) {
			return RouteNotAdmitted, "host not in the allowed list of domains"
		}
	}
	switch r.Spec.WildcardPolicy {
	case routev1.WildcardPolicyNone, "":
	case routev1.WildcardPolicySubdomain:
		if !o.AllowWildcards {
			return RouteNotAdmitted, "wildcard routes are not allowed"
		}
	default:
		return RouteNotAdmitted, "unknown wildcard policy " + string(r.Spec.WildcardPolicy)
	}
	if host == "" {
		return NoHostValue, "no host value was defined for the route"
	}
	var failures []string
	if problems := validation.IsDNS1123Subdomain(host); len(problems) > 0 {
		failures = append(failures, "host must conform to DNS 952 subdomain conventions")
	}
	for label := range strings.SplitSeq(host, ".") {
		if problems := validation.IsDNS1123Label(label); len(problems) > 0 {
			failures = append(failures, problems[0])
			break
		}
	}
	if len(failures) > 0 {
		return InvalidHost, "host name validation errors: spec.host: Invalid value: " + quote(host) + ": " + strings.Join(failures, ", ")
	}
	return "", ""
}

// maxPath bounds spec.path, in bytes.
const maxPath = 4096

// checkPath says what is wrong with a path that no request could match.
func checkPath(path string) string {
	switch {
	case path == "":
		return ""
	case path[0] != '/':
		return `must begin with "/"`
	case len(path) > maxPath:
		return "is longer than 4096 bytes"
	}
	for _, c := range []byte(path) {
		switch {
		case c == '?' || c == '#':
			return "must not have a query or fragment; " + quote(string(c)) + " is never part of a request's path"
		case c <= ' ' || c == 0x7f:
			return "has a blank or control character, which no request's path contains; write %20 for a blank"
		}
	}
	return ""
}
