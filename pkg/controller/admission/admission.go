package admission

import (
	"slices"
	"strings"
	"time"

	"router/pkg/controller/routes"
	"router/pkg/model"
)

// Options are the administrator's rules.
type Options struct {
	Naming Naming
	// AllowedDomains, if there are any, are the only ones that hosts may be in
	// or below; DeniedDomains win over them.
	AllowedDomains, DeniedDomains []string
	// AllowWildcards admits routes with wildcardPolicy Subdomain.
	AllowWildcards bool
	// SharedHosts lets several namespaces use one host with different paths
	// (--disable-namespace-ownership-check).
	SharedHosts bool
	// Validate checks all of spec.tls (--extended-validation). Without it only
	// what could not be served is refused.
	Validate bool
	// CheckCertificate, if not nil, asks the TLS library that will serve it
	// whether it accepts a certificate. Then that library alone judges the
	// algorithms of certificates and keys. Its error must not quote the key.
	CheckCertificate func(model.Certificate) error
	// Now tells the time, for certificates that are past theirs.
	Now func() time.Time
}

// Reason is why a route is not admitted.
type Reason = routes.Reason

// The reasons.
const (
	RouteNotAdmitted                    Reason = "RouteNotAdmitted"
	HostAlreadyClaimed                  Reason = "HostAlreadyClaimed"
	NoHostValue                         Reason = "NoHostValue"
	InvalidHost                         Reason = "InvalidHost"
	ExtendedValidationFailed            Reason = "ExtendedValidationFailed"
	ExternalCertificateValidationFailed Reason = "ExternalCertificateValidationFailed"
	ExternalCertificateGetFailed        Reason = "ExternalCertificateGetFailed"
	ExternalCertificateSecretDeleted    Reason = "ExternalCertificateSecretDeleted"
	ExternalCertificateSecretRecreated  Reason = "ExternalCertificateSecretRecreated"
	ExternalCertificateSecretUpdated    Reason = "ExternalCertificateSecretUpdated"
)

// Verdict is what becomes of one route.
type Verdict struct {
	Admitted bool
	// Reason and Message say why not. Both are mostly empty where the route is
	// admitted.
	Reason  Reason
	Message string
	// HostReserved is whether the route, which is not admitted, keeps its host: it
	// is refused for its own mistakes, not for an older route.
	HostReserved bool
	// Winner is the route that has what this one wants; zero if none has.
	Winner model.RouteKey
	// Match is what the route is served under, or would be.
	model.Match
	// FullHost is the host as it is shown to people: spec.host, or what the
	// naming rules make of it.
	FullHost string
	// Certificate and DestinationCA are the checked contents of spec.tls; they
	// are set for admitted routes only.
	Certificate   *model.Certificate
	DestinationCA string
	// Problems do not keep the route from being admitted.
	Problems []model.Problem
	// Until is when the problems are others because a certificate begins or
	// ceases to be valid; zero for never.
	Until time.Time
}

// Equal reports whether two verdicts say the same.
func (v Verdict) Equal(o Verdict) bool {
	return v.Admitted == o.Admitted && v.HostReserved == o.HostReserved && v.Reason == o.Reason && v.Message == o.Message && v.Winner == o.Winner &&
		v.Match == o.Match && v.FullHost == o.FullHost && v.DestinationCA == o.DestinationCA &&
		(v.Certificate == o.Certificate || v.Certificate != nil && o.Certificate != nil && *v.Certificate == *o.Certificate) &&
		slices.Equal(v.Problems, o.Problems) && v.Until.Equal(o.Until)
}

// normal returns the options with domain lists in the form that hosts are
// compared with.
func (o Options) normal() *Options {
	o.AllowedDomains, o.DeniedDomains = domains(o.AllowedDomains), domains(o.DeniedDomains)
	o.Naming.OverrideDomains = domains(o.Naming.OverrideDomains)
	return &o
}

func domains(list []string) []string {
	list = slices.Clone(list)
	for i, d := range list {
		list[i] = strings.Trim(strings.ToLower(strings.TrimSpace(d)), ".")
	}
	return slices.DeleteFunc(list, func(d string) bool { return d == "" })
}
