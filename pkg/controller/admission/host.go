package admission

import (
	"os"
	"slices"
	"strings"

	routev1 "github.com/openshift/api/route/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"router/pkg/controller/routes"
	"router/pkg/model"
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
func (n Naming) host(r *routes.Candidate) string {
	host := r.Spec.Host
	if host == "" && r.Spec.Subdomain != "" && n.Domain != "" {
		host = r.Spec.Subdomain + "." + n.Domain
	}
	if n.Template == "" || host != "" && !n.Override && !inDomains(host, n.OverrideDomains) {
		return host
	}
	known := true
	made := os.Expand(n.Template, func(variable string) string {
		switch variable {
		case "name":
			return r.Key.Name
		case "namespace":
			return r.Key.Namespace
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
	return slices.ContainsFunc(domains, func(d string) bool {
		return host == d || strings.HasSuffix(host, "."+d)
	})
}

// admitHost applies the rules about hosts alone, in the order of the
// reference router. A route that fails here has no host. A Route cannot ask for
// any host, a path of an Ingress can: a wildcard for which everything is below.
func (o *Options) admitHost(r *routes.Candidate, host string) (Reason, string) {
	if r.Key.Kind != model.KindRoute && host == model.CatchAllHost {
		return o.admitCatchAll()
	}
	wildcard := r.Spec.WildcardPolicy == routev1.WildcardPolicySubdomain
	if host != "" {
		if o.denied(host, wildcard) {
			return RouteNotAdmitted, "host in list of denied domains"
		}
		if !o.allowed(host, wildcard) {
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
	if failures := checkHost(host, wildcard); len(failures) > 0 {
		texts := make([]string, len(failures))
		for i, f := range failures {
			texts[i] = f.Error()
		}
		return InvalidHost, "host name validation errors: " + strings.Join(texts, ", ")
	}
	return "", ""
}

func (o *Options) admitCatchAll() (Reason, string) {
	switch {
	case len(o.DeniedDomains) > 0:
		return RouteNotAdmitted, "host in list of denied domains: without a host, those are asked for, too"
	case len(o.AllowedDomains) > 0:
		return RouteNotAdmitted, "host not in the allowed list of domains: without a host, all are asked for"
	case !o.AllowWildcards:
		return RouteNotAdmitted, "wildcard routes are not allowed, and without a host every host is asked for"
	}
	return "", ""
}

// denied reports whether a host is in a denied domain. A wildcard is also
// denied where it would serve a denied host.
func (o *Options) denied(host string, wildcard bool) bool {
	if inDomains(host, o.DeniedDomains) {
		return true
	}
	return wildcard && (inDomains(domain(host), o.DeniedDomains) ||
		slices.ContainsFunc(o.DeniedDomains, func(d string) bool { return domain(d) == domain(host) }))
}

// allowed reports whether a host is in an allowed domain; of a wildcard, all
// that it would serve.
func (o *Options) allowed(host string, wildcard bool) bool {
	if wildcard {
		host = domain(host)
	}
	return len(o.AllowedDomains) == 0 || inDomains(host, o.AllowedDomains)
}

var hostField = field.NewPath("spec", "host")

// checkHost says what is wrong with a host name: the rules of DNS, lower-case.
func checkHost(host string, wildcard bool) field.ErrorList {
	var failures field.ErrorList
	if isHost(host) && (!wildcard || domain(host) != "") {
		return nil
	}
	if len(host) > validation.DNS1123SubdomainMaxLength {
		// Neither repeated nor taken apart: it may be as long as an object.
		return field.ErrorList{field.TooLong(hostField, "", validation.DNS1123SubdomainMaxLength)}
	}
	if len(validation.IsDNS1123Subdomain(host)) > 0 {
		failures = append(failures, field.Invalid(hostField, host, "host must conform to DNS 952 subdomain conventions"))
	}
	for label := range strings.SplitSeq(host, ".") {
		for _, problem := range validation.IsDNS1123Label(label) {
			failures = append(failures, field.Invalid(hostField, host, problem))
		}
	}
	if wildcard && domain(host) == "" {
		failures = append(failures, field.Invalid(hostField, host, "a wildcard serves the names beside its host: the host needs a domain"))
	}
	return failures
}

// isHost reports the same as the checks of Kubernetes that checkHost takes its
// messages from, at a tenth of the time.
func isHost(host string) bool {
	if len(host) > validation.DNS1123SubdomainMaxLength {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > validation.DNS1123LabelMaxLength || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}
