package kube

import (
	"testing"

	routev1 "github.com/openshift/api/route/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/source"
)

// What is never read is not kept: at 50,000 routes it is most of the memory.
func TestWhatIsNeverReadIsDropped(t *testing.T) {
	made := func() metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Name: "a", Annotations: map[string]string{lastApplied: "{}", "kept": "yes"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl", FieldsV1: metav1.NewFieldsV1("{}")}},
		}
	}
	zone := "z"
	slice := &discoveryv1.EndpointSlice{ObjectMeta: made(), Endpoints: []discoveryv1.Endpoint{{
		Addresses: []string{"192.0.2.1"}, Zone: &zone, DeprecatedTopology: map[string]string{"a": "b"}, Hints: &discoveryv1.EndpointHints{},
	}}}
	for kind, o := range map[source.Kind]metav1.Object{source.KindRoute: &routev1.Route{ObjectMeta: made()}, source.KindEndpointSlice: slice} {
		got, err := trimmed(kind)(o)
		if err != nil || got != o {
			t.Fatalf("got %v, %v", got, err)
		}
		// The key stays: without it, a status would be written as if nothing were cut out.
		applied, marked := o.GetAnnotations()[lastApplied]
		if o.GetManagedFields() != nil || applied != "" || !marked || o.GetAnnotations()["kept"] != "yes" || o.GetName() != "a" {
			t.Errorf("kept are %+v", o)
		}
	}
	if e := slice.Endpoints[0]; e.DeprecatedTopology != nil || e.Hints != nil || len(e.Addresses) != 1 {
		t.Errorf("kept is %+v", e)
	}
}
