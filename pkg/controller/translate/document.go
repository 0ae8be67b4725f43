package translate

import (
	"fmt"
	"strings"
)

// Document is docs/annotations.md.
func Document() string {
	var b strings.Builder
	b.WriteString("# Annotations of routes\n\nA value that cannot be used is reported in the route's status (condition `SettingsIgnored`)\n" +
		"and in `/api/routes`; the default then counts. A value that was to protect the route and cannot\nbe used refuses the traffic instead. " +
		"An empty value, or one of blanks alone, is as good as no annotation.\n" +
		"This page is made from `pkg/controller/translate` by `make generate`.\n\n| annotation | acts on | accepts | what it does | without it |\n|---|---|---|---|---|\n")
	for _, a := range annotationTable() {
		name := "`" + a.Name + "`"
		if a.Alias != "" {
			name += ", formerly `" + a.Alias + "`, which counts where the other is empty or absent"
		}
		if a.Obsolete != "" {
			fmt.Fprintf(&b, "| %s | nothing | anything | Has no effect: %s. | |\n", name, a.Obsolete)
			continue
		}
		on := "HTTP, edge, re-encrypt"
		switch {
		case a.Passthrough:
			on = "all routes"
		case a.TLS:
			on = "edge, re-encrypt"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", name, on, a.Accepts, a.Effect, a.Default)
	}
	b.WriteString("\nOf a Service the router reads `" + idledAnnotation + "`: while such a service has no\n" +
		"endpoint that is ready, requests go to its cluster address, which wakes it up.\n")
	return b.String()
}
