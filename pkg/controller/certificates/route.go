package certificates

import (
	"errors"
	"fmt"
	"strings"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"router/pkg/controller/admission"
	"router/pkg/controller/routes"
	"router/pkg/source"
)

// OfRoute returns the certificate of a Route that names a secret: the secret's,
// or the last good one of the Route with the reason why it is not the secret's.
// Without either there is a reason only.
func (p *Provider) OfRoute(r *routev1.Route) routes.SecretCertificate {
	e := p.entry(source.Key{Kind: source.KindRoute, Namespace: r.Namespace, Name: r.Name}, r.UID)
	f := p.check(e, p.find(r.Namespace, r.Spec.TLS.ExternalCertificate.Name).withCertificate(), *r.Spec.TLS)
	if f.fault == none || f.fault == unservable && e.good == nil {
		return contents(f.secret) // What is wrong with contents, admission says.
	}
	answer := contents(e.good)
	if f.fault == pending && e.good != nil {
		return answer // Nothing is wrong with the secret so far.
	}
	if answer.Reason, answer.Message = f.ofRoute(r, e.good); e.good != nil {
		answer.Message += lastServed
	}
	return answer
}

var at = field.NewPath("spec", "tls", "externalCertificate")

// ofRoute says what is wrong with a Route's secret, with the reasons and in the
// words of the reference router.
func (f finding) ofRoute(r *routev1.Route, good *corev1.Secret) (routes.Reason, string) {
	name := r.Spec.TLS.ExternalCertificate.Name
	var failures field.ErrorList
	switch f.fault {
	case forbidden:
		failures = denials(f.detail)
	case unreadable:
		failures = field.ErrorList{field.InternalError(at, errors.New("the secret could not be read: "+f.detail))}
	case pending:
		return admission.ExternalCertificateGetFailed, fmt.Sprintf("secret %q has not been read yet", name)
	case wrongType:
		failures = field.ErrorList{field.Invalid(at, name, fmt.Sprintf("secret of type %q required", corev1.SecretTypeTLS))}
	case noCertificate:
		return admission.ExternalCertificateGetFailed, field.Invalid(at, name, "the secret has no "+corev1.TLSCertKey).Error()
	case unservable:
		return admission.ExtendedValidationFailed, f.failure.Error()
	case none, missing, noKey:
		if good != nil && good.Name == name {
			return admission.ExternalCertificateSecretDeleted, fmt.Sprintf("secret %q deleted for route %q", name, r.Namespace+"/"+r.Name)
		}
		failures = field.ErrorList{field.NotFound(at, name)}
	}
	return admission.ExternalCertificateValidationFailed, failures.ToAggregate().Error()
}

// denials are the errors about the verbs that the router lacks.
func denials(verbs string) field.ErrorList {
	if verbs == "" {
		verbs = "get,watch,list"
	}
	var failures field.ErrorList
	for verb := range strings.SplitSeq(verbs, ",") {
		failures = append(failures, field.Forbidden(at, fmt.Sprintf("router serviceaccount does not have permission to %s this secret", verb)))
	}
	return failures
}
