package model

import (
	"cmp"
	"slices"
)

// Cause says in one word what keeps a route from working as it should. The
// words stand in statuses, in /api/routes and in the log, for programs to
// compare.
type Cause string

// The causes. SettingIgnored, the zero value, is a setting that is not applied
// as it is written; the others are about what the route leads to.
const (
	SettingIgnored Cause = ""
	// ServiceNotFound: there is no service of the name.
	ServiceNotFound Cause = "ServiceNotFound"
	// PortNotFound: the service, or its endpoints, have no such port.
	PortNotFound Cause = "PortNotFound"
	// EndpointsRefused: no connection is made to addresses of the service.
	EndpointsRefused Cause = "EndpointsRefused"
	// NoEndpoints: the service has none, NoReadyEndpoints: none that is ready.
	NoEndpoints      Cause = "NoEndpoints"
	NoReadyEndpoints Cause = "NoReadyEndpoints"
	// ExternalNameInvalid: the service stands for something that is no DNS name,
	// ExternalNameNotResolved: for one that name servers do not know.
	ExternalNameInvalid     Cause = "ExternalNameInvalid"
	ExternalNameNotResolved Cause = "ExternalNameNotResolved"
	// CertificateExpired and CertificateNotYetValid are about a certificate that
	// is served or verified by all the same.
	CertificateExpired     Cause = "CertificateExpired"
	CertificateNotYetValid Cause = "CertificateNotYetValid"
	// SecretNotUsable: what was last good in a secret is served.
	SecretNotUsable Cause = "SecretNotUsable"
	// ServersNotVerified: there is no authority to verify pods by.
	ServersNotVerified Cause = "ServersNotVerified"
)

// Causes are all of them, the worst first; a setting that is ignored comes last.
func Causes() []Cause {
	return []Cause{
		ServiceNotFound, PortNotFound, ExternalNameInvalid, EndpointsRefused, NoEndpoints, NoReadyEndpoints, ExternalNameNotResolved,
		CertificateExpired, CertificateNotYetValid, SecretNotUsable, ServersNotVerified, SettingIgnored,
	}
}

// Compare orders causes, the worst first.
func (c Cause) Compare(o Cause) int {
	return cmp.Compare(slices.Index(Causes(), c), slices.Index(Causes(), o))
}

// Passing reports whether a cause comes and goes with pods, such as in a
// rollout, or with name servers, so that it means something only after it has
// lasted.
func (c Cause) Passing() bool {
	return c == NoEndpoints || c == NoReadyEndpoints || c == ExternalNameNotResolved
}

// OfEndpoints reports whether a cause is about the endpoints of a service. As
// long as a service has none, nothing new is known of the others.
func (c Cause) OfEndpoints() bool {
	return c.Passing() || c == PortNotFound || c == EndpointsRefused
}
