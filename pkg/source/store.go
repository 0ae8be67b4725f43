package source

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Store holds the latest objects, and what leads from one to the others: from
// a service to the routes that use it, from a secret to those whose
// certificate it is. It belongs to one goroutine. Finding what a change
// affects costs as much as it affects, not as much as there is.
type Store struct {
	objects map[Key]metav1.Object
	// slices are the EndpointSlices of each service.
	slices map[Key]map[string]*discoveryv1.EndpointSlice
	// users are the routes that refer to a service or secret.
	users map[Key]map[Key]bool
	// namespaces are the routes in each namespace.
	namespaces map[string]map[Key]bool
}

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{
		objects: map[Key]metav1.Object{}, slices: map[Key]map[string]*discoveryv1.EndpointSlice{},
		users: map[Key]map[Key]bool{}, namespaces: map[string]map[Key]bool{},
	}
}

// Apply takes a change in and returns the keys of the routes that it may
// affect, sorted.
func (s *Store) Apply(c Change) []Key {
	old := s.objects[c.Key]
	affected := map[Key]bool{}
	s.collect(affected, c.Key, old)
	s.unlink(c.Key, old)
	if c.Object == nil {
		delete(s.objects, c.Key)
	} else {
		s.objects[c.Key] = c.Object
		s.link(c.Key, c.Object)
	}
	s.collect(affected, c.Key, c.Object)
	return slices.SortedFunc(maps.Keys(affected), compareKeys)
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// references are the keys that an object refers to.
func references(o metav1.Object) []Key {
	r, ok := o.(*routev1.Route)
	if !ok {
		return nil
	}
	refs := []Key{{KindService, r.Namespace, r.Spec.To.Name}}
	for _, b := range r.Spec.AlternateBackends {
		refs = append(refs, Key{KindService, r.Namespace, b.Name})
	}
	if tls := r.Spec.TLS; tls != nil && tls.ExternalCertificate != nil {
		refs = append(refs, Key{KindSecret, r.Namespace, tls.ExternalCertificate.Name})
	}
	return refs
}

// serviceOfSlice is the service that a slice belongs to.
func serviceOfSlice(s *discoveryv1.EndpointSlice) Key {
	return Key{KindService, s.Namespace, s.Labels[discoveryv1.LabelServiceName]}
}

func (s *Store) link(k Key, o metav1.Object) {
	for _, ref := range references(o) {
		put(s.users, ref, k)
	}
	switch o := o.(type) {
	case *routev1.Route:
		put(s.namespaces, k.Namespace, k)
	case *discoveryv1.EndpointSlice:
		service := serviceOfSlice(o)
		if s.slices[service] == nil {
			s.slices[service] = map[string]*discoveryv1.EndpointSlice{}
		}
		s.slices[service][k.Name] = o
	}
}

func (s *Store) unlink(k Key, o metav1.Object) {
	if o == nil {
		return
	}
	for _, ref := range references(o) {
		take(s.users, ref, k)
	}
	switch o := o.(type) {
	case *routev1.Route:
		take(s.namespaces, k.Namespace, k)
	case *discoveryv1.EndpointSlice:
		service := serviceOfSlice(o)
		delete(s.slices[service], k.Name)
		if len(s.slices[service]) == 0 {
			delete(s.slices, service)
		}
	}
}

func put[K comparable](index map[K]map[Key]bool, at K, k Key) {
	if index[at] == nil {
		index[at] = map[Key]bool{}
	}
	index[at][k] = true
}

func take[K comparable](index map[K]map[Key]bool, at K, k Key) {
	delete(index[at], k)
	if len(index[at]) == 0 {
		delete(index, at)
	}
}

// collect adds the routes that an object leads to.
func (s *Store) collect(into map[Key]bool, k Key, o metav1.Object) {
	if o == nil {
		return
	}
	switch k.Kind {
	case KindRoute:
		into[k] = true
	case KindService, KindSecret:
		maps.Copy(into, s.users[k])
	case KindEndpoints:
		maps.Copy(into, s.users[Key{KindService, k.Namespace, k.Name}])
	case KindEndpointSlice:
		if slice, ok := o.(*discoveryv1.EndpointSlice); ok {
			maps.Copy(into, s.users[serviceOfSlice(slice)])
		}
	case KindNamespace:
		maps.Copy(into, s.namespaces[k.Name])
	}
}

// Get returns the object with the key, nil if there is none.
func (s *Store) Get(k Key) metav1.Object { return s.objects[k] }

func get[T metav1.Object](s *Store, kind Kind, namespace, name string) T {
	o, _ := s.objects[Key{kind, namespace, name}].(T)
	return o
}

// Route returns a route, nil if there is none.
func (s *Store) Route(namespace, name string) *routev1.Route {
	return get[*routev1.Route](s, KindRoute, namespace, name)
}

// Routes yields all routes, in no order.
func (s *Store) Routes() iter.Seq[*routev1.Route] {
	return func(yield func(*routev1.Route) bool) {
		for _, o := range s.objects {
			if r, ok := o.(*routev1.Route); ok && !yield(r) {
				return
			}
		}
	}
}

// Service returns a service, nil if there is none.
func (s *Store) Service(namespace, name string) *corev1.Service {
	return get[*corev1.Service](s, KindService, namespace, name)
}

// Endpoints returns the Endpoints of a service, nil if there are none.
//
//nolint:staticcheck // Endpoints are deprecated, and watched only on request.
func (s *Store) Endpoints(namespace, service string) *corev1.Endpoints {
	return get[*corev1.Endpoints](s, KindEndpoints, namespace, service)
}

// EndpointSlices returns the slices of a service, sorted by name.
func (s *Store) EndpointSlices(namespace, service string) []*discoveryv1.EndpointSlice {
	of := s.slices[Key{KindService, namespace, service}]
	list := make([]*discoveryv1.EndpointSlice, 0, len(of))
	for _, name := range slices.Sorted(maps.Keys(of)) {
		list = append(list, of[name])
	}
	return list
}

// Secret returns a secret, nil if there is none.
func (s *Store) Secret(namespace, name string) *corev1.Secret {
	return get[*corev1.Secret](s, KindSecret, namespace, name)
}

// Namespace returns a namespace, nil if there is none.
func (s *Store) Namespace(name string) *corev1.Namespace {
	return get[*corev1.Namespace](s, KindNamespace, "", name)
}
