package translate

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// validName reports whether a name can be resolved by DNS and is not one of
// this machine.
func validName(host string) bool {
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	return len(validation.IsDNS1123Subdomain(name)) == 0 && name != "localhost" && !strings.HasSuffix(name, ".localhost")
}
