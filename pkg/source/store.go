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

	routes     table[*routev1.Route]
	services   table[*corev1.Service]
	slices     table[*discoveryv1.EndpointSlice]
	endpoints  table[*corev1.Endpoints] //nolint:staticcheck // watched on request
	secrets    table[*corev1.Secret]
	configMaps table[*corev1.ConfigMap]
	namespaces table[*corev1.Namespace]
	ingresses  table[*networkingv1.Ingress]
	classes    table[*networkingv1.IngressClass]
	names      table[*Resolution]
	tables     map[Kind]anyTable

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
	s := &Store{
		selection: selection,
		routes:    table[*routev1.Route]{}, services: table[*corev1.Service]{},
		slices:    table[*discoveryv1.EndpointSlice]{},
		endpoints: table[*corev1.Endpoints]{}, //nolint:staticcheck // watched on request
		secrets:   table[*corev1.Secret]{}, configMaps: table[*corev1.ConfigMap]{}, namespaces: table[*corev1.Namespace]{},
		ingresses: table[*networkingv1.Ingress]{}, classes: table[*networkingv1.IngressClass]{},
		names:  table[*Resolution]{},
		absent: map[Key]absent{}, users: map[Key]map[Key]struct{}{}, slicesOf: map[Key]map[string]*discoveryv1.EndpointSlice{},
	}
	s.tables = map[Kind]anyTable{
		KindRoute: s.routes, KindService: s.services, KindEndpointSlice: s.slices, KindEndpoints: s.endpoints,
		KindSecret: s.secrets, KindConfigMap: s.configMaps, KindNamespace: s.namespaces,
		KindIngress: s.ingresses, KindIngressClass: s.classes, KindName: s.names,
	}
	return s
}

// Apply takes a change in and returns the object that there was before, nil
// if there was none.
func (s *Store) Apply(c Change) metav1.Object {
	t := s.tables[c.Key.Kind]
	if t == nil {
		return nil
	}
	old := t.set(c.Key, c.Object)
	if old != nil {
		s.unlink(c.Key, old)
	}
	if c.Object != nil {
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
	for _, ref := range references(o) {
		if s.users[ref] == nil {
			s.users[ref] = map[Key]struct{}{}
		}
		s.users[ref][k] = struct{}{}
	}
	if slice, ok := o.(*discoveryv1.EndpointSlice); ok {
		service := serviceOfSlice(slice)
		if s.slicesOf[service] == nil {
			s.slicesOf[service] = map[string]*discoveryv1.EndpointSlice{}
		}
		s.slicesOf[service][k.Name] = slice
	}
}

func (s *Store) unlink(k Key, o metav1.Object) {
	for _, ref := range references(o) {
		delete(s.users[ref], k)
		if len(s.users[ref]) == 0 {
			delete(s.users, ref)
		}
	}
	if slice, ok := o.(*discoveryv1.EndpointSlice); ok {
		service := serviceOfSlice(slice)
		delete(s.slicesOf[service], k.Name)
		if len(s.slicesOf[service]) == 0 {
			delete(s.slicesOf, service)
		}
	}
}

// Route returns a route, selected or not, nil if there is none.
func (s *Store) Route(namespace, name string) *routev1.Route { return s.routes.get(namespace, name) }

// Routes yields all routes, selected or not, by namespace and name.
func (s *Store) Routes() iter.Seq[*routev1.Route] { return s.routes.all() }

// Service returns a service, nil if there is none.
func (s *Store) Service(namespace, name string) *corev1.Service {
	return s.services.get(namespace, name)
}

// ServiceNames yields the names of a namespace's services, in no order.
func (s *Store) ServiceNames(namespace string) iter.Seq[string] {
	return maps.Keys(s.services[namespace])
}

// ServiceCount is how many services a namespace has.
func (s *Store) ServiceCount(namespace string) int { return len(s.services[namespace]) }

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
	return s.endpoints.get(namespace, service)
}

// Secret returns a secret, nil if there is none; SecretState says why.
func (s *Store) Secret(namespace, name string) *corev1.Secret { return s.secrets.get(namespace, name) }

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

// ConfigMap returns a config map, nil if there is none.
func (s *Store) ConfigMap(namespace, name string) *corev1.ConfigMap {
	return s.configMaps.get(namespace, name)
}

// Namespace returns a namespace, nil if there is none. A cluster's namespaces
// are known only where they are selected by label.
func (s *Store) Namespace(name string) *corev1.Namespace { return s.namespaces.get("", name) }

// Ingress returns an ingress, selected or not, nil if there is none.
func (s *Store) Ingress(namespace, name string) *networkingv1.Ingress {
	return s.ingresses.get(namespace, name)
}

// Ingresses yields all ingresses, selected or not, by namespace and name.
func (s *Store) Ingresses() iter.Seq[*networkingv1.Ingress] { return s.ingresses.all() }

// IngressClass returns an ingress class, nil if there is none.
func (s *Store) IngressClass(name string) *networkingv1.IngressClass { return s.classes.get("", name) }

// IngressClasses yields all ingress classes, by name.
func (s *Store) IngressClasses() iter.Seq[*networkingv1.IngressClass] { return s.classes.all() }

// Resolution returns what is known of a name, nil if nothing is yet.
func (s *Store) Resolution(name string) *Resolution { return s.names.get("", name) }

// NamespaceSelected reports whether the router looks at a namespace.
func (s *Store) NamespaceSelected(name string) bool {
	return s.selection.namespaceMatches(name, s.Namespace(name))
}

// SelectedRoute returns a route if there is one and the router is to look at
// it, nil otherwise.
func (s *Store) SelectedRoute(namespace, name string) *routev1.Route {
	r := s.Route(namespace, name)
	if r == nil || !s.selection.RouteMatches(r) || !s.NamespaceSelected(namespace) {
		return nil
	}
	return r
}

// SelectedIngress returns an ingress if there is one and the router is to
// look at it, whatever its class; nil otherwise.
func (s *Store) SelectedIngress(namespace, name string) *networkingv1.Ingress {
	i := s.Ingress(namespace, name)
	if i == nil || !s.selection.labelsMatch(i) || !s.NamespaceSelected(namespace) {
		return nil
	}
	return i
}
