package options

import (
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// labelSelector is what rows for labels accept.
const labelSelector = "a label selector"

func parseLabels(text string) (labels.Selector, error) {
	s, err := labels.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("must be %s: %w", labelSelector, err)
	}
	return s, nil
}

// routeFields are the fields of routes that source.Selection compares.
func routeFields() []string {
	return []string{"metadata.name", "metadata.namespace", "spec.host", "spec.path", "spec.to.name"}
}

func parseFields(text string) (fields.Selector, error) {
	s, err := fields.ParseSelector(text)
	if err != nil {
		return nil, err
	}
	for _, r := range s.Requirements() {
		if !slices.Contains(routeFields(), r.Field) {
			return nil, fmt.Errorf("%q is not one of the fields %v", r.Field, routeFields())
		}
	}
	return s, nil
}

// checkNamespaces wants one way to select namespaces.
func (o *Options) checkNamespaces() error {
	if len(o.namespacesBy) > 1 || len(o.namespacesBy) > 0 && o.Kubernetes.Namespace != "" {
		return errors.New("only one of --namespace, --namespace-labels and --project-labels is possible")
	}
	return nil
}
