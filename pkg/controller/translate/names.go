package translate

import (
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// numberLabel is a label that makes a name an address in the eyes of some
// resolvers: "127.1" and "0x7f000001" are 127.0.0.1.
var numberLabel = regexp.MustCompile(`^([0-9]+|0x[0-9a-f]*)$`)

// validName reports whether a name can be resolved by DNS, is none of this
// machine, and is no address: those are checked where endpoints are.
func validName(host string) bool {
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	last := name[strings.LastIndexByte(name, '.')+1:]
	return len(validation.IsDNS1123Subdomain(name)) == 0 && name != "localhost" && !strings.HasSuffix(name, ".localhost") && !numberLabel.MatchString(last)
}
