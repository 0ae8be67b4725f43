package source

import (
	"cmp"
	"maps"
	"slices"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kind names a kind of object that the router reads.
type Kind string

// The kinds that the router reads.
const (
	KindRoute         Kind = "Route"
	KindIngress       Kind = "Ingress"
	KindIngressClass  Kind = "IngressClass"
	KindService       Kind = "Service"
	KindEndpointSlice Kind = "EndpointSlice"
	KindEndpoints     Kind = "Endpoints"
	KindSecret        Kind = "Secret"
	KindNamespace     Kind = "Namespace"
	// KindExternalName is no kind of the API: a DNS name that services stand for.
	// Its objects are Resolutions, without a namespace.
	KindExternalName Kind = "ExternalName"
)

// KindInfo is what is known of a kind of object.
type KindInfo struct {
	Kind Kind
	// Resource is its name in the API; zero for what is not there.
	Resource   schema.GroupVersionResource
	Namespaced bool
	// New returns an empty object, to be decoded into.
	New func() metav1.Object
	// Trim drops what the router never reads of an object; nil for nothing.
	Trim func(metav1.Object)
	// references are the keys of the objects that one refers to, which may come
	// more than once; nil where the kind refers to none.
	references func(metav1.Object) []Key
	// referredAs are the keys under which others refer to an object; nil where
	// that is its own.
	referredAs func(Key, metav1.Object) []Key
	// selected reports whether the router looks at an object of a kind that
	// routes come from; nil for other kinds.
	selected func(Selection, metav1.Object) bool
}

// kinds is the one table of kinds: a new one is a row.
var kinds = func() map[Kind]*KindInfo {
	core, networking := corev1.SchemeGroupVersion, networkingv1.SchemeGroupVersion
	table := map[Kind]*KindInfo{}
	for _, k := range []KindInfo{
		{
			Kind: KindRoute, Resource: routev1.GroupVersion.WithResource("routes"), Namespaced: true,
			New: func() metav1.Object { return &routev1.Route{} }, references: typed(routeReferences), selected: Selection.selectsRoute,
		},
		{
			Kind: KindIngress, Resource: networking.WithResource("ingresses"), Namespaced: true,
			New: func() metav1.Object { return &networkingv1.Ingress{} }, references: typed(ingressReferences), selected: Selection.labelsMatch,
		},
		{
			Kind: KindIngressClass, Resource: networking.WithResource("ingressclasses"),
			New: func() metav1.Object { return &networkingv1.IngressClass{} }, referredAs: classNames,
		},
		{
			Kind: KindService, Resource: core.WithResource("services"), Namespaced: true,
			New: func() metav1.Object { return &corev1.Service{} }, references: typed(serviceReferences),
		},
		{
			Kind: KindEndpointSlice, Resource: discoveryv1.SchemeGroupVersion.WithResource("endpointslices"), Namespaced: true,
			New: func() metav1.Object { return &discoveryv1.EndpointSlice{} }, Trim: trimSlice, referredAs: servicesOfSlice,
		},
		{
			Kind: KindEndpoints, Resource: core.WithResource("endpoints"), Namespaced: true,
			New:        func() metav1.Object { return &corev1.Endpoints{} }, //nolint:staticcheck // watched on request
			referredAs: func(k Key, _ metav1.Object) []Key { return []Key{{KindService, k.Namespace, k.Name}} },
		},
		{
			Kind: KindSecret, Resource: core.WithResource("secrets"), Namespaced: true,
			New: func() metav1.Object { return &corev1.Secret{} }, Trim: trimSecret,
		},
		{
			Kind: KindNamespace, Resource: core.WithResource("namespaces"),
			New: func() metav1.Object { return &corev1.Namespace{} },
		},
		{Kind: KindExternalName, New: func() metav1.Object { return &Resolution{} }},
	} {
		table[k.Kind] = &k
	}
	return table
}()

// Kinds are all kinds, by name.
func Kinds() []*KindInfo {
	return slices.SortedFunc(maps.Values(kinds), func(a, b *KindInfo) int { return cmp.Compare(a.Kind, b.Kind) })
}

// Info is what is known of a kind; nil for one that is not read.
func (k Kind) Info() *KindInfo { return kinds[k] }

// typed makes a column of the table of a function for one kind.
func typed[T metav1.Object](references func(T) []Key) func(metav1.Object) []Key {
	return func(o metav1.Object) []Key {
		if o, ok := o.(T); ok {
			return references(o)
		}
		return nil
	}
}

func trimSlice(o metav1.Object) {
	s, ok := o.(*discoveryv1.EndpointSlice)
	if !ok {
		return
	}
	for i := range s.Endpoints {
		s.Endpoints[i].DeprecatedTopology, s.Endpoints[i].Hints = nil, nil
	}
}

func trimSecret(o metav1.Object) {
	s, ok := o.(*corev1.Secret)
	if !ok {
		return
	}
	s.ObjectMeta = metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name, UID: s.UID, ResourceVersion: s.ResourceVersion}
	s.StringData, s.Immutable = nil, nil
	s.Data = maps.Clone(s.Data)
	maps.DeleteFunc(s.Data, func(name string, _ []byte) bool {
		return name != corev1.TLSCertKey && name != corev1.TLSPrivateKeyKey && name != corev1.ServiceAccountRootCAKey
	})
}
