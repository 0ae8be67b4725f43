package routes

import (
	"cmp"
	"iter"

	networkingv1 "k8s.io/api/networking/v1"

	"router/pkg/source"
)

// Class says which Ingresses are a router's.
type Class struct {
	// Controller is the spec.controller of the classes that are the router's.
	Controller string
	// Name is a class that is the router's where there is no IngressClass of
	// this name; "" for none.
	Name string
}

// Classes finds the classes of a cluster.
type Classes interface {
	// IngressClass returns nil for a class that is not there.
	IngressClass(name string) *networkingv1.IngressClass
	// IngressClasses yields all classes, in any order.
	IngressClasses() iter.Seq[*networkingv1.IngressClass]
}

// Owns reports whether an Ingress is the router's. spec.ingressClassName
// decides, then the annotation, then the default class.
func (c Class) Owns(i *networkingv1.Ingress, all Classes) bool {
	name := source.IngressClassName(i)
	if name == "" {
		class := defaultClass(all)
		return class != nil && class.Spec.Controller == c.Controller
	}
	if class := all.IngressClass(name); class != nil {
		return class.Spec.Controller == c.Controller
	}
	return name == c.Name
}

// defaultClass is the class of Ingresses that name none, nil if there is
// none. Of several the newest counts, then the first by name, as for the API
// server, which fills in the class of new Ingresses.
func defaultClass(all Classes) *networkingv1.IngressClass {
	var found *networkingv1.IngressClass
	for class := range all.IngressClasses() {
		if class.Annotations[networkingv1.AnnotationIsDefaultIngressClass] != "true" {
			continue
		}
		if found == nil || cmp.Or(found.CreationTimestamp.Compare(class.CreationTimestamp.Time), cmp.Compare(class.Name, found.Name)) < 0 {
			found = class
		}
	}
	return found
}
