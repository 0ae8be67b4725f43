package routes_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"router/pkg/controller/admission"
	"router/pkg/controller/certificates"
	"router/pkg/controller/routes"
	"router/pkg/model"
	"router/pkg/source"
)

var update = flag.Bool("update", false, "write what comes out as what is to come out")

// read takes the objects of a file into a store, and returns the Ingresses.
func read(t *testing.T, file string) (*source.Store, []*networkingv1.Ingress) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	store := source.NewStore(source.Selection{})
	var ingresses []*networkingv1.Ingress
	for doc := range strings.SplitSeq(string(text), "\n---\n") {
		var kind struct{ Kind source.Kind }
		if err := yaml.Unmarshal([]byte(doc), &kind); err != nil {
			t.Fatal(err)
		}
		o := map[source.Kind]metav1.Object{
			source.KindIngress: &networkingv1.Ingress{}, source.KindService: &corev1.Service{}, source.KindSecret: &corev1.Secret{},
		}[kind.Kind]
		if err := yaml.UnmarshalStrict([]byte(doc), o); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		switch o := o.(type) {
		case *networkingv1.Ingress:
			ingresses = append(ingresses, o)
		case *corev1.Secret:
			o.Data = map[string][]byte{}
			for key, value := range o.StringData {
				o.Data[key] = []byte(value)
			}
		}
		store.Apply(source.Change{Key: source.Key{Kind: kind.Kind, Namespace: o.GetNamespace(), Name: o.GetName()}, Object: o})
	}
	return store, ingresses
}

// written is a path as it stands in a golden file.
type written struct {
	Name        string             `json:"name"`
	Host        string             `json:"host"`
	Path        string             `json:"path"`
	Exact       bool               `json:"exact,omitempty"`
	Wildcard    bool               `json:"wildcard,omitempty"`
	Service     string             `json:"service,omitempty"`
	Port        string             `json:"port,omitempty"`
	Backend     string             `json:"backend,omitempty"`
	NoPort      string             `json:"noPort,omitempty"`
	TLS         *routev1.TLSConfig `json:"tls,omitempty"`
	Annotations map[string]string  `json:"annotations,omitempty"`
	Certificate string             `json:"certificate,omitempty"`
	Invalid     string             `json:"invalid,omitempty"`
	Problems    []model.Problem    `json:"problems,omitempty"`
}

func write(r *routes.Candidate) written {
	w := written{
		Name: r.Key.UniqueName(), Host: r.Spec.Host, Path: r.Spec.Path, Exact: r.Exact, Wildcard: r.Spec.WildcardPolicy == routev1.WildcardPolicySubdomain,
		Service: r.Spec.To.Name, TLS: r.Spec.TLS, Annotations: r.Annotations, Invalid: r.Invalid, Problems: r.Problems,
		NoPort: r.NoPort,
	}

	if r.Spec.Port != nil {
		w.Port = r.Spec.Port.TargetPort.String()
	}
	if w.Port == "no such port" {
		w.Backend = r.Backend
	}
	if r.Certificate != nil {
		w.Certificate = string(r.Certificate.Reason) + ": " + r.Certificate.Message
	}
	return w
}

// lookup is what an Ingress refers to.
type lookup struct {
	*source.Store
	*certificates.Provider
}

func newLookup(store *source.Store) lookup {
	return lookup{store, certificates.New(certificates.Options{
		Secrets: store, Pending: func(string, string) bool { return false }, Unservable: admission.Options{Now: time.Now}.Unservable,
	})}
}

func TestTranslation(t *testing.T) {
	files, err := filepath.Glob("testdata/*.in.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".in.yaml"), func(t *testing.T) {
			store, ingresses := read(t, file)
			got := map[string][]written{}
			for _, i := range ingresses {
				for _, c := range routes.FromIngress(i, newLookup(store)) {
					if c.Key.Namespace != i.Namespace || c.Key.Name != i.Name || c.UID != i.UID || !c.Created.Equal(i.CreationTimestamp.Time) {
						t.Errorf("the route is not as old as its Ingress: %+v", c)
					}
					got[i.Name] = append(got[i.Name], write(c))
				}
			}
			text, err := yaml.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.Replace(file, ".in.", ".out.", 1)
			if *update {
				if err := os.WriteFile(golden, text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(want) != string(text) {
				t.Errorf("%s is not what comes out (-update writes it):\n%s", golden, text)
			}
		})
	}
}

// TestKeysAreThePathsOwn is what counters and sessions depend on.
func TestKeysAreThePathsOwn(t *testing.T) {
	keyOf := func(name, host, path string, kind networkingv1.PathType) model.RouteKey {
		i := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name}}
		i.Spec.Rules = []networkingv1.IngressRule{{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
			Paths: []networkingv1.HTTPIngressPath{{Path: path, PathType: &kind, Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "s"}}}},
		}}}}
		return routes.FromIngress(i, lookup{Store: source.NewStore(source.Selection{})})[0].Key
	}
	seen := map[string]string{}
	for _, path := range [][3]string{
		{"a", "h", "/x"}, {"a", "h", "/y"}, {"a", "h", "/x/z"}, {"a", "i", "/x"}, {"b", "h", "/x"}, {"a", "h/x", ""},
		{strings.Repeat("a", 200), "h", ""}, {strings.Repeat("a", 201), "h", ""},
	} {
		for _, kind := range []networkingv1.PathType{networkingv1.PathTypeExact, networkingv1.PathTypeImplementationSpecific} {
			name := keyOf(path[0], path[1], path[2], kind).UniqueName()
			if other, taken := seen[name]; taken {
				t.Errorf("%v has the name of %s", path, other)
			}
			seen[name] = strings.Join(path[:], " ") + string(kind)
			if len(name) > 150 {
				t.Errorf("%s is too long", name)
			}
		}
	}
	// As it has always been: counters and cookies outlast an update of the router.
	if got, want := keyOf("shop", "shop.test", "/exact", networkingv1.PathTypeExact).UniqueName(), "ingress_shop_7289f1c47749"; got != want {
		t.Errorf("the name is %s, want %s", got, want)
	}
}
