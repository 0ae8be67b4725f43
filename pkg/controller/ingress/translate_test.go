package ingress

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

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

func write(p *Path) written {
	r := p.Route
	w := written{
		Name: r.Name, Host: r.Spec.Host, Path: r.Spec.Path, Exact: p.Exact, Wildcard: r.Spec.WildcardPolicy == routev1.WildcardPolicySubdomain,
		Service: r.Spec.To.Name, TLS: r.Spec.TLS, Annotations: r.Annotations, Invalid: p.Invalid, Problems: p.Problems,
		NoPort: p.NoPort,
	}

	if r.Spec.Port != nil {
		w.Port = r.Spec.Port.TargetPort.String()
	}
	if w.Port == noPort {
		w.Backend = p.Backend
	}
	if p.Certificate != nil {
		w.Certificate = string(p.Certificate.Reason) + ": " + p.Certificate.Message
	}
	return w
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
				for _, p := range Translate(i, lookup{store, NewCertificates(store, CertificateOptions{})}) {
					if p.Route.Namespace != i.Namespace || p.Route.UID != i.UID || !p.Route.CreationTimestamp.Equal(&i.CreationTimestamp) || p.Ingress != i.Name {
						t.Errorf("the route is not as old as its Ingress: %+v", p.Route.ObjectMeta)
					}
					got[i.Name] = append(got[i.Name], write(p))
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

// TestNamesAreThePathsOwn is what counters and sessions depend on.
func TestNamesAreThePathsOwn(t *testing.T) {
	seen := map[string]string{}
	for _, path := range [][4]string{
		{"a", "h", "/x", ""}, {"a", "h", "/x", "exact"}, {"a", "h", "/x/", ""}, {"a", "i", "/x", ""}, {"b", "h", "/x", ""}, {"a", "h/x", "", ""},
		{strings.Repeat("a", 200), "h", "", ""}, {strings.Repeat("a", 201), "h", "", ""},
	} {
		name := routeName(path[0], path[1], path[2], path[3] != "")
		if other, taken := seen[name]; taken {
			t.Errorf("%v has the name of %s", path, other)
		}
		seen[name] = strings.Join(path[:], " ")
		if !IsPath(model.RouteKey{Namespace: "n", Name: name}) || len(name) > 150 {
			t.Errorf("%s is no name of a path", name)
		}
	}
	if got, want := routeName("shop", "shop.test", "/exact", true), "ingress_shop_"; !strings.HasPrefix(got, want) || got != routeName("shop", "shop.test", "/exact", true) {
		t.Errorf("name is %s", got)
	}
	if IsPath(model.RouteKey{Namespace: "n", Name: "ingress-shop"}) {
		t.Error("a Route's name is taken for a path's")
	}
}
