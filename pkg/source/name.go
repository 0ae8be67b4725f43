package source

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Resolution is what the name servers say of a name: the object of KindName.
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

// NamesOf returns the keys of the names that the service with a key stands
// for, or that the route or ingress leads to by its services. They are not
// sorted, and may repeat.
func (s *Store) NamesOf(k Key) []Key {
	t := s.tables[k.Kind]
	if t == nil {
		return nil
	}
	var names []Key
	for _, ref := range references(t.object(k)) {
		switch ref.Kind {
		case KindName:
			names = append(names, ref)
		case KindService:
			if service := s.Service(ref.Namespace, ref.Name); service != nil {
				names = append(names, references(service)...)
			}
		default: // Nothing else has a name.
		}
	}
	return names
}

// UsersOfName returns the keys of the routes and ingresses that lead to a name
// and that the router looks at, sorted.
func (s *Store) UsersOfName(name string) []Key {
	users := map[Key]struct{}{}
	for service := range s.users[Key{KindName, "", name}] {
		for user := range s.users[service] {
			if s.isSelected(user) {
				users[user] = struct{}{}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(users), Key.Compare)
}
