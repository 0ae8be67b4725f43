// Package certificates finds what routes keep in Secrets, and remembers what
// was last good: a secret that is deleted, broken by an edit or closed to the
// router does not take a host's certificate away while the router runs.
package certificates

import (
	"errors"
	"fmt"
	"strings"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"router/pkg/controller/admission"
	"router/pkg/controller/routes"
	"router/pkg/source"
)

// Secrets are the secrets that there are. *source.Store is one.
type Secrets interface {
	Secret(namespace, name string) *corev1.Secret
	SecretState(namespace, name string) source.SecretState
	// SecretDetail says more of a secret that is not there.
	SecretDetail(namespace, name string) string
}

// Options are what a Provider needs.
type Options struct {
	Secrets Secrets
	// Pending reports whether a secret has been asked for and the answer is
	// still to come. A secret of which nothing is known and that nobody waits
	// for does not exist.
	Pending func(namespace, name string) bool
	// Unservable reports what keeps spec.tls, with a secret's contents in it,
	// from being served.
	Unservable func(*routev1.TLSConfig) error
}

// Provider gives out the contents of secrets. It belongs to one goroutine.
type Provider struct {
	o Options
	// entries are by Route, whichever secrets it names one after the other, and
	// by secret for all Ingresses that name it.
	entries map[source.Key]*entry
}

// entry is what is remembered for a Route or of a secret.
type entry struct {
	// uid is that of the Route: one that was deleted and made again is another.
	uid types.UID
	// good is the last secret whose certificate could be served, nil for none.
	good *corev1.Secret
	// checked was looked at last, beside the authorities ca; failure is why it
	// cannot be served.
	checked *corev1.Secret
	ca      string
	failure error
	// authorities are the last that there were.
	authorities string
}

// New returns a Provider that remembers nothing.
func New(o Options) *Provider { return &Provider{o: o, entries: map[source.Key]*entry{}} }

// Forget drops what is remembered for a Route that is not served any longer, or
// of a secret that no Ingress names.
func (p *Provider) Forget(k source.Key) { delete(p.entries, k) }

func (p *Provider) entry(k source.Key, uid types.UID) *entry {
	e := p.entries[k]
	if e == nil || e.uid != uid {
		e = &entry{uid: uid}
		p.entries[k] = e
	}
	return e
}

// fault is what keeps a secret from being used.
type fault int

const (
	none fault = iota
	forbidden
	unreadable
	pending
	missing
	wrongType
	noCertificate
	noKey
	unservable
)

// finding is what was found of a secret. The secret is nil where it is not
// there; detail or failure say more.
type finding struct {
	fault   fault
	secret  *corev1.Secret
	detail  string
	failure error
}

// find looks for a secret.
func (p *Provider) find(namespace, name string) finding {
	f := finding{detail: p.o.Secrets.SecretDetail(namespace, name)}
	switch state := p.o.Secrets.SecretState(namespace, name); {
	case state == source.SecretPresent:
		f.secret = p.o.Secrets.Secret(namespace, name)
	case state == source.SecretForbidden:
		f.fault = forbidden
	case state == source.SecretUnreadable:
		f.fault = unreadable
	case state == source.SecretUnknown && p.o.Pending(namespace, name):
		f.fault = pending
	default:
		f.fault = missing
	}
	return f
}

// withCertificate looks for a certificate in the secret that was found.
func (f finding) withCertificate() finding {
	switch {
	case f.fault != none:
	case f.secret.Type != corev1.SecretTypeTLS:
		f.fault = wrongType
	case len(f.secret.Data[corev1.TLSCertKey]) == 0:
		f.fault = noCertificate
	}
	return f
}

// check asks whether the certificate that was found can be served in a Route's
// spec.tls, once for each secret, and remembers it if so.
func (p *Provider) check(e *entry, f finding, tls routev1.TLSConfig) finding {
	if f.fault != none {
		return f
	}
	if e.checked != f.secret || e.ca != tls.CACertificate {
		found := contents(f.secret)
		tls.Certificate, tls.Key, tls.ExternalCertificate = found.Certificate, found.Key, nil
		e.checked, e.ca, e.failure = f.secret, tls.CACertificate, p.o.Unservable(&tls)
	}
	if e.failure != nil {
		f.fault, f.failure = unservable, e.failure
		return f
	}
	e.good = f.secret
	return f
}

// contents are a certificate and its key as a secret has them; none for nil.
func contents(s *corev1.Secret) routes.SecretCertificate {
	if s == nil {
		return routes.SecretCertificate{}
	}
	return routes.SecretCertificate{Certificate: string(s.Data[corev1.TLSCertKey]), Key: string(s.Data[corev1.TLSPrivateKeyKey])}
}

// lastServed is added to messages of routes that are served all the same.
const lastServed = "; the last good certificate is served"

// Certificate returns the certificate in a secret that an Ingress names: the
// secret's, or the last good one with the reason why it is not the secret's.
// Without either there is a reason only.
func (p *Provider) Certificate(namespace, name string) routes.SecretCertificate {
	e := p.entry(source.Key{Kind: source.KindSecret, Namespace: namespace, Name: name}, "")
	f := p.find(namespace, name).withCertificate()
	if f.fault == none && len(f.secret.Data[corev1.TLSPrivateKeyKey]) == 0 {
		f.fault = noKey
	}
	if f = p.check(e, f, routev1.TLSConfig{}); f.fault == none {
		return contents(f.secret)
	}
	answer := contents(e.good)
	if answer.Reason = admission.ExternalCertificateGetFailed; f.secret != nil {
		answer.Reason = admission.ExternalCertificateValidationFailed
	}
	if answer.Message = "spec.tls: secret " + name + " " + f.text(); e.good != nil {
		answer.Message += lastServed
	}
	return answer
}

// CA returns the authorities in a secret that an Ingress names, in PEM. A
// warning says that they are those that were there last.
func (p *Provider) CA(namespace, name string) (pem, warning string, err error) {
	e := p.entry(source.Key{Kind: source.KindSecret, Namespace: namespace, Name: name}, "")
	f := p.find(namespace, name)
	if f.fault == none {
		if pem = string(f.secret.Data[corev1.TLSCertKey]); pem != "" {
			e.authorities = pem
			return pem, "", nil
		}
		f.fault = noCertificate
	}
	err = errors.New("secret " + name + " " + f.text())
	if e.authorities != "" {
		return e.authorities, err.Error() + "; the last good authorities are used", nil
	}
	return "", "", err
}

// text says what is wrong with a secret, behind its name.
func (f finding) text() string {
	switch f.fault {
	case forbidden:
		if f.detail != "" {
			return "may not be read by the router, which lacks the permission to " + strings.ReplaceAll(f.detail, ",", ", ")
		}
		return "may not be read by the router"
	case unreadable:
		return "could not be read: " + f.detail
	case pending:
		return "has not been read yet"
	case wrongType:
		return fmt.Sprintf("is of type %q; %q is needed", f.secret.Type, corev1.SecretTypeTLS)
	case noCertificate:
		return "has no " + corev1.TLSCertKey
	case noKey:
		return "has no " + corev1.TLSPrivateKeyKey
	case unservable:
		return "cannot be served: " + f.failure.Error()
	case none, missing:
	}
	return "does not exist"
}
