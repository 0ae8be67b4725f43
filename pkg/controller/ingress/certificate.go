package ingress

import (
	"errors"
	"fmt"
	"strings"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"

	"router/pkg/controller/admission"
	"router/pkg/model"
	"router/pkg/source"
)

// Secrets finds secrets, and says what is known of those that are not there.
type Secrets interface {
	Secret(namespace, name string) *corev1.Secret
	SecretState(namespace, name string) source.SecretState
	// SecretDetail says more of a secret that is not there.
	SecretDetail(namespace, name string) string
}

// CertificateOptions are what Certificates need. The functions may be nil.
type CertificateOptions struct {
	// Awaits reports whether a secret has been asked for and the answer is
	// still to come.
	Awaits func(namespace, name string) bool
	// Unservable reports what keeps a certificate and key from being served.
	Unservable func(*routev1.TLSConfig) error
}

// Certificates reads what Ingresses keep in secrets, and remembers the last
// good content of each: a secret that is deleted, or broken by an edit, takes
// no host down.
type Certificates struct {
	o       CertificateOptions
	secrets Secrets
	pairs   map[model.RouteKey]pair
	cas     map[model.RouteKey]string
	// answers are by secret: the many paths of an Ingress ask for the same.
	answers map[model.RouteKey]answer
}

// answer is what was found in a secret as it was.
type answer struct {
	secret *corev1.Secret
	found  admission.External
}

// pair is a certificate and its key, in PEM.
type pair struct{ certificate, key string }

// NewCertificates returns one that remembers nothing.
func NewCertificates(secrets Secrets, o CertificateOptions) *Certificates {
	return &Certificates{o: o, secrets: secrets, pairs: map[model.RouteKey]pair{}, cas: map[model.RouteKey]string{}, answers: map[model.RouteKey]answer{}}
}

// Certificate is the newest certificate of a secret that can be served.
func (c *Certificates) Certificate(namespace, name string) admission.External {
	k := model.RouteKey{Namespace: namespace, Name: name}
	secret := c.secrets.Secret(namespace, name)
	if before := c.answers[k]; secret != nil && before.secret == secret {
		return before.found
	}
	found := c.look(k)
	c.answers[k] = answer{secret, found}
	return found
}

// look reads a secret, or remembers what was in it.
func (c *Certificates) look(k model.RouteKey) admission.External {
	now, reason, err := c.read(k)
	if err == nil {
		c.pairs[k] = now
		return admission.External{Certificate: now.certificate, Key: now.key}
	}
	message := "spec.tls: secret " + k.Name + " " + err.Error()
	last, known := c.pairs[k]
	if known {
		message += "; the last good certificate is served"
	}
	return admission.External{Certificate: last.certificate, Key: last.key, Reason: reason, Message: message}
}

// read takes a certificate and its key out of a secret.
func (c *Certificates) read(k model.RouteKey) (pair, admission.Reason, error) {
	secret, err := c.secret(k)
	if err != nil {
		return pair{}, admission.ExternalCertificateGetFailed, err
	}
	p := pair{string(secret.Data[corev1.TLSCertKey]), string(secret.Data[corev1.TLSPrivateKeyKey])}
	switch {
	case secret.Type != corev1.SecretTypeTLS:
		err = fmt.Errorf("is of type %q; %q is needed", secret.Type, corev1.SecretTypeTLS)
	case p.certificate == "":
		err = errors.New("has no " + corev1.TLSCertKey)
	case p.key == "":
		err = errors.New("has no " + corev1.TLSPrivateKeyKey)
	default:
		if failure := c.unservable(p); failure != nil {
			err = fmt.Errorf("cannot be served: %w", failure)
		}
	}
	return p, admission.ExternalCertificateValidationFailed, err
}

func (c *Certificates) unservable(p pair) error {
	tls := &routev1.TLSConfig{Certificate: p.certificate, Key: p.key}
	if c.o.Unservable != nil {
		return c.o.Unservable(tls)
	}
	_, failures := admission.Certificate(tls)
	if failure := failures.ToAggregate(); failure != nil {
		return failure
	}
	return nil
}

// secret returns a secret, or why there is none.
func (c *Certificates) secret(k model.RouteKey) (*corev1.Secret, error) {
	state := c.secrets.SecretState(k.Namespace, k.Name)
	switch {
	case state == source.SecretPresent:
		return c.secrets.Secret(k.Namespace, k.Name), nil
	case state == source.SecretForbidden:
		if verbs := c.secrets.SecretDetail(k.Namespace, k.Name); verbs != "" {
			return nil, errors.New("may not be read by the router, which lacks the permission to " + strings.ReplaceAll(verbs, ",", ", "))
		}
		return nil, errors.New("may not be read by the router")
	case state == source.SecretUnreadable:
		return nil, errors.New("could not be read: " + c.secrets.SecretDetail(k.Namespace, k.Name))
	case state == source.SecretUnknown && c.o.Awaits != nil && c.o.Awaits(k.Namespace, k.Name):
		return nil, errors.New("has not been read yet")
	}
	return nil, errors.New("does not exist")
}

// CA returns the authorities in a secret, in PEM. A warning says that they
// are those that were there last.
func (c *Certificates) CA(namespace, name string) (pem, warning string, err error) {
	k := model.RouteKey{Namespace: namespace, Name: name}
	secret, err := c.secret(k)
	if err == nil {
		if pem = string(secret.Data[corev1.TLSCertKey]); pem != "" {
			c.cas[k] = pem
			return pem, "", nil
		}
		err = errors.New("has no " + corev1.TLSCertKey)
	}
	err = fmt.Errorf("secret %s %w", name, err)
	if last, known := c.cas[k]; known {
		return last, err.Error() + "; the last good authorities are used", nil
	}
	return "", "", err
}

// Forget drops what is remembered of a secret that no Ingress names.
func (c *Certificates) Forget(namespace, name string) {
	k := model.RouteKey{Namespace: namespace, Name: name}
	delete(c.pairs, k)
	delete(c.answers, k)
	delete(c.cas, k)
}
