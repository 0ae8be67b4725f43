package source

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Affected returns the keys of the routes and ingresses that may have to be
// looked at because of a change, sorted and each once. It is called after
// Apply, with the object that Apply returned. What happens to services,
// endpoints and secrets of namespaces that are not selected affects nothing;
// a namespace affects its routes when it begins or ceases to be selected.
func (s *Store) Affected(c Change, old metav1.Object) []Key {
	info := c.Key.Kind.Info()
	if info == nil {
		return nil
	}
	if info.selected != nil {
		return []Key{c.Key}
	}
	affected := map[Key]struct{}{}
	if c.Key.Kind == KindNamespace {
		s.addObjectsOf(affected, c, old)
	} else {
		for _, o := range []metav1.Object{old, c.Object} {
			for _, k := range info.names(c.Key, o) {
				s.addUsers(affected, k)
			}
		}
	}
	if len(affected) == 0 {
		return nil
	}
	return slices.SortedFunc(maps.Keys(affected), Key.Compare)
}

// names are the keys under which others refer to an object.
func (i *KindInfo) names(k Key, o metav1.Object) []Key {
	if i.referredAs == nil {
		return []Key{k}
	}
	return i.referredAs(k, o)
}

// addUsers adds those who refer to an object, to a name by their services, if
// their namespace is selected.
func (s *Store) addUsers(affected map[Key]struct{}, of Key) {
	for user := range s.users[of] {
		if user.Kind == KindService {
			s.addUsers(affected, user)
		} else if s.NamespaceSelected(user.Namespace) {
			affected[user] = struct{}{}
		}
	}
}

// addObjectsOf adds the objects of a namespace that routes come from, if the
// namespace begins or ceases to be selected.
func (s *Store) addObjectsOf(affected map[Key]struct{}, c Change, old metav1.Object) {
	name := c.Key.Name
	before, _ := old.(*corev1.Namespace)
	now, _ := c.Object.(*corev1.Namespace)
	if s.selection.namespaceMatches(name, before) == s.selection.namespaceMatches(name, now) {
		return
	}
	for kind, info := range kinds {
		if info.selected == nil {
			continue
		}
		for object := range s.objects[kind][name] {
			affected[Key{kind, name, object}] = struct{}{}
		}
	}
}

// EndpointsOf reports whether a change is about nothing but where services
// lead to: their endpoints, or the addresses of a name. services are their
// names; there are none for a name, which any may stand for. old is what Apply
// returned.
func EndpointsOf(c Change, old metav1.Object) (services []string, only bool) {
	switch c.Key.Kind {
	case KindEndpoints, KindEndpointSlice:
		for _, o := range []metav1.Object{old, c.Object} {
			for _, service := range c.Key.Kind.Info().names(c.Key, o) {
				services = append(services, service.Name)
			}
		}
		return services, true
	default:
		return nil, c.Key.Kind == KindExternalName
	}
}

// UsersOf returns the keys of the routes and Ingresses that lead to an object,
// to a name by their services, and that the router looks at, sorted.
func (s *Store) UsersOf(k Key) []Key {
	var list []Key
	for user := range s.users[k] {
		if user.Kind == KindService {
			list = append(list, s.UsersOf(user)...)
		} else if s.selected(user) != nil {
			list = append(list, user)
		}
	}
	slices.SortFunc(list, Key.Compare)
	return slices.Compact(list)
}

// AddWatchable adds the objects that are watched one by one, secrets and names,
// to which the object with a key leads now, to a name by its services.
func (s *Store) AddWatchable(k Key, to map[Key]bool) {
	for _, ref := range references(k.Kind, s.object(k)) {
		switch {
		case ref.Kind == KindExternalName, ref.Kind == KindSecret && ref.Name != "":
			to[ref] = true
		case ref.Kind == KindService:
			s.AddWatchable(ref, to)
		}
	}
}

// references are the objects that one of a kind, or nil, refers to.
func references(kind Kind, o metav1.Object) []Key {
	info := kind.Info()
	if info == nil || info.references == nil || o == nil {
		return nil
	}
	return info.references(o)
}
