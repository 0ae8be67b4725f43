package source

import (
	"fmt"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// SelectionFlags are the flags that say which objects a router looks at, as
// they were given.
type SelectionFlags struct {
	// Namespace is --namespace, Labels --labels, Fields --fields,
	// NamespaceLabels --namespace-labels and ProjectLabels --project-labels,
	// where "*" is for all.
	Namespace, Labels, Fields, NamespaceLabels, ProjectLabels string
}

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

// all is what --project-labels takes for no selection.
const all = "*"

// RouteFields are the fields of routes that --fields may name.
func RouteFields() []string {
	return []string{"metadata.name", "metadata.namespace", "spec.host", "spec.path", "spec.to.name"}
}

// ParseSelection checks the flags. Its errors name the flag.
func ParseSelection(f SelectionFlags) (Selection, error) {
	s := Selection{Namespace: f.Namespace}
	by, text := "--namespace-labels", f.NamespaceLabels
	if f.ProjectLabels != "" {
		if f.NamespaceLabels != "" {
			return s, fmt.Errorf("--project-labels: cannot be used together with --namespace-labels")
		}
		by, text = "--project-labels", f.ProjectLabels
	}
	if text != "" && f.Namespace != "" {
		return s, fmt.Errorf("%s: cannot be used together with --namespace", by)
	}
	var err error
	if text != "" && (by != "--project-labels" || text != all) {
		if s.Namespaces, err = labels.Parse(text); err != nil {
			return s, fmt.Errorf("%s: must be a label selector: %w", by, err)
		}
	}
	if f.Labels != "" {
		if s.Labels, err = labels.Parse(f.Labels); err != nil {
			return s, fmt.Errorf("--labels: must be a label selector: %w", err)
		}
	}
	if f.Fields != "" {
		if s.Fields, err = parseFields(f.Fields); err != nil {
			return s, fmt.Errorf("--fields: %w", err)
		}
	}
	return s, nil
}

func parseFields(text string) (fields.Selector, error) {
	selector, err := fields.ParseSelector(text)
	if err != nil {
		return nil, fmt.Errorf("must be a field selector such as metadata.name=x: %w", err)
	}
	known := map[string]bool{}
	for _, field := range RouteFields() {
		known[field] = true
	}
	for _, r := range selector.Requirements() {
		if !known[r.Field] {
			return nil, fmt.Errorf("%q is not one of the fields %v", r.Field, RouteFields())
		}
	}
	return selector, nil
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
