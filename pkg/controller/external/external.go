// Package external finds the certificates that routes keep in Secrets
// (spec.tls.externalCertificate), and remembers the last good one of each
// route: a secret that is deleted, broken or closed to the router does not
// take a host's certificate away while the router runs.
package external

import (
	"errors"
	"fmt"
	"strings"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"router/pkg/controller/admission"
	"router/pkg/model"
	"router/pkg/source"
)

// Secrets are the secrets that there are. *source.Store is one.
type Secrets interface {
	Secret(namespace, name string) *corev1.Secret
	SecretState(namespace, name string) source.SecretState
	// SecretDetail says more of a secret that is not there.
	SecretDetail(namespace, name string) string
}

// Options are what Certificates need.
type Options struct {
	Secrets Secrets
	// Awaits reports whether a secret has been asked for and the answer is
	// still to come. A secret of which nothing is known and that nobody waits
	// for does not exist.
	Awaits func(namespace, name string) bool
	// Unservable reports what keeps spec.tls, with a secret's contents in it,
	// from being served.
	Unservable func(*routev1.TLSConfig) error
}

// Certificates knows the external certificates of routes. It belongs to one
// goroutine.
type Certificates struct {
	o    Options
	good map[model.RouteKey]*good
}

// good is the last pair of a route that could be served.
type good struct {
	// uid is that of the route: one that was deleted and made again is another.
	uid types.UID
	// from is the secret that the pair is in, ca what stood beside it.
	from *corev1.Secret
	ca   string
}

// New returns Certificates that remember nothing.
func New(o Options) *Certificates {
	return &Certificates{o: o, good: map[model.RouteKey]*good{}}
}

// Forget drops what is remembered of a route that is not served any longer.
func (c *Certificates) Forget(k model.RouteKey) { delete(c.good, k) }

// kept is added to messages of routes that are served all the same.
const kept = "; the last good certificate is served"

// Of returns the certificate of a route that names a secret: the secret's, or
// the last good one with the reason why it is not the secret's. Without either
// there is a reason only.
func (c *Certificates) Of(r *routev1.Route) admission.External {
	k := model.RouteKey{Namespace: r.Namespace, Name: r.Name}
	last := c.good[k]
	if last != nil && last.uid != r.UID {
		last = nil
		c.Forget(k)
	}
	now, secret := c.read(r, last)
	if now.Certificate != "" {
		if last != nil && last.from == secret && last.ca == r.Spec.TLS.CACertificate {
			return now // It has been looked at.
		}
		err := c.o.Unservable(withContents(r.Spec.TLS, now))
		if err == nil {
			c.good[k] = &good{uid: r.UID, from: secret, ca: r.Spec.TLS.CACertificate}
			return now
		}
		if last == nil {
			return now // Admission finds the same, and says so.
		}
		now = admission.External{Reason: admission.ExtendedValidationFailed, Message: err.Error()}
	}
	if last == nil {
		return now
	}
	if c.awaits(r) {
		now = admission.External{} // Nothing is wrong with it so far.
	} else {
		now.Message += kept
	}
	now.Certificate, now.Key = pair(last.from)
	return now
}

func pair(s *corev1.Secret) (certificate, key string) {
	return string(s.Data[corev1.TLSCertKey]), string(s.Data[corev1.TLSPrivateKeyKey])
}

func withContents(tls *routev1.TLSConfig, e admission.External) *routev1.TLSConfig {
	contents := *tls
	contents.Certificate, contents.Key, contents.ExternalCertificate = e.Certificate, e.Key, nil
	return &contents
}

// awaits reports whether nothing is known of the route's secret yet.
func (c *Certificates) awaits(r *routev1.Route) bool {
	name := r.Spec.TLS.ExternalCertificate.Name
	return c.o.Secrets.SecretState(r.Namespace, name) == source.SecretUnknown && c.o.Awaits(r.Namespace, name)
}

var at = field.NewPath("spec", "tls", "externalCertificate")

// read returns what a route's secret holds, and the secret, or why there is
// nothing. Reasons and messages are those of the reference router.
func (c *Certificates) read(r *routev1.Route, last *good) (admission.External, *corev1.Secret) {
	name := r.Spec.TLS.ExternalCertificate.Name
	invalid := func(failures ...*field.Error) (admission.External, *corev1.Secret) {
		return admission.External{
			Reason: admission.ExternalCertificateValidationFailed, Message: field.ErrorList(failures).ToAggregate().Error(),
		}, nil
	}
	switch state := c.o.Secrets.SecretState(r.Namespace, name); {
	case state == source.SecretForbidden:
		return invalid(denials(c.o.Secrets.SecretDetail(r.Namespace, name))...)
	case state == source.SecretUnreadable:
		return invalid(field.InternalError(at, errors.New("the secret could not be read: "+c.o.Secrets.SecretDetail(r.Namespace, name))))
	case c.awaits(r):
		return admission.External{
			Reason: admission.ExternalCertificateGetFailed, Message: fmt.Sprintf("secret %q has not been read yet", name),
		}, nil
	case state != source.SecretPresent && last != nil && last.from.Name == name:
		return admission.External{
			Reason: admission.ExternalCertificateSecretDeleted, Message: fmt.Sprintf("secret %q deleted for route %q", name, r.Namespace+"/"+r.Name),
		}, nil
	case state != source.SecretPresent:
		return invalid(field.NotFound(at, name))
	}
	secret := c.o.Secrets.Secret(r.Namespace, name)
	if secret.Type != corev1.SecretTypeTLS {
		return invalid(field.Invalid(at, name, fmt.Sprintf("secret of type %q required", corev1.SecretTypeTLS)))
	}
	certificate, key := pair(secret)
	if certificate == "" {
		return admission.External{
			Reason:  admission.ExternalCertificateGetFailed,
			Message: field.Invalid(at, name, fmt.Sprintf("the secret has no %s", corev1.TLSCertKey)).Error(),
		}, nil
	}
	return admission.External{Certificate: certificate, Key: key}, secret
}

// denials are the errors about the verbs that the router lacks.
func denials(verbs string) []*field.Error {
	if verbs == "" {
		verbs = "get,watch,list"
	}
	var failures []*field.Error
	for verb := range strings.SplitSeq(verbs, ",") {
		failures = append(failures, field.Forbidden(at, fmt.Sprintf("router serviceaccount does not have permission to %s this secret", verb)))
	}
	return failures
}
