package config

import (
	"maps"
	"slices"
	"strings"
)

// CrtLine is a line of the crt-list but for the names that it is for.
type CrtLine struct {
	// Path is the certificate's file.
	Path string
	// Except are hosts below a wildcard that have a certificate of their own:
	// "" or, for instance, " !a.test !b.test".
	Except string
}

// Text is the line for names with blanks between them.
func (l CrtLine) Text(names string) string { return l.Path + " " + names + l.Except }

// ParseFilters splits what is behind the path into names and the line's rest;
// false for the first line, which the default certificate always has.
func ParseFilters(path string, filters []string) (names string, line CrtLine, ok bool) {
	if len(filters) == 0 || filters[0] == noNames {
		return "", CrtLine{}, false
	}
	except := ""
	if i := slices.IndexFunc(filters, func(f string) bool { return strings.HasPrefix(f, "!") }); i >= 0 {
		filters, except = filters[:i], " "+strings.Join(filters[i:], " ")
	}
	return strings.Join(filters, " "), CrtLine{Path: path, Except: except}, true
}

// noNames stands behind the default certificate, the first of the list: it is
// for a name that no host can have, so that it is served where nothing else is.
// HAProxy would else take its names from the certificate, and prefer an ECDSA
// certificate for a wildcard to an RSA one for the host itself. ("!*" is no name
// either, but HAProxy 2.6 never changes such a line's certificate, nor what its
// clients are verified by.)
const noNames = "_default"

// crtListText is the content of the crt-list.
func crtListText(defaultCertificate string, hosts map[string]CrtLine) string {
	var b strings.Builder
	b.WriteString(defaultCertificate + " " + noNames + "\n")
	for _, names := range slices.Sorted(maps.Keys(hosts)) {
		b.WriteString(hosts[names].Text(names) + "\n")
	}
	return b.String()
}
