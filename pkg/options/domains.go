package options

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// checkDomains tells of domains that no host can be in, such as "*.example.com":
// a domain is for itself and all names below it. They stay as they were given,
// which keeps every host out, or none.
func (o *Options) checkDomains() {
	for _, l := range []struct {
		flag, env string
		domains   []string
	}{
		{"allowed-domains", "ROUTER_ALLOWED_DOMAINS", o.AllowedDomains},
		{"denied-domains", "ROUTER_DENIED_DOMAINS", o.DeniedDomains},
		{"override-domains", "ROUTER_OVERRIDE_DOMAINS", o.OverrideDomains},
	} {
		for _, d := range l.domains {
			if isDomain(d) {
				continue
			}
			text := fmt.Sprintf("--%s (%s): %q is no domain, and no host is in it", l.flag, l.env, d)
			if meant := domainIn(d); meant != "" {
				text += "; write " + meant + ", which is for that host and all below it"
			}
			o.Warnings = append(o.Warnings, text)
		}
	}
}

// isDomain reports whether a route's host can be, or end in, the name.
func isDomain(name string) bool { return len(validation.IsDNS1123Subdomain(name)) == 0 }

// domainIn is the domain that somebody probably meant who wrote a pattern, a
// URL, an address with a port, or capitals; "" for none.
func domainIn(text string) string {
	if _, after, found := strings.Cut(text, "://"); found {
		text = after
	}
	text, _, _ = strings.Cut(text, "/")
	text, _, _ = strings.Cut(text, ":")
	text = strings.ToLower(strings.Trim(strings.TrimLeft(text, "*"), `."' `))
	if !isDomain(text) {
		return ""
	}
	return text
}
