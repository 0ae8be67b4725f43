package source_test

import (
	"slices"
	"strings"
	"testing"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	"router/pkg/source"
)

// by parses a selector.
func by(t *testing.T, text string) labels.Selector {
	t.Helper()
	s, err := labels.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSelectedRoutes(t *testing.T) {
	tests := []struct {
		name      string
		selection source.Selection
		want      string
	}{
		{"without flags all are", source.Selection{}, "a/blue a/red b/blue"},
		{"one namespace", source.Selection{Namespace: "a"}, "a/blue a/red"},
		{"labels of routes", source.Selection{Labels: by(t, "color=blue")}, "a/blue b/blue"},
		{"a host", source.Selection{Fields: fields.ParseSelectorOrDie("spec.host=red.a.test")}, "a/red"},
		{"a name in a namespace", source.Selection{Fields: fields.ParseSelectorOrDie("metadata.name=blue,metadata.namespace!=a")}, "b/blue"},
		{"a service", source.Selection{Fields: fields.ParseSelectorOrDie("spec.to.name=red")}, "a/red"},
		{"a path", source.Selection{Fields: fields.ParseSelectorOrDie("spec.path!=")}, ""},
		{"labels of namespaces", source.Selection{Namespaces: by(t, "shard=1")}, "a/blue a/red"},
		{"labels that only an unknown namespace could have", source.Selection{Namespaces: by(t, "!shard")}, ""},
		{"labels of projects and of routes", source.Selection{Namespaces: by(t, "shard in (1,2)"), Labels: by(t, "color=blue")}, "a/blue"},
		{"labels that no namespace has", source.Selection{Namespaces: by(t, "shard=3")}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := source.NewStore(tt.selection)
			var keys []source.Key
			for _, at := range []struct{ namespace, name string }{{"a", "blue"}, {"a", "red"}, {"b", "blue"}} {
				r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: at.namespace, Name: at.name, Labels: map[string]string{"color": at.name}}}
				r.Spec.Host, r.Spec.To.Name = at.name+"."+at.namespace+".test", at.name
				k := source.Key{Kind: source.KindRoute, Namespace: at.namespace, Name: at.name}
				s.Apply(source.Change{Key: k, Object: r})
				keys = append(keys, k)
			}
			// Of namespace b there is no object.
			s.Apply(source.Change{Key: source.Key{Kind: source.KindNamespace, Name: "a"}, Object: namespace("a", "1")})
			var got []string
			for _, k := range keys {
				if s.SelectedRoute(k.Namespace, k.Name) != nil {
					got = append(got, k.Namespace+"/"+k.Name)
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("selected are %v, want %q", got, tt.want)
			}
		})
	}
}

func namespace(name, shard string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"shard": shard}}}
}

func TestANamespaceBringsItsRoutesAlong(t *testing.T) {
	s := source.NewStore(source.Selection{Namespaces: by(t, "shard=1")})
	apply := func(k source.Key, o metav1.Object) []source.Key {
		c := source.Change{Key: k, Object: o}
		return s.Affected(c, s.Apply(c))
	}
	route := source.Key{Kind: source.KindRoute, Namespace: "a", Name: "r"}
	r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "r"}}
	r.Spec.To.Name = "s"
	apply(route, r)
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "s-1", Labels: map[string]string{discoveryv1.LabelServiceName: "s"}}}
	sliceKey := source.Key{Kind: source.KindEndpointSlice, Namespace: "a", Name: "s-1"}
	if got := apply(sliceKey, slice); got != nil {
		t.Errorf("an endpoint of a namespace that is not selected affects %v", got)
	}
	in := source.Key{Kind: source.KindNamespace, Name: "a"}
	if got := apply(in, namespace("a", "2")); got != nil {
		t.Errorf("a namespace that is not selected affects %v", got)
	}
	if got := apply(in, namespace("a", "1")); !slices.Equal(got, []source.Key{route}) {
		t.Errorf("a namespace that begins to match affects %v", got)
	}
	if s.SelectedRoute("a", "r") == nil || len(s.EndpointSlices("a", "s")) != 1 {
		t.Error("the objects of the namespace are not there")
	}
	if got := apply(sliceKey, slice); !slices.Equal(got, []source.Key{route}) {
		t.Errorf("an endpoint of a selected namespace affects %v", got)
	}
	relabelled := namespace("a", "1")
	relabelled.Labels["other"] = "x"
	if got := apply(in, relabelled); got != nil {
		t.Errorf("a label that selection does not ask for affects %v", got)
	}
	if got := apply(in, nil); !slices.Equal(got, []source.Key{route}) || s.SelectedRoute("a", "r") != nil {
		t.Errorf("a namespace that is gone affects %v", got)
	}
}
