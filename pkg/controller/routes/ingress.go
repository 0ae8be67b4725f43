package routes

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"router/pkg/model"
)

// Lookup finds what an Ingress refers to.
type Lookup interface {
	// Service returns nil for a service that is not there.
	Service(namespace, name string) *corev1.Service
	// Certificate returns the certificate in a secret, or says why there is
	// none. It never is the router's default one.
	Certificate(namespace, secret string) SecretCertificate
	// CA returns the authorities in a secret, in PEM, or says why there are
	// none; a warning beside them says that they are not the newest.
	CA(namespace, secret string) (pem, warning string, err error)
}

// FromIngress gives the candidates that an Ingress is, one for each of its
// paths, in the order in which they are written; those of the default backend
// come last. What cannot be served is a candidate that says why.
func FromIngress(i *networkingv1.Ingress, l Lookup) []*Candidate {
	t := &ingress{object: i, lookup: l, byRule: map[string]*Candidate{}, whole: map[string]bool{}, has: map[string]bool{}}
	for n := range i.Spec.Rules {
		t.rule(n, &i.Spec.Rules[n])
	}
	if len(i.Spec.Rules) == 0 && i.Spec.DefaultBackend != nil {
		t.addHost(model.CatchAllHost)
	}
	for _, host := range t.hosts {
		switch {
		case t.whole[host]:
		case i.Spec.DefaultBackend != nil:
			t.add(host, "", false, "spec.defaultBackend", i.Spec.DefaultBackend)
		case !t.has[host]:
			t.add(host, "", false, "spec.rules", nil)
		}
	}
	return t.candidates
}

// ingress is the work on one Ingress.
type ingress struct {
	object     *networkingv1.Ingress
	lookup     Lookup
	candidates []*Candidate
	byRule     map[string]*Candidate
	// hosts are those of the rules, each once. whole are those of which all
	// paths are taken, has those with any path.
	hosts      []string
	whole, has map[string]bool
}

func (t *ingress) addHost(host string) {
	if _, known := t.has[host]; !known {
		t.has[host] = false
		t.hosts = append(t.hosts, host)
	}
}

func (t *ingress) rule(n int, rule *networkingv1.IngressRule) {
	host := rule.Host
	if host == "" {
		host = model.CatchAllHost
	}
	t.addHost(host)
	if rule.HTTP == nil {
		return
	}
	for m := range rule.HTTP.Paths {
		p := &rule.HTTP.Paths[m]
		at := fmt.Sprintf("spec.rules[%d].http.paths[%d]", n, m)
		path, exact, invalid := readPath(at, p)
		added := t.add(host, path, exact, at+".backend", &p.Backend)
		if invalid != "" {
			added.Invalid = invalid
		}
	}
}

// readPath is the path of a route for a path of an Ingress.
func readPath(at string, p *networkingv1.HTTPIngressPath) (path string, exact bool, invalid string) {
	kind := networkingv1.PathTypeImplementationSpecific
	if p.PathType != nil {
		kind = *p.PathType
	}
	switch kind {
	case networkingv1.PathTypeImplementationSpecific:
		return p.Path, false, ""
	case networkingv1.PathTypeExact:
		path, exact = p.Path, true
	case networkingv1.PathTypePrefix:
		// A route's "/a/" is only what is below; a prefix's is "/a" as well.
		path = strings.TrimRight(p.Path, "/")
	default:
		return p.Path, false, fmt.Sprintf("%s.pathType: %q is not one of Exact, Prefix, ImplementationSpecific", at, kind)
	}
	if !strings.HasPrefix(p.Path, "/") {
		invalid = fmt.Sprintf(`%s.path: must begin with "/" where pathType is %s`, at, kind)
	}
	return path, exact, invalid
}

// add makes the candidate of a path. The first of two that are the same counts.
func (t *ingress) add(host, path string, exact bool, at string, b *networkingv1.IngressBackend) *Candidate {
	t.has[host] = true
	if !exact && (path == "" || path == "/") {
		path = ""
		t.whole[host] = true
	}
	i := t.object
	rule := ruleOf(i.Name, host, path, exact)
	if first := t.byRule[rule]; first != nil {
		first.Problems = append(first.Problems, model.Problem{Field: at, Message: "the same host and path stand before; the first one counts"})
		return &Candidate{}
	}
	c := &Candidate{
		Key: model.RouteKey{Kind: model.KindIngress, Namespace: i.Namespace, Name: i.Name, Rule: rule},
		UID: i.UID, Created: i.CreationTimestamp.Time, Exact: exact,
		Spec: &routev1.RouteSpec{Host: host, Path: path, WildcardPolicy: routev1.WildcardPolicyNone},
	}
	if domain, wildcard := strings.CutPrefix(host, "*."); wildcard {
		// Of a wildcard route's host only what follows the first label counts.
		c.Spec.Host, c.Spec.WildcardPolicy = "wildcard."+domain, routev1.WildcardPolicySubdomain
	}
	for key, value := range i.Annotations {
		if strings.HasPrefix(key, PrefixHAProxy) || strings.HasPrefix(key, PrefixRouter) {
			if c.Annotations == nil {
				c.Annotations = map[string]string{}
			}
			c.Annotations[key] = value
		}
	}
	t.tls(c, host)
	t.backend(c, at, b)
	t.byRule[rule] = c
	t.candidates = append(t.candidates, c)
	return c
}

// backend sets the route's service and port.
func (t *ingress) backend(p *Candidate, at string, b *networkingv1.IngressBackend) {
	switch {
	case b == nil:
		p.Invalid = at + ": the host has neither paths nor a default backend"
	case b.Resource != nil:
		p.Invalid = fmt.Sprintf("%s.resource: %s %s cannot be served; only services can", at, b.Resource.Kind, b.Resource.Name)
	case b.Service == nil || b.Service.Name == "":
		p.Invalid = at + ".service: a service is needed"
	default:
		p.Spec.To = routev1.RouteTargetReference{Kind: "Service", Name: b.Service.Name}
		p.Backend = at + ".service"
		t.port(p, b.Service)
	}
}

// ruleLength is how much of the digest tells the paths of an Ingress apart, in
// bytes.
const ruleLength = 6

// ruleOf is the Rule of a path's key. It does not change with what the path
// leads to: a path keeps its backend in HAProxy, and its counters, when others
// come and go or its service changes.
func ruleOf(ingress, host, path string, exact bool) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%t", ingress, host, path, exact))
	return hex.EncodeToString(sum[:ruleLength])
}
