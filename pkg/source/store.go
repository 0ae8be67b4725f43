package source

import (
	"iter"
	"maps"
	"slices"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Store holds the latest objects, and what leads from one to the others: from
// a service to the routes that use it, from a secret to those whose
// certificate it is. It belongs to one goroutine. All objects are kept,
// selected or not, so that a namespace which begins to match needs no new
// request. Finding what a change affects costs as much as it affects, not as
// much as there is.
type Store struct {
	selection Selection
	// objects are by kind, namespace and name.
	objects map[Kind]map[string]map[string]metav1.Object
	// absent holds secrets that were reported as not being there.
	absent map[Key]absent
	// users are the routes and ingresses that refer to an object, and the
	// services that stand for a name.
	users map[Key]map[Key]struct{}
	// slicesOf are the slices of each service, by name.
	slicesOf map[Key]map[string]*discoveryv1.EndpointSlice
}

// absent is what a change said of an object that is not there.
type absent struct {
	absence Absence
	detail  string
}

// NewStore returns an empty store in which the objects of the selection count.
func NewStore(selection Selection) *Store {
	return &Store{
		selection: selection, objects: map[Kind]map[string]map[string]metav1.Object{},
		absent: map[Key]absent{}, users: map[Key]map[Key]struct{}{}, slicesOf: map[Key]map[string]*discoveryv1.EndpointSlice{},
	}
}

// Apply takes a change in and returns the object that there was before, nil
// if there was none.
func (s *Store) Apply(c Change) metav1.Object {
	if c.Key.Kind.Info() == nil {
		return nil
	}
	old := s.object(c.Key)
	if old != nil {
		s.unlink(c.Key, old)
		remove(s.objects[c.Key.Kind], c.Key.Namespace, c.Key.Name)
	}
	if c.Object != nil {
		if s.objects[c.Key.Kind] == nil {
			s.objects[c.Key.Kind] = map[string]map[string]metav1.Object{}
		}
		put(s.objects[c.Key.Kind], c.Key.Namespace, c.Key.Name, c.Object)
		s.link(c.Key, c.Object)
	}
	if c.Key.Kind == KindSecret {
		if c.Object != nil || c.Absence == Forgotten {
			delete(s.absent, c.Key)
		} else {
			s.absent[c.Key] = absent{c.Absence, c.Detail}
		}
	}
	return old
}

func (s *Store) link(k Key, o metav1.Object) {
	for _, ref := range references(k.Kind, o) {
		put(s.users, ref, k, struct{}{})
	}
	if slice, ok := o.(*discoveryv1.EndpointSlice); ok {
		for _, service := range servicesOfSlice(k, o) {
			put(s.slicesOf, service, k.Name, slice)
		}
	}
}

func (s *Store) unlink(k Key, o metav1.Object) {
	for _, ref := range references(k.Kind, o) {
		remove(s.users, ref, k)
	}
	for _, service := range servicesOfSlice(k, o) {
		remove(s.slicesOf, service, k.Name)
	}
}

// put sets a value in a map of maps.
func put[A, B comparable, V any](in map[A]map[B]V, a A, b B, value V) {
	if in[a] == nil {
		in[a] = map[B]V{}
	}
	in[a][b] = value
}

// remove deletes a value from a map of maps, with the map that it leaves empty.
func remove[A, B comparable, V any](in map[A]map[B]V, a A, b B) {
	delete(in[a], b)
	if len(in[a]) == 0 {
		delete(in, a)
	}
}

// object is the object with a key, nil if there is none.
func (s *Store) object(k Key) metav1.Object { return s.objects[k.Kind][k.Namespace][k.Name] }

// get is the object with a key, nil if there is none.
func get[T metav1.Object](s *Store, kind Kind, namespace, name string) T {
	o, _ := s.objects[kind][namespace][name].(T)
	return o
}

// selected returns the object with a key if the router looks at it, nil
// otherwise.
func (s *Store) selected(k Key) metav1.Object {
	o, info := s.object(k), k.Kind.Info()
	if o == nil || info.selected == nil || !info.selected(s.selection, o) || !s.NamespaceSelected(k.Namespace) {
		return nil
	}
	return o
}

// Route returns a route, selected or not, nil if there is none.
func (s *Store) Route(namespace, name string) *routev1.Route {
	return get[*routev1.Route](s, KindRoute, namespace, name)
}

// Service returns a service, nil if there is none.
func (s *Store) Service(namespace, name string) *corev1.Service {
	return get[*corev1.Service](s, KindService, namespace, name)
}

// ServiceNames yields the names of a namespace's services, in no order.
func (s *Store) ServiceNames(namespace string) iter.Seq[string] {
	return maps.Keys(s.objects[KindService][namespace])
}

// ServiceCount is how many services a namespace has.
func (s *Store) ServiceCount(namespace string) int { return len(s.objects[KindService][namespace]) }

// EndpointSlices returns the slices of a service, sorted by name. Slices
// without the label kubernetes.io/service-name belong to no service.
func (s *Store) EndpointSlices(namespace, service string) []*discoveryv1.EndpointSlice {
	if service == "" {
		return nil
	}
	of := s.slicesOf[Key{KindService, namespace, service}]
	list := make([]*discoveryv1.EndpointSlice, 0, len(of))
	for _, name := range slices.Sorted(maps.Keys(of)) {
		list = append(list, of[name])
	}
	return list
}

// Endpoints returns the Endpoints of a service, nil if there are none.
//
//nolint:staticcheck // Endpoints are deprecated, and watched only on request.
func (s *Store) Endpoints(namespace, service string) *corev1.Endpoints {
	return get[*corev1.Endpoints](s, KindEndpoints, namespace, service)
}

// Secret returns a secret, nil if there is none; SecretState says why.
func (s *Store) Secret(namespace, name string) *corev1.Secret {
	return get[*corev1.Secret](s, KindSecret, namespace, name)
}

// SecretState says what is known of a secret.
type SecretState string

// The states of a secret.
const (
	// SecretPresent is in the store.
	SecretPresent SecretState = "Present"
	// SecretMissing is known not to exist.
	SecretMissing SecretState = "Missing"
	// SecretForbidden may not be read by the router.
	SecretForbidden SecretState = "Forbidden"
	// SecretUnreadable could not be read for another reason.
	SecretUnreadable SecretState = "Unreadable"
	// SecretUnknown has not been reported on. Where secrets are watched by
	// name, the report is still to come; a directory never reports on a
	// secret that it does not have.
	SecretUnknown SecretState = "Unknown"
)

// SecretState says what is known of a secret.
func (s *Store) SecretState(namespace, name string) SecretState {
	if s.Secret(namespace, name) != nil {
		return SecretPresent
	}
	a, reported := s.absent[Key{KindSecret, namespace, name}]
	switch {
	case !reported:
		return SecretUnknown
	case a.absence == Forbidden:
		return SecretForbidden
	case a.absence == Unreadable:
		return SecretUnreadable
	}
	return SecretMissing
}

// SecretDetail is the Detail of the change that said of a secret that it is
// not there, "" where there is none.
func (s *Store) SecretDetail(namespace, name string) string {
	return s.absent[Key{KindSecret, namespace, name}].detail
}

// Namespace returns a namespace, nil if there is none. A cluster's namespaces
// are known only where they are selected by label.
func (s *Store) Namespace(name string) *corev1.Namespace {
	return get[*corev1.Namespace](s, KindNamespace, "", name)
}

// Ingress returns an ingress, selected or not, nil if there is none.
func (s *Store) Ingress(namespace, name string) *networkingv1.Ingress {
	return get[*networkingv1.Ingress](s, KindIngress, namespace, name)
}

// IngressClass returns an ingress class, nil if there is none.
func (s *Store) IngressClass(name string) *networkingv1.IngressClass {
	return get[*networkingv1.IngressClass](s, KindIngressClass, "", name)
}

// IngressClasses yields all ingress classes, in no order.
func (s *Store) IngressClasses() iter.Seq[*networkingv1.IngressClass] {
	return func(yield func(*networkingv1.IngressClass) bool) {
		for _, o := range s.objects[KindIngressClass][""] {
			if class, ok := o.(*networkingv1.IngressClass); ok && !yield(class) {
				return
			}
		}
	}
}

// Resolution returns what is known of a name, nil if nothing is yet.
func (s *Store) Resolution(name string) *Resolution {
	return get[*Resolution](s, KindExternalName, "", name)
}

// NamespaceSelected reports whether the router looks at a namespace.
func (s *Store) NamespaceSelected(name string) bool {
	return s.selection.namespaceMatches(name, s.Namespace(name))
}

// SelectedRoute returns a route if there is one and the router is to look at
// it, nil otherwise.
func (s *Store) SelectedRoute(namespace, name string) *routev1.Route {
	r, _ := s.selected(Key{KindRoute, namespace, name}).(*routev1.Route)
	return r
}

// SelectedIngress returns an ingress if there is one and the router is to
// look at it, whatever its class; nil otherwise.
func (s *Store) SelectedIngress(namespace, name string) *networkingv1.Ingress {
	i, _ := s.selected(Key{KindIngress, namespace, name}).(*networkingv1.Ingress)
	return i
}
