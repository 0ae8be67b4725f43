package routes

import (
	"fmt"
	"slices"
	"strings"

	routev1 "github.com/openshift/api/route/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"router/pkg/model"
	"router/pkg/source"
)

// TerminationAnnotation says where the TLS of an Ingress ends, in the words of
// a Route.
const TerminationAnnotation = "route.openshift.io/termination"

// tls sets the route's TLS. A host under spec.tls ends its TLS here, and plain
// HTTP is redirected; the annotation says otherwise.
func (t *ingress) tls(p *Candidate, host string) {
	termination := t.object.Annotations[TerminationAnnotation]
	field := "metadata.annotations[" + TerminationAnnotation + "]"
	entry := entryOf(t.object.Spec.TLS, host)
	config := &routev1.TLSConfig{
		Termination: routev1.TLSTerminationEdge, InsecureEdgeTerminationPolicy: routev1.InsecureEdgeTerminationPolicyRedirect,
	}
	switch routev1.TLSTerminationType(termination) {
	case "", routev1.TLSTerminationEdge:
	case routev1.TLSTerminationReencrypt:
		config.Termination = routev1.TLSTerminationReencrypt
	case routev1.TLSTerminationPassthrough:
		if host == model.CatchAllHost {
			p.Invalid = field + ": a passthrough path needs a host"
			return
		}
		config.Termination = routev1.TLSTerminationPassthrough
		p.Spec.TLS = config
		return
	default:
		p.Invalid = fmt.Sprintf("%s: %q is not one of edge, reencrypt, passthrough", field, termination)
		return
	}
	if entry == nil {
		if termination != "" {
			p.Problems = append(p.Problems, model.Problem{Field: field, Value: termination, Message: "has no effect: spec.tls does not name the host"})
		}
		return
	}
	if entry.SecretName != "" {
		if host == model.CatchAllHost {
			p.Invalid = "spec.tls: a certificate needs a host; name it in the rule"
			return
		}
		config.ExternalCertificate = &routev1.LocalObjectReference{Name: entry.SecretName}
		certificate := t.lookup.Certificate(t.object.Namespace, entry.SecretName)
		p.Certificate = &certificate
	}
	if config.Termination == routev1.TLSTerminationReencrypt {
		t.destinationCA(p, config)
	}
	p.Spec.TLS = config
}

// destinationCA takes the authorities that the pods are verified by.
func (t *ingress) destinationCA(p *Candidate, config *routev1.TLSConfig) {
	secret := t.object.Annotations[source.DestinationCAAnnotation]
	if secret == "" {
		return
	}
	field := "metadata.annotations[" + source.DestinationCAAnnotation + "]"
	pem, warning, err := t.lookup.CA(t.object.Namespace, secret)
	switch {
	case err != nil:
		p.Invalid = field + ": " + err.Error()
	case warning != "":
		p.Problems = append(p.Problems, model.Problem{Cause: model.SecretNotUsable, Field: field, Value: secret, Message: warning})
	}
	config.DestinationCACertificate = pem
}

// entryOf is the entry of spec.tls for a host: one that names it, one whose
// wildcard covers it, or one that names none and is for all.
func entryOf(entries []networkingv1.IngressTLS, host string) *networkingv1.IngressTLS {
	_, domain, _ := strings.Cut(host, ".")
	find := func(matches func(*networkingv1.IngressTLS) bool) *networkingv1.IngressTLS {
		for i := range entries {
			if matches(&entries[i]) {
				return &entries[i]
			}
		}
		return nil
	}
	if e := find(func(e *networkingv1.IngressTLS) bool { return slices.Contains(e.Hosts, host) }); e != nil {
		return e
	}
	if e := find(func(e *networkingv1.IngressTLS) bool { return slices.Contains(e.Hosts, "*."+domain) }); e != nil {
		return e
	}
	return find(func(e *networkingv1.IngressTLS) bool { return len(e.Hosts) == 0 })
}
