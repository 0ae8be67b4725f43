package ingress

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/controller/admission"
	"router/pkg/model"
)

// Lookup finds what an Ingress refers to.
type Lookup interface {
	// Service returns nil for a service that is not there.
	Service(namespace, name string) *corev1.Service
	// Certificate returns the certificate in a secret, or says why there is
	// none. It never is the router's default one.
	Certificate(namespace, secret string) admission.External
	// CA returns the authorities in a secret, in PEM, or says why there are
	// none; a warning beside them says that they are not the newest.
	CA(namespace, secret string) (pem, warning string, err error)
}

// Path is one path of an Ingress, as the route that it is handled as.
type Path struct {
	admission.IngressPath
	Route *routev1.Route
	// Backend is the field that names the service, NoPort the port that it
	// names and that the service does not have, "" if it has it.
	Backend, NoPort string
}

// Key is the key of the route.
func (p *Path) Key() model.RouteKey {
	return model.RouteKey{Namespace: p.Route.Namespace, Name: p.Route.Name}
}

// Translate gives the paths of an Ingress, in the order in which they are
// written; those of the default backend come last. What cannot be served is a
// path that says why.
func Translate(i *networkingv1.Ingress, l Lookup) []*Path {
	t := &translation{ingress: i, lookup: l, at: map[string]*Path{}, whole: map[string]bool{}, has: map[string]bool{}}
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
	return t.paths
}

// translation is the work on one Ingress.
type translation struct {
	ingress *networkingv1.Ingress
	lookup  Lookup
	paths   []*Path
	// at are the paths by the name of their routes.
	at map[string]*Path
	// hosts are those of the rules, each once. whole are those of which all
	// paths are taken, has those with any path.
	hosts      []string
	whole, has map[string]bool
}

func (t *translation) addHost(host string) {
	if _, known := t.has[host]; !known {
		t.has[host] = false
		t.hosts = append(t.hosts, host)
	}
}

func (t *translation) rule(n int, rule *networkingv1.IngressRule) {
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

// prefixes of the annotations that a route takes from its Ingress.
const (
	prefixHAProxy = "haproxy.router.openshift.io/"
	prefixRouter  = "router.openshift.io/"
)

// add makes the route of a path. The first of two that are the same counts.
func (t *translation) add(host, path string, exact bool, at string, b *networkingv1.IngressBackend) *Path {
	t.has[host] = true
	if !exact && (path == "" || path == "/") {
		path = ""
		t.whole[host] = true
	}
	i := t.ingress
	name := routeName(i.Name, host, path, exact)
	if first := t.at[name]; first != nil {
		first.Problems = append(first.Problems, model.Problem{Field: at, Message: "the same host and path stand before; the first one counts"})
		return &Path{}
	}
	r := &routev1.Route{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: i.Namespace, Name: name, UID: i.UID, CreationTimestamp: i.CreationTimestamp,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(i, networkingv1.SchemeGroupVersion.WithKind("Ingress"))},
		},
		Spec: routev1.RouteSpec{Host: host, Path: path, WildcardPolicy: routev1.WildcardPolicyNone},
	}
	if domain, wildcard := strings.CutPrefix(host, "*."); wildcard {
		// Of a wildcard route's host only what follows the first label counts.
		r.Spec.Host, r.Spec.WildcardPolicy = "wildcard."+domain, routev1.WildcardPolicySubdomain
	}
	for key, value := range i.Annotations {
		if strings.HasPrefix(key, prefixHAProxy) || strings.HasPrefix(key, prefixRouter) {
			if r.Annotations == nil {
				r.Annotations = map[string]string{}
			}
			r.Annotations[key] = value
		}
	}
	p := &Path{Route: r, IngressPath: admission.IngressPath{Ingress: i.Name, Exact: exact}}
	t.tls(p, host)
	t.backend(p, at, b)
	t.at[name] = p
	t.paths = append(t.paths, p)
	return p
}

// backend sets the route's service and port.
func (t *translation) backend(p *Path, at string, b *networkingv1.IngressBackend) {
	switch {
	case b == nil:
		p.Invalid = at + ": the host has neither paths nor a default backend"
	case b.Resource != nil:
		p.Invalid = fmt.Sprintf("%s.resource: %s %s cannot be served; only services can", at, b.Resource.Kind, b.Resource.Name)
	case b.Service == nil || b.Service.Name == "":
		p.Invalid = at + ".service: a service is needed"
	default:
		p.Route.Spec.To = routev1.RouteTargetReference{Kind: "Service", Name: b.Service.Name}
		p.Backend = at + ".service"
		t.port(p, b.Service)
	}
}

// Parts of a route's name. The longest name of an Ingress is 253 characters,
// and the route's is part of the names of files.
const (
	namePrefix   = "ingress_"
	nameLength   = 120
	digestLength = 6
)

// IsPath reports whether a key is that of a path of an Ingress, and not that
// of a Route, also if it is of no Ingress any longer.
func IsPath(k model.RouteKey) bool { return strings.HasPrefix(k.Name, namePrefix) }

// routeName is the name of the route of a path.
func routeName(ingress, host, path string, exact bool) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%t", ingress, host, path, exact))
	return namePrefix + ingress[:min(len(ingress), nameLength)] + "_" + hex.EncodeToString(sum[:digestLength])
}
