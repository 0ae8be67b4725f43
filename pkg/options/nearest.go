package options

import (
	"fmt"
	"slices"
	"strings"

	"router/pkg/spelling"
)

// Nearest is the flag whose name is most like the given one, "" if none is.
func Nearest(name string) string {
	var names []string
	for _, r := range Table() {
		names = append(names, r.Flag)
	}
	return spelling.Nearest(name, names)
}

// Misspelled returns warnings about variables of the environment, in the form
// NAME=VALUE, that are no settings and are spelled almost like one. Others are
// somebody else's: Kubernetes itself gives a pod variables that begin with
// ROUTER_ if there is a service of that name.
func Misspelled(environ []string) []string {
	var known []string
	for _, r := range Table() {
		known = append(known, r.Env)
		if r.AliasEnv != "" {
			known = append(known, r.AliasEnv)
		}
	}
	var warnings []string
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		if slices.Contains(known, name) || !strings.Contains(name, "_") {
			continue
		}
		if near := spelling.Typo(name, known); near != "" {
			warnings = append(warnings, fmt.Sprintf("%s is no setting; did you mean %s?", name, near))
		}
	}
	slices.Sort(warnings)
	return warnings
}
