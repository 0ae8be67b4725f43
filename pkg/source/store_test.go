package source_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/source"
)

// world is the objects of a random history, with every question answered by
// looking at all of them.
type world map[source.Key]metav1.Object

func (w world) selected(namespace string) bool {
	n, ok := w[source.Key{Kind: source.KindNamespace, Name: namespace}]
	return ok && n.GetLabels()["serve"] == "yes"
}

// refersTo is written apart from the store's own notion of a reference.
func refersTo(o metav1.Object, kind source.Kind, namespace, name string) bool {
	switch o := o.(type) {
	case *routev1.Route:
		if o.Namespace != namespace {
			return false
		}
		if kind == source.KindSecret {
			return o.Spec.TLS != nil && o.Spec.TLS.ExternalCertificate != nil && o.Spec.TLS.ExternalCertificate.Name == name
		}
		uses := o.Spec.To.Name == name
		for _, b := range o.Spec.AlternateBackends {
			uses = uses || b.Name == name
		}
		return kind == source.KindService && uses
	case *networkingv1.Ingress:
		if kind == source.KindIngressClass {
			return o.Spec.IngressClassName == nil && name == "" || o.Spec.IngressClassName != nil && *o.Spec.IngressClassName == name
		}
		if o.Namespace != namespace {
			return false
		}
		if kind == source.KindSecret {
			return len(o.Spec.TLS) > 0 && o.Spec.TLS[0].SecretName == name
		}
		return kind == source.KindService && (o.Spec.DefaultBackend != nil && o.Spec.DefaultBackend.Service.Name == name ||
			o.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name == name)
	}
	return false
}

// users are the routes and ingresses that refer to an object.
func (w world) users(kind source.Kind, namespace, name string) []source.Key {
	var keys []source.Key
	for k, o := range w {
		if refersTo(o, kind, namespace, name) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, source.Key.Compare)
	return keys
}

func (w world) affected(k source.Key, old, now metav1.Object) []source.Key {
	var keys []source.Key
	of := func(kind source.Kind, namespace, name string) {
		for _, user := range w.users(kind, namespace, name) {
			if w.selected(user.Namespace) {
				keys = append(keys, user)
			}
		}
	}
	switch k.Kind {
	case source.KindRoute, source.KindIngress:
		keys = append(keys, k)
	case source.KindService, source.KindEndpoints:
		of(source.KindService, k.Namespace, k.Name)
	case source.KindSecret:
		of(source.KindSecret, k.Namespace, k.Name)
	case source.KindEndpointSlice:
		for _, o := range []metav1.Object{old, now} {
			if o != nil && o.GetLabels()[discoveryv1.LabelServiceName] != "" {
				of(source.KindService, k.Namespace, o.GetLabels()[discoveryv1.LabelServiceName])
			}
		}
	case source.KindIngressClass:
		of(k.Kind, "", k.Name)
		for _, o := range []metav1.Object{old, now} {
			if o != nil && o.GetAnnotations()[networkingv1.AnnotationIsDefaultIngressClass] == "true" {
				of(k.Kind, "", "")
			}
		}
	case source.KindNamespace:
		before := old != nil && old.GetLabels()["serve"] == "yes"
		if before != w.selected(k.Name) {
			for user := range w {
				if user.Namespace == k.Name && (user.Kind == source.KindRoute || user.Kind == source.KindIngress) {
					keys = append(keys, user)
				}
			}
		}
	}
	slices.SortFunc(keys, source.Key.Compare)
	return slices.Compact(keys)
}

// random makes a change of an object out of few names, so that they meet.
func random(rnd *rand.Rand) source.Change {
	pick := func(prefix string) string { return prefix + strconv.Itoa(rnd.IntN(5)) }
	maybe := func() bool { return rnd.IntN(2) == 0 }
	kinds := []source.Kind{
		source.KindRoute, source.KindIngress, source.KindService, source.KindEndpointSlice, source.KindEndpoints,
		source.KindSecret, source.KindNamespace, source.KindIngressClass,
	}
	k := source.Key{Kind: kinds[rnd.IntN(len(kinds))], Namespace: pick("n"), Name: pick("x")}
	if k.Kind == source.KindNamespace || k.Kind == source.KindIngressClass {
		k.Namespace = ""
	}
	if k.Kind == source.KindNamespace {
		k.Name = pick("n")
	}
	meta := metav1.ObjectMeta{Namespace: k.Namespace, Name: k.Name}
	var o metav1.Object
	switch k.Kind {
	case source.KindRoute:
		r := &routev1.Route{ObjectMeta: meta}
		r.Spec.To.Name = pick("x")
		for range rnd.IntN(3) {
			r.Spec.AlternateBackends = append(r.Spec.AlternateBackends, routev1.RouteTargetReference{Name: pick("x")})
		}
		if maybe() {
			r.Spec.TLS = &routev1.TLSConfig{ExternalCertificate: &routev1.LocalObjectReference{Name: pick("x")}}
		}
		o = r
	case source.KindIngress:
		i := &networkingv1.Ingress{ObjectMeta: meta}
		backend := func() networkingv1.IngressBackend {
			return networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: pick("x")}}
		}
		if maybe() {
			b := backend()
			i.Spec.DefaultBackend = &b
		}
		i.Spec.Rules = []networkingv1.IngressRule{{IngressRuleValue: networkingv1.IngressRuleValue{
			HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{Backend: backend()}}},
		}}, {}}
		if maybe() {
			i.Spec.TLS = []networkingv1.IngressTLS{{SecretName: pick("x")}}
		}
		if maybe() {
			class := pick("x")
			i.Spec.IngressClassName = &class
		}
		o = i
	case source.KindService:
		o = &corev1.Service{ObjectMeta: meta}
	case source.KindEndpointSlice:
		if maybe() || maybe() { //nolint:staticcheck // each call is another throw of the dice
			meta.Labels = map[string]string{discoveryv1.LabelServiceName: pick("x")}
		}
		o = &discoveryv1.EndpointSlice{ObjectMeta: meta}
	case source.KindEndpoints:
		o = &corev1.Endpoints{ObjectMeta: meta} //nolint:staticcheck // watched on request
	case source.KindSecret:
		o = &corev1.Secret{ObjectMeta: meta}
	case source.KindNamespace:
		meta.Labels = map[string]string{"serve": []string{"yes", "no"}[rnd.IntN(2)]}
		o = &corev1.Namespace{ObjectMeta: meta}
	case source.KindIngressClass:
		if maybe() {
			meta.Annotations = map[string]string{networkingv1.AnnotationIsDefaultIngressClass: "true"}
		}
		o = &networkingv1.IngressClass{ObjectMeta: meta}
	}
	if rnd.IntN(4) == 0 {
		return source.Change{Key: k}
	}
	return source.Change{Key: k, Object: o}
}

func TestStoreAgreesWithALookAtEverything(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	s, w := source.NewStore(source.Selection{Namespaces: by(t, "serve=yes")}), world{}
	someAffected := 0
	for i := range 20000 {
		c := random(rnd)
		old := w[c.Key]
		if c.Object == nil {
			delete(w, c.Key)
		} else {
			w[c.Key] = c.Object
		}
		if got := s.Apply(c); got != old {
			t.Fatalf("step %d, %v: there was %v, want %v", i, c.Key, got, old)
		}
		got, want := s.Affected(c, old), w.affected(c.Key, old, c.Object)
		if !slices.Equal(got, want) {
			t.Fatalf("step %d, %v: affects %v, want %v", i, c.Key, got, want)
		}
		someAffected += len(got)
		if i%100 == 0 {
			compare(t, s, w)
		}
	}
	if someAffected < 10000 {
		t.Errorf("only %d objects were affected in all: the test asks too little", someAffected)
	}
}

// compare holds every getter against the world.
func compare(t *testing.T, s *source.Store, w world) {
	t.Helper()
	for n := range 5 {
		namespace := "n" + strconv.Itoa(n)
		if s.NamespaceSelected(namespace) != w.selected(namespace) {
			t.Fatalf("%s is selected: %v", namespace, s.NamespaceSelected(namespace))
		}
		for x := range 5 {
			name := "x" + strconv.Itoa(x)
			for _, kind := range []source.Kind{source.KindService, source.KindSecret} {
				of := source.Key{Kind: kind, Namespace: namespace, Name: name}
				want := w.users(kind, namespace, name)
				if !w.selected(namespace) {
					want = nil
				}
				if got := s.UsersOf(of); !slices.Equal(got, want) {
					t.Fatalf("users of %s are %v, want %v", of, got, want)
				}
			}
			var slicesWanted []*discoveryv1.EndpointSlice
			for y := range 5 {
				o, _ := w[source.Key{Kind: source.KindEndpointSlice, Namespace: namespace, Name: "x" + strconv.Itoa(y)}].(*discoveryv1.EndpointSlice)
				if o != nil && o.Labels[discoveryv1.LabelServiceName] == name {
					slicesWanted = append(slicesWanted, o)
				}
			}
			if !slices.Equal(s.EndpointSlices(namespace, name), slicesWanted) {
				t.Fatalf("slices of %s/%s are wrong", namespace, name)
			}
			at := func(kind source.Kind) metav1.Object {
				return w[source.Key{Kind: kind, Namespace: namespace, Name: name}]
			}
			if o, _ := at(source.KindService).(*corev1.Service); s.Service(namespace, name) != o {
				t.Fatalf("service %s/%s is wrong", namespace, name)
			}
			if o, _ := at(source.KindEndpoints).(*corev1.Endpoints); s.Endpoints(namespace, name) != o { //nolint:staticcheck // watched on request
				t.Fatalf("endpoints %s/%s are wrong", namespace, name)
			}
			if o, _ := at(source.KindSecret).(*corev1.Secret); s.Secret(namespace, name) != o {
				t.Fatalf("secret %s/%s is wrong", namespace, name)
			}
			if o, _ := at(source.KindRoute).(*routev1.Route); s.Route(namespace, name) != o || (s.SelectedRoute(namespace, name) != nil) != (o != nil && w.selected(namespace)) {
				t.Fatalf("route %s/%s is wrong", namespace, name)
			}
			if o, _ := at(source.KindIngress).(*networkingv1.Ingress); s.Ingress(namespace, name) != o || (s.SelectedIngress(namespace, name) != nil) != (o != nil && w.selected(namespace)) {
				t.Fatalf("ingress %s/%s is wrong", namespace, name)
			}
			if o, _ := w[source.Key{Kind: source.KindIngressClass, Name: name}].(*networkingv1.IngressClass); s.IngressClass(name) != o {
				t.Fatalf("ingress class %s is wrong", name)
			}
		}
	}
}

func TestSecretsAreUnknownUntilTheyAreReportedOn(t *testing.T) {
	s := source.NewStore(source.Selection{})
	k := source.Key{Kind: source.KindSecret, Namespace: "n", Name: "a"}
	steps := []struct {
		name   string
		change source.Change
		want   source.SecretState
	}{
		{"missing when first reported on", source.Change{Key: k}, source.SecretMissing},
		{"present when made", source.Change{Key: k, Object: &corev1.Secret{}}, source.SecretPresent},
		{"forbidden when the permission is gone", source.Change{Key: k, Absence: source.Forbidden}, source.SecretForbidden},
		{"unreadable when the API server says so", source.Change{Key: k, Absence: source.Unreadable, Detail: "InternalError"}, source.SecretUnreadable},
		{"missing when the permission is back and the secret is not", source.Change{Key: k}, source.SecretMissing},
		{"unknown when nobody looks any longer", source.Change{Key: k, Absence: source.Forgotten}, source.SecretUnknown},
	}
	if got := s.SecretState("n", "a"); got != source.SecretUnknown {
		t.Errorf("at first it is %s", got)
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			s.Apply(step.change)
			if got := s.SecretState("n", "a"); got != step.want {
				t.Errorf("state is %s, want %s", got, step.want)
			}
			if got := s.SecretDetail("n", "a"); got != step.change.Detail {
				t.Errorf("the detail is %q", got)
			}
		})
	}
}

func TestWhatIsWatchedForARouteAndAnIngress(t *testing.T) {
	key := func(kind source.Kind, name string) source.Key {
		return source.Key{Kind: kind, Namespace: "n", Name: name}
	}
	plain := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "r"}}
	external := plain.DeepCopy()
	external.Spec.TLS = &routev1.TLSConfig{ExternalCertificate: &routev1.LocalObjectReference{Name: "a"}}
	ingress := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "i", Annotations: map[string]string{source.DestinationCAAnnotation: "c"}}}
	ingress.Spec.TLS = []networkingv1.IngressTLS{{SecretName: "b"}, {SecretName: "a"}, {}, {SecretName: "b"}}
	for _, tt := range []struct {
		key  source.Key
		o    metav1.Object
		want []string
	}{
		{key(source.KindRoute, "r"), plain, nil}, {key(source.KindRoute, "r"), external, []string{"a"}},
		{key(source.KindIngress, "i"), ingress, []string{"a", "b", "c"}}, {key(source.KindIngress, "i"), nil, nil},
	} {
		s := source.NewStore(source.Selection{})
		s.Apply(source.Change{Key: tt.key, Object: tt.o})
		got, want := map[source.Key]bool{}, map[source.Key]bool{}
		for _, name := range tt.want {
			want[key(source.KindSecret, name)] = true
		}
		if s.AddWatchable(tt.key, got); !maps.Equal(got, want) {
			t.Errorf("for %v, %v are watched, want %v", tt.o, got, want)
		}
	}
}

// BenchmarkOneEndpointChange must not depend on the number of routes.
func BenchmarkOneEndpointChange(b *testing.B) {
	for _, routes := range []int{100, 100_000} {
		b.Run(strconv.Itoa(routes)+" routes", func(b *testing.B) {
			s := source.NewStore(source.Selection{})
			for i := range routes {
				name := strconv.Itoa(i)
				r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name}}
				r.Spec.To.Name = name
				s.Apply(source.Change{Key: source.Key{Kind: source.KindRoute, Namespace: "n", Name: name}, Object: r})
			}
			slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "7-x", Labels: map[string]string{discoveryv1.LabelServiceName: "7"}}}
			c := source.Change{Key: source.Key{Kind: source.KindEndpointSlice, Namespace: "n", Name: "7-x"}, Object: slice}
			for b.Loop() {
				if got := s.Affected(c, s.Apply(c)); len(got) != 1 {
					b.Fatal(got)
				}
			}
		})
	}
}
