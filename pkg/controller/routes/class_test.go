package routes

import (
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/source"
)

func TestWhoseIngressItIs(t *testing.T) {
	ours := Class{Controller: "openshift.io/router", Name: "router"}
	class := func(name, controller string, isDefault bool, age int) *networkingv1.IngressClass {
		c := &networkingv1.IngressClass{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(time.Unix(int64(1000-age), 0))},
			Spec:       networkingv1.IngressClassSpec{Controller: controller},
		}
		if isDefault {
			c.Annotations = map[string]string{networkingv1.AnnotationIsDefaultIngressClass: "true"}
		}
		return c
	}
	const none = "none"
	tests := []struct {
		name             string
		field, annotated string
		classes          []*networkingv1.IngressClass
		want             bool
	}{
		{"a class of ours", "mine", none, []*networkingv1.IngressClass{class("mine", "openshift.io/router", false, 0)}, true},
		{"a class of somebody else's", "mine", none, []*networkingv1.IngressClass{class("mine", "example.com/x", false, 0)}, false},
		{"a class that is not there", "mine", none, nil, false},
		{"our class that is not there", "router", none, nil, true},
		{"our class's name, of somebody else's", "router", none, []*networkingv1.IngressClass{class("router", "example.com/x", false, 0)}, false},
		{"our class by annotation", none, "router", nil, true},
		{"a class of ours by annotation", none, "mine", []*networkingv1.IngressClass{class("mine", "openshift.io/router", false, 0)}, true},
		{"somebody else's by annotation", none, "nginx", nil, false},
		{"the field wins over the annotation", "other", "router", nil, false},
		{"no class, and no default", none, none, []*networkingv1.IngressClass{class("mine", "openshift.io/router", false, 0)}, false},
		{"no class, and ours is the default", none, none, []*networkingv1.IngressClass{class("mine", "openshift.io/router", true, 0)}, true},
		{"an empty annotation names none", none, "", []*networkingv1.IngressClass{class("mine", "openshift.io/router", true, 0)}, true},
		{"no class, and somebody else's is the default", none, none, []*networkingv1.IngressClass{class("mine", "openshift.io/router", false, 0), class("x", "example.com/x", true, 0)}, false},
		{"of two defaults the newest counts", none, none, []*networkingv1.IngressClass{class("mine", "openshift.io/router", true, 1), class("x", "example.com/x", true, 2)}, true},
		{"and not the older", none, none, []*networkingv1.IngressClass{class("mine", "openshift.io/router", true, 2), class("x", "example.com/x", true, 1)}, false},
		{"of two of one age the first by name", none, none, []*networkingv1.IngressClass{class("mine", "openshift.io/router", true, 1), class("x", "example.com/x", true, 1)}, true},
		{"and not the second", none, none, []*networkingv1.IngressClass{class("zzz", "openshift.io/router", true, 1), class("x", "example.com/x", true, 1)}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := source.NewStore(source.Selection{})
			for _, c := range tt.classes {
				store.Apply(source.Change{Key: source.Key{Kind: source.KindIngressClass, Name: c.Name}, Object: c})
			}
			i := &networkingv1.Ingress{}
			if tt.field != none {
				i.Spec.IngressClassName = &tt.field
			}
			if tt.annotated != none {
				i.Annotations = map[string]string{source.IngressClassAnnotation: tt.annotated}
			}
			if got := ours.Owns(i, store); got != tt.want {
				t.Errorf("ours: %v, want %v", got, tt.want)
			}
		})
	}
}
