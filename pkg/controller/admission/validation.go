package admission

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"router/pkg/controller/routes"
	"router/pkg/model"
	"router/pkg/pki"
)

// The fields of spec.tls, and what stands for their contents in messages.
var (
	tlsField           = field.NewPath("spec", "tls")
	certificateField   = tlsField.Child("certificate")
	keyField           = tlsField.Child("key")
	caField            = tlsField.Child("caCertificate")
	destinationCAField = tlsField.Child("destinationCACertificate")
	externalField      = tlsField.Child("externalCertificate")
)

const (
	someCertificate   = "redacted certificate data"
	someKey           = "redacted key data"
	someCA            = "redacted ca certificate data"
	someDestinationCA = "redacted destination ca certificate data"
)

// checked is what was found out about spec.tls.
type checked struct {
	// tls and external are what was looked at; from and until bound the time
	// for which the answer is the same.
	tls         *routev1.TLSConfig
	external    routes.SecretCertificate
	from, until time.Time

	failures      field.ErrorList
	problems      []model.Problem
	certificate   *model.Certificate
	destinationCA string
}

// answers reports whether the findings are those of the given contents.
func (c *checked) answers(tls *routev1.TLSConfig, e routes.SecretCertificate, now time.Time) bool {
	return c.tls != nil && e == c.external && !now.Before(c.from) && (c.until.IsZero() || now.Before(c.until)) && sameTLS(c.tls, tls)
}

func sameTLS(a, b *routev1.TLSConfig) bool {
	x, y := *a, *b
	if x.ExternalCertificate != nil && y.ExternalCertificate != nil && *x.ExternalCertificate == *y.ExternalCertificate {
		x.ExternalCertificate, y.ExternalCertificate = nil, nil
	}
	return x == y
}

// checkTLS checks spec.tls. The failures name their fields; keys and
// certificates are never shown.
func checkTLS(r *routes.Candidate, before *claim, o *Options) checked {
	tls, now := r.Spec.TLS, o.Now()
	var e routes.SecretCertificate
	if tls.ExternalCertificate != nil && tls.Termination != routev1.TLSTerminationPassthrough {
		if e = notEnabled; r.Certificate != nil {
			e = *r.Certificate
		}
		if e.Certificate == "" && e.Reason == "" {
			e = routes.SecretCertificate{Reason: ExternalCertificateGetFailed, Message: field.Invalid(externalField, tls.ExternalCertificate.Name, "the secret has no certificate").Error()}
		}
	}
	if before != nil && before.checked.answers(tls, e, now) {
		return before.checked
	}
	c := checked{tls: tls, external: e}
	c.fail(checkTermination(tls, o.Validate)...)
	c.fail(checkInsecurePolicy(tls)...)
	if tls.Termination == routev1.TLSTerminationPassthrough {
		return c
	}
	if tls.ExternalCertificate != nil {
		if tls.Certificate != "" || tls.Key != "" {
			c.fail(field.Invalid(externalField, tls.ExternalCertificate.Name, "cannot have both spec.tls.certificate and spec.tls.externalCertificate"))
		}
		if e.Reason != "" && e.Certificate != "" {
			c.note(model.SecretNotUsable, externalField, "the secret cannot be used; the last good certificate is served")
		}
		contents := *tls
		contents.Certificate, contents.Key = e.Certificate, e.Key
		tls = &contents
	}
	c.serving(tls, o, now)
	if tls.Termination == routev1.TLSTerminationReencrypt {
		c.checkDestinationCA(tls, o, now)
	}
	return c
}

// Unservable reports what keeps the certificate, key and CA certificates of
// spec.tls from being served, nil if nothing does. It is what a route with
// these contents would be told.
func (o Options) Unservable(tls *routev1.TLSConfig) error {
	var c checked
	c.serving(tls, &o, o.Now())
	if failures := c.failures.ToAggregate(); failures != nil {
		return failures
	}
	return nil
}

// notEnabled refuses routes that name a secret nobody has looked at: they must
// not be served with a certificate that is not theirs.
var notEnabled = routes.SecretCertificate{
	Reason:  ExternalCertificateValidationFailed,
	Message: field.Forbidden(externalField, "this router does not read certificates from secrets").Error(),
}

func (c *checked) fail(failures ...*field.Error) { c.failures = append(c.failures, failures...) }

func checkTermination(tls *routev1.TLSConfig, validate bool) field.ErrorList {
	var failures field.ErrorList
	switch tls.Termination {
	case routev1.TLSTerminationReencrypt:
	case routev1.TLSTerminationEdge:
		if validate && tls.DestinationCACertificate != "" {
			failures = append(failures, field.Invalid(destinationCAField, someDestinationCA, "edge termination does not support destination certificates"))
		}
	case routev1.TLSTerminationPassthrough:
		if !validate {
			return nil
		}
		for _, f := range []struct {
			at             *field.Path
			content, shown string
		}{
			{certificateField, tls.Certificate, someCertificate},
			{keyField, tls.Key, someKey},
			{caField, tls.CACertificate, someCA},
			{destinationCAField, tls.DestinationCACertificate, someDestinationCA},
		} {
			if f.content != "" {
				failures = append(failures, field.Invalid(f.at, f.shown, "passthrough termination does not support certificates"))
			}
		}
		if e := tls.ExternalCertificate; e != nil {
			failures = append(failures, field.Invalid(externalField, e.Name, "passthrough termination does not support certificates"))
		}
	default:
		failures = append(failures, field.NotSupported(tlsField.Child("termination"), tls.Termination,
			[]routev1.TLSTerminationType{routev1.TLSTerminationEdge, routev1.TLSTerminationPassthrough, routev1.TLSTerminationReencrypt}))
	}
	return failures
}

func checkInsecurePolicy(tls *routev1.TLSConfig) field.ErrorList {
	values := "None, Allow, Redirect, or empty"
	if tls.Termination == routev1.TLSTerminationPassthrough {
		values = "None, Redirect, or empty"
	}
	switch tls.InsecureEdgeTerminationPolicy {
	case "", routev1.InsecureEdgeTerminationPolicyNone, routev1.InsecureEdgeTerminationPolicyRedirect:
		return nil
	case routev1.InsecureEdgeTerminationPolicyAllow:
		if tls.Termination != routev1.TLSTerminationPassthrough {
			return nil
		}
	}
	return field.ErrorList{field.Invalid(tlsField.Child("insecureEdgeTerminationPolicy"), tls.InsecureEdgeTerminationPolicy,
		"invalid value for InsecureEdgeTerminationPolicy option, acceptable values are "+values)}
}

// serving checks the certificate that clients are to see.
func (c *checked) serving(tls *routev1.TLSConfig, o *Options, now time.Time) {
	before := len(c.failures)
	cert, certs := c.pair(tls, o.Validate, o.Validate && o.CheckCertificate == nil)
	usable := len(c.failures) == before
	for _, f := range [][2]string{
		{certificateField.String(), tls.Certificate}, {keyField.String(), tls.Key}, {caField.String(), tls.CACertificate},
	} {
		c.noteDamage(f[0], f[1])
	}
	if cert == nil {
		if usable && tls.CACertificate != "" {
			c.problems = append(c.problems, model.Problem{Field: caField.String(), Message: "is not used without a certificate of the host"})
		}
		return
	}
	if o.CheckCertificate != nil && usable {
		if err := o.CheckCertificate(*cert); err != nil {
			// Why, in the words of the reference router if it has any.
			if weak := weakSignatures(certificateField, someCertificate, certs); len(weak) > 0 {
				c.fail(weak...)
			} else {
				c.fail(field.Invalid(certificateField, someCertificate, err.Error()))
			}
		}
	}
	c.certificate = cert
	c.noteDates(certificateField, certs, now)
}

// checkDestinationCA checks the authorities that the pods' certificates are
// to be verified by.
func (c *checked) checkDestinationCA(tls *routev1.TLSConfig, o *Options, now time.Time) {
	if tls.DestinationCACertificate == "" {
		return
	}
	c.noteDamage(destinationCAField.String(), tls.DestinationCACertificate)
	certs, err := certificatesOnly(tls.DestinationCACertificate)
	if err != nil {
		c.fail(field.Invalid(destinationCAField, someDestinationCA, "failed to parse destination CA certificate: "+err.Error()))
		return
	}
	if o.Validate {
		c.fail(weakSignatures(destinationCAField, someDestinationCA, certs)...)
	}
	c.destinationCA = pki.EncodeCertificates(certs)
	c.noteDates(destinationCAField, certs, now)
}

// noteDates tells of certificates that clients or pods' peers will not accept
// for their age, and when that changes. An expired certificate is served: a
// warning in the browser says more than an error page.
func (c *checked) noteDates(at *field.Path, certs []*x509.Certificate, now time.Time) {
	for i, cert := range certs {
		name := "the certificate"
		if len(certs) > 1 {
			name = fmt.Sprintf("certificate %d of %d", i+1, len(certs))
		}
		switch {
		case now.After(cert.NotAfter):
			c.note(model.CertificateExpired, at, name+" expired on "+cert.NotAfter.UTC().Format(time.DateOnly))
			c.from = latest(c.from, cert.NotAfter)
		case now.Before(cert.NotBefore):
			c.note(model.CertificateNotYetValid, at, name+" is not valid before "+cert.NotBefore.UTC().Format(time.RFC3339))
			c.until = earliest(c.until, cert.NotBefore)
		default:
			c.from = latest(c.from, cert.NotBefore)
			c.until = earliest(c.until, cert.NotAfter)
		}
	}
}

func (c *checked) note(cause model.Cause, at *field.Path, message string) {
	c.problems = append(c.problems, model.Problem{Cause: cause, Field: at.String(), Message: message})
}

// noteDamage tells of PEM blocks that are left out because they cannot be
// decoded; the reference router does not.
func (c *checked) noteDamage(at, text string) {
	if damaged := pki.Damaged(text); damaged > 0 {
		c.problems = append(c.problems, model.Problem{Field: at, Message: fmt.Sprintf("%d PEM block(s) cannot be decoded and are left out", damaged)})
	}
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// earliest treats zero as never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return cmp.Or(b, a)
	}
	return a
}
