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

// ServicesWithEndpoints are the names of the services whose endpoints a change
// is about, none if it is about something else. old is what Apply returned.
func ServicesWithEndpoints(c Change, old metav1.Object) []string {
	switch c.Key.Kind {
	case KindEndpoints:
		return []string{c.Key.Name}
	case KindEndpointSlice:
		var names []string
		for _, o := range []metav1.Object{old, c.Object} {
			if slice, ok := o.(*discoveryv1.EndpointSlice); ok {
				names = append(names, serviceOfSlice(slice).Name)
			}
		}
		return names
	default:
		return nil
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

// usersOf lists the users of an object that are of a kind, sorted.
func (s *Store) usersOf(of Key, kind Kind) []Key {
	var list []Key
	for user := range s.users[of] {
		if user.Kind == kind {
			list = append(list, user)
		}
	}
	slices.SortFunc(list, Key.Compare)
	return list
}

// RoutesOfService returns the keys of the routes that send requests to a
// service, by spec.to or spec.alternateBackends, sorted.
func (s *Store) RoutesOfService(namespace, name string) []Key {
	return s.usersOf(Key{KindService, namespace, name}, KindRoute)
}

// RoutesOfSecret returns the keys of the routes whose certificate is in a
// secret (spec.tls.externalCertificate), sorted.
func (s *Store) RoutesOfSecret(namespace, name string) []Key {
	return s.usersOf(Key{KindSecret, namespace, name}, KindRoute)
}

// RoutesOfNamespace returns the keys of the routes in a namespace, sorted.
func (s *Store) RoutesOfNamespace(namespace string) []Key {
	list := make([]Key, 0, len(s.routes[namespace]))
	for name := range s.routes[namespace] {
		list = append(list, Key{KindRoute, namespace, name})
	}
	slices.SortFunc(list, Key.Compare)
	return list
}

// IngressesOfService returns the keys of the ingresses that send requests to
// a service, the default backend included, sorted.
func (s *Store) IngressesOfService(namespace, name string) []Key {
	return s.usersOf(Key{KindService, namespace, name}, KindIngress)
}

// IngressesOfSecret returns the keys of the ingresses whose certificate is in
// a secret, sorted.
func (s *Store) IngressesOfSecret(namespace, name string) []Key {
	return s.usersOf(Key{KindSecret, namespace, name}, KindIngress)
}

// UsersOfSecret returns the keys of the routes and ingresses that refer to a
// secret and that the router looks at, sorted.
func (s *Store) UsersOfSecret(namespace, name string) []Key {
	var list []Key
	for user := range s.users[Key{KindSecret, namespace, name}] {
		if s.isSelected(user) {
			list = append(list, user)
		}
	}
	slices.SortFunc(list, Key.Compare)
	return list
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
