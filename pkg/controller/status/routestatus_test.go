package status

import (
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestExtraConditionsAndForeignOnes(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		r := c.create("r", "www.example.org")
		c.edit(key("r"), func(r *routev1.Route) {
			r.Status.Ingress = []routev1.RouteIngress{
				{RouterName: "first"},
				{RouterName: "public", Host: "x", Conditions: []routev1.RouteIngressCondition{{Type: routev1.RouteUnservableInFutureVersions, Status: corev1.ConditionTrue}}},
				{RouterName: "another"}, {RouterName: "public", Host: "y"},
			}
		})
		d := *admit(r)
		d.ExtraConditions = []routev1.RouteIngressCondition{{Type: "Degraded", Status: corev1.ConditionTrue, Reason: "R", Message: "M"}}
		c.joinAs(Leading, "one", "", lag, func(*routev1.Route) *Desired { return &d })
		c.run(time.Minute)
		in := c.route(key("r")).Status.Ingress
		if len(in) != 3 || in[0].RouterName != "first" || in[1].RouterName != "public" || in[2].RouterName != "another" {
			t.Fatalf("entries are %+v", in)
		}
		if cs := in[1].Conditions; len(cs) != 2 || cs[0].Type != routev1.RouteAdmitted || cs[1].Type != "Degraded" || cs[1].LastTransitionTime == nil {
			t.Errorf("conditions are %+v", cs)
		}
		// Another order of the conditions, and times, are no difference.
		c.edit(key("r"), func(r *routev1.Route) {
			cs := r.Status.Ingress[1].Conditions
			cs[0], cs[1] = cs[1], cs[0]
			cs[0].LastTransitionTime = nil
		})
		c.run(time.Minute)
		if n := c.writesSoFar(); n != 1 {
			t.Errorf("%d writes", n)
		}
	})
}

func TestOnlyStatusChanged(t *testing.T) {
	base := &routev1.Route{
		ObjectMeta: metav1.ObjectMeta{Name: "r", Namespace: "n", ResourceVersion: "1", Labels: map[string]string{"a": "b"}},
		Spec:       routev1.RouteSpec{Host: "h", TLS: &routev1.TLSConfig{Key: "k"}},
	}
	tests := []struct {
		name string
		edit func(*routev1.Route)
		want bool
	}{
		{"nothing", func(*routev1.Route) {}, true},
		{"the version", func(r *routev1.Route) { r.ResourceVersion = "2" }, true},
		{"the status", func(r *routev1.Route) { r.Status.Ingress = []routev1.RouteIngress{{Host: "h"}} }, true},
		{"managed fields", func(r *routev1.Route) { r.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "m"}} }, true},
		{"the host", func(r *routev1.Route) { r.Spec.Host = "x" }, false},
		{"a field deep down", func(r *routev1.Route) { r.Spec.TLS = &routev1.TLSConfig{Key: "x"} }, false},
		{"a label", func(r *routev1.Route) { r.Labels = nil }, false},
		{"an annotation", func(r *routev1.Route) { r.Annotations = map[string]string{"a": "b"} }, false},
		{"the object itself", func(r *routev1.Route) { r.UID = "u" }, false},
		{"its deletion", func(r *routev1.Route) { r.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			edited := base.DeepCopy()
			tt.edit(edited)
			if got := OnlyStatusChanged(base, edited); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if base.ResourceVersion != "1" || edited.Name != "r" {
				t.Error("an argument was modified")
			}
		})
	}
	if OnlyStatusChanged(nil, base) || OnlyStatusChanged(base, nil) {
		t.Error("a new or deleted object is more than its status")
	}
}
