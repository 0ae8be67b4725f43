package source_test

import (
	"slices"
	"testing"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/source"
)

func TestExternalName(t *testing.T) {
	for given, want := range map[string]string{
		"db.example.com": "db.example.com", "DB.Example.COM.": "db.example.com", "db": "db", "localhost.example.com": "localhost.example.com",
		"localhost": "", "LOCALHOST.": "", "a.localhost": "", "127.0.0.1": "", "127.1": "", "0x7f.0x1": "", "0x7f000001": "", "2130706433": "", "::1": "", "a b": "", "a_b": "", "a..b": "", "": "",
	} {
		s := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: given}}
		if got := source.ExternalName(s); got != want {
			t.Errorf("the name of %q is %q, want %q", given, got, want)
		}
		s.Spec.Type = corev1.ServiceTypeClusterIP
		if got := source.ExternalName(s); got != "" {
			t.Errorf("a service that is no name has the name %q", got)
		}
	}
}

func TestANameAffectsThoseWhoLeadToIt(t *testing.T) {
	s := source.NewStore(source.Selection{})
	route := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "n"}, Spec: routev1.RouteSpec{AlternateBackends: []routev1.RouteTargetReference{{Name: "b"}}}}
	route.Spec.To.Name = "a"
	path := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "b"}}
	external := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "x.example"}}
	key := func(kind source.Kind, namespace, name string) source.Key {
		return source.Key{Kind: kind, Namespace: namespace, Name: name}
	}
	x, r, i := key(source.KindExternalName, "", "x.example"), key(source.KindRoute, "n", "r"), key(source.KindIngress, "m", "i")
	s.Apply(source.Change{Key: r, Object: route})
	s.Apply(source.Change{Key: i, Object: &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "m"}, Spec: networkingv1.IngressSpec{DefaultBackend: &path}}})
	for _, step := range []struct {
		name  string
		key   source.Key
		after *corev1.Service
		want  []source.Key
	}{
		{"no service", key(source.KindService, "n", "other"), external, nil},
		{"a service of the Ingress", key(source.KindService, "m", "b"), external, []source.Key{i}},
		{"and one of the route", key(source.KindService, "n", "b"), external, []source.Key{i, r}},
		{"which is a name no longer", key(source.KindService, "n", "b"), &corev1.Service{}, []source.Key{i}},
	} {
		s.Apply(source.Change{Key: step.key, Object: step.after})
		found := &source.Resolution{}
		c := source.Change{Key: x, Object: found}
		if got := s.Affected(c, s.Apply(c)); !slices.Equal(got, step.want) {
			t.Errorf("%s: affected are %v, want %v", step.name, got, step.want)
		}
		if got := s.UsersOf(x); !slices.Equal(got, step.want) {
			t.Errorf("%s: users are %v, want %v", step.name, got, step.want)
		}
		if s.Resolution("x.example") != found {
			t.Errorf("%s: the resolution is another one", step.name)
		}
		watchable := map[source.Key]bool{}
		if s.AddWatchable(r, watchable); watchable[x] != slices.Contains(step.want, r) {
			t.Errorf("%s: the route leads to %v", step.name, watchable)
		}
	}
}
