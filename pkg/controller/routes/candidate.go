package routes

import (
	"slices"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	"k8s.io/apimachinery/pkg/types"

	"router/pkg/model"
)

// Candidate is a route that some object asks for, before it is decided whether
// it is admitted. It is immutable.
type Candidate struct {
	Key model.RouteKey
	// UID, Created and Annotations are those of the object.
	UID         types.UID
	Created     time.Time
	Annotations map[string]string
	// Spec is what is asked for, in the terms of a Route, which are the richest.
	// Fields in messages are those of a Route, unless another is named below.
	Spec *routev1.RouteSpec
	// Exact asks for the path alone, and nothing below it.
	Exact bool
	// Certificate is what became of the secret that
	// spec.tls.externalCertificate names; nil where none is named.
	Certificate *SecretCertificate
	// Invalid says why the object cannot be served as it is written, "" if it
	// can. Problems do not keep it from being served.
	Invalid  string
	Problems []model.Problem
	// Backend is the field of the object that names the service, such as
	// "spec.defaultBackend.service"; "" where that is spec.to of a Route.
	Backend string
	// NoPort is the port that the object names and that the service does not
	// have, "" if it has it.
	NoPort string
}

// The prefixes of annotations that are the router's, on whatever object.
const (
	PrefixHAProxy = "haproxy.router.openshift.io/"
	PrefixRouter  = "router.openshift.io/"
)

// Reason is why a route is not admitted, in the words of the reference router,
// which consoles and scripts know. Package admission lists them.
type Reason string

// SecretCertificate is what became of a certificate that is kept in a secret.
type SecretCertificate struct {
	// Certificate and Key are the contents of the secret, in PEM; both empty
	// refuse the route.
	Certificate, Key string
	// Reason and Message say what is wrong with the secret. Beside contents
	// they say that these are not the newest, and the route stays admitted.
	Reason  Reason
	Message string
}

// LeadsTo reports whether the candidate sends requests to one of some services.
func (c *Candidate) LeadsTo(services []string) bool {
	return slices.Contains(services, c.Spec.To.Name) || slices.ContainsFunc(c.Spec.AlternateBackends, func(b routev1.RouteTargetReference) bool {
		return slices.Contains(services, b.Name)
	})
}
