package source

import (
	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// Selection says which objects a router looks at. The zero value is all. It
// is one rule for both sources, a function of the objects present alone: a
// namespace that begins to match brings its routes along, one that ceases to
// match takes them away, and where nothing matches nothing is served.
type Selection struct {
	// Namespace is the only namespace, "" for all.
	Namespace string
	// Namespaces selects by the labels of namespaces; nil for all, also for
	// those of which no Namespace object is known.
	Namespaces labels.Selector
	// Labels selects routes and ingresses, Fields routes; nil for all.
	Labels labels.Selector
	Fields fields.Selector
}

func (s Selection) selectsRoute(o metav1.Object) bool {
	r, ok := o.(*routev1.Route)
	return ok && s.RouteMatches(r)
}

// RouteMatches reports whether a route's own labels and fields are selected,
// whatever its namespace.
func (s Selection) RouteMatches(r *routev1.Route) bool {
	return s.labelsMatch(r) && (s.Fields == nil || s.Fields.Matches(fields.Set{
		"metadata.name": r.Name, "metadata.namespace": r.Namespace,
		"spec.host": r.Spec.Host, "spec.path": r.Spec.Path, "spec.to.name": r.Spec.To.Name,
	}))
}

func (s Selection) labelsMatch(o metav1.Object) bool {
	return s.Labels == nil || s.Labels.Matches(labels.Set(o.GetLabels()))
}

// namespaceMatches reports whether a namespace is selected; object is nil
// where it is not known.
func (s Selection) namespaceMatches(name string, object *corev1.Namespace) bool {
	if s.Namespace != "" && name != s.Namespace {
		return false
	}
	return s.Namespaces == nil || object != nil && s.Namespaces.Matches(labels.Set(object.Labels))
}
