package options

import (
	"errors"
	"fmt"
)

// checkClientAuth looks at the settings of clients' certificates together:
// one that protects is never left without the one that it needs.
func (o *Options) checkClientAuth() []error {
	if o.Global.TLS.VerifiesClients() {
		if o.ClientCAFile == "" {
			return []error{errors.New("--mutual-tls-auth (ROUTER_MUTUAL_TLS_AUTH) needs --mutual-tls-auth-ca (ROUTER_MUTUAL_TLS_AUTH_CA): whose certificates are trusted?")}
		}
		return nil
	}
	for _, s := range []struct{ value, flag, env string }{
		{string(o.ClientCAFile), "mutual-tls-auth-ca", "ROUTER_MUTUAL_TLS_AUTH_CA"},
		{string(o.ClientCRLFile), "mutual-tls-auth-crl", "ROUTER_MUTUAL_TLS_AUTH_CRL"},
		{o.Global.TLS.ClientDNFilter, "mutual-tls-auth-filter", "ROUTER_MUTUAL_TLS_AUTH_FILTER"},
	} {
		if s.value != "" {
			o.Warnings = append(o.Warnings, fmt.Sprintf("--%s (%s) has no effect: --mutual-tls-auth does not ask clients for certificates", s.flag, s.env))
		}
	}
	return nil
}
