// Package source is where objects come from: a cluster (source/kube) or a
// directory of manifests (source/manifests). Both push changes of plain
// Kubernetes objects into a Queue; the controller's goroutine drains it into
// its Store. Nothing else is shared.
package source

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Kind names a kind of object that the router reads.
type Kind string

// The kinds that the router reads.
const (
	KindRoute         Kind = "Route"
	KindService       Kind = "Service"
	KindEndpointSlice Kind = "EndpointSlice"
	KindEndpoints     Kind = "Endpoints"
	KindSecret        Kind = "Secret"
	KindConfigMap     Kind = "ConfigMap"
	KindNamespace     Kind = "Namespace"
	KindIngress       Kind = "Ingress"
	KindIngressClass  Kind = "IngressClass"
)

// Key identifies one object. Namespace is "" for kinds without one.
type Key struct {
	Kind            Kind
	Namespace, Name string
}

// Change says that an object is now as Object shows it, or is gone where
// Object is nil. Objects are shared with caches: nobody may modify them.
type Change struct {
	Key    Key
	Object metav1.Object
}
