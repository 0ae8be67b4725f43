package source

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Affected returns the keys of the routes and ingresses that may have to be
// looked at because of a change, sorted and each once. It is called after
// Apply, with the object that Apply returned. What happens to services,
// endpoints and secrets of namespaces that are not selected affects nothing;
// a namespace affects its routes when it begins or ceases to be selected.
func (s *Store) Affected(c Change, old metav1.Object) []Key {
	affected := map[Key]struct{}{}
	k := c.Key
	switch k.Kind {
	case KindRoute, KindIngress:
		return []Key{k}
	case KindService, KindSecret:
		s.addUsers(affected, k)
	case KindName:
		for service := range s.users[k] {
			s.addUsers(affected, service)
		}
	case KindEndpoints:
		s.addUsers(affected, Key{KindService, k.Namespace, k.Name})
	case KindEndpointSlice:
		for _, o := range []metav1.Object{old, c.Object} {
			if slice, ok := o.(*discoveryv1.EndpointSlice); ok {
				s.addUsers(affected, serviceOfSlice(slice))
			}
		}
	case KindIngressClass:
		s.addUsers(affected, k)
		if isDefaultClass(old) || isDefaultClass(c.Object) {
			s.addUsers(affected, Key{KindIngressClass, "", ""})
		}
	case KindNamespace:
		before, _ := old.(*corev1.Namespace)
		now, _ := c.Object.(*corev1.Namespace)
		if s.selection.namespaceMatches(k.Name, before) == s.selection.namespaceMatches(k.Name, now) {
			return nil
		}
		for name := range s.routes[k.Name] {
			affected[Key{KindRoute, k.Name, name}] = struct{}{}
		}
		for name := range s.ingresses[k.Name] {
			affected[Key{KindIngress, k.Name, name}] = struct{}{}
		}
	case KindConfigMap: // Nothing refers to one.
	}
	if len(affected) == 0 {
		return nil
	}
	return slices.SortedFunc(maps.Keys(affected), Key.Compare)
}

// EndpointsOf reports whether a change is about nothing but where services
// lead to: their endpoints, or the addresses of a name. services are their
// names; there are none for a name, which any may stand for. old is what Apply
// returned.
func EndpointsOf(c Change, old metav1.Object) (services []string, only bool) {
	switch c.Key.Kind {
	case KindEndpoints:
		return []string{c.Key.Name}, true
	case KindEndpointSlice:
		for _, o := range []metav1.Object{old, c.Object} {
			if slice, ok := o.(*discoveryv1.EndpointSlice); ok {
				services = append(services, serviceOfSlice(slice).Name)
			}
		}
		return services, true
	case KindName:
		return nil, true
	default:
		return nil, false
	}
}

// addUsers adds those who refer to an object, if their namespace is selected.
func (s *Store) addUsers(affected map[Key]struct{}, of Key) {
	if of.Kind == KindService && of.Name == "" {
		return // Slices of no service.
	}
	for user := range s.users[of] {
		if s.NamespaceSelected(user.Namespace) {
			affected[user] = struct{}{}
		}
	}
}

// UsersOf returns the keys of the routes and Ingresses that lead to an object,
// to a name by their services, and that the router looks at, sorted.
func (s *Store) UsersOf(k Key) []Key {
	var list []Key
	for user := range s.users[k] {
		if user.Kind == KindService {
			list = append(list, s.UsersOf(user)...)
		} else if s.isSelected(user) {
			list = append(list, user)
		}
	}
	slices.SortFunc(list, Key.Compare)
	return slices.Compact(list)
}

// AddWatchable adds the objects that are watched one by one, secrets and names,
// to which the object with a key leads now, to a name by its services.
func (s *Store) AddWatchable(k Key, to map[Key]bool) {
	t := s.tables[k.Kind]
	if t == nil {
		return
	}
	for _, ref := range references(t.object(k)) {
		switch {
		case ref.Kind == KindName, ref.Kind == KindSecret && ref.Name != "":
			to[ref] = true
		case ref.Kind == KindService:
			s.AddWatchable(ref, to)
		}
	}
}

// isSelected reports whether there is a route or ingress with the key that the
// router looks at.
func (s *Store) isSelected(k Key) bool {
	switch k.Kind {
	case KindRoute:
		return s.SelectedRoute(k.Namespace, k.Name) != nil
	case KindIngress:
		return s.SelectedIngress(k.Namespace, k.Name) != nil
	default:
		return false
	}
}

// SecretsOf returns the keys of the secrets that a route or ingress refers
// to, sorted and each once: those whose content the router needs.
func SecretsOf(o metav1.Object) []Key {
	var list []Key
	for _, ref := range references(o) {
		if ref.Kind == KindSecret && ref.Name != "" {
			list = append(list, ref)
		}
	}
	slices.SortFunc(list, Key.Compare)
	return slices.Compact(list)
}
