package source

import (
	"net/netip"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Resolution is what the name servers say of a name: the object of KindExternalName.
// Its ObjectMeta has a name and nothing else.
type Resolution struct {
	metav1.ObjectMeta
	// Addresses are sorted, each once, and of one family. They are as the name
	// servers gave them: whether they may be connected to is not looked at.
	Addresses []netip.Addr
	// Failure says why there are none, "" if there are some.
	Failure string
}

// numberLabel is a label that makes a name an address in the eyes of some
// resolvers: "127.1" and "0x7f000001" are 127.0.0.1.
var numberLabel = regexp.MustCompile(`^([0-9]+|0x[0-9a-f]*)$`)

// ExternalName is the name that a service of the type ExternalName stands
// for: lower-case, without the dot at the end. It is "" for other services,
// and for what cannot be resolved by DNS, is a name of this machine, or is an
// address, which belongs into an EndpointSlice.
func ExternalName(s *corev1.Service) string {
	if s.Spec.Type != corev1.ServiceTypeExternalName {
		return ""
	}
	name := strings.TrimSuffix(strings.ToLower(s.Spec.ExternalName), ".")
	last := name[strings.LastIndexByte(name, '.')+1:]
	if len(validation.IsDNS1123Subdomain(name)) > 0 || last == "localhost" || numberLabel.MatchString(last) {
		return ""
	}
	return name
}
