package manifests

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/intstr"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// decodeFile decodes what a new file holds.
func decodeFile(name, content string) *file {
	f := &file{path: name}
	f.keep(f.decode([]byte(content)))
	return f
}

func problemsOf(f *file) string {
	var lines []string
	for _, p := range f.problems {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

func TestProblemsNameFileLineAndObject(t *testing.T) {
	const head = "kind: Service\napiVersion: v1\nmetadata: {name: a}\n"
	tests := []struct {
		name, content string
		objects       int
		problems      string
	}{
		{"a good object", head, 1, ""},
		{"an unknown field", head + "spec:\n  prots: []\n", 0,
			`f.yaml:5: Service default/a: unknown field "spec.prots"`},
		{"two unknown fields", head + "spec:\n  prots: []\n  type: ClusterIP\n  clusterip: None\n", 0,
			"f.yaml:5: Service default/a: unknown field \"spec.prots\"; the object is left out\nf.yaml:7: Service default/a: unknown field \"spec.clusterip\"; the object is left out"},
		{"an unknown field in a list", head + "spec:\n  ports:\n  - port: 1\n  - port: 2\n    prot: x\n", 0,
			`f.yaml:8: Service default/a: unknown field "spec.ports[1].prot"`},
		{"an unknown field with dots", head + "spec:\n  a.b: 1\n", 0, `f.yaml:5: Service default/a: unknown field "spec.a.b"`},
		{"a field in the wrong case", head + "Spec: {}\n", 0, `f.yaml:4: Service default/a: unknown field "Spec"`},
		{"a number for a text", "kind: Service\napiVersion: v1\nmetadata:\n  name: a\n  annotations:\n    y: \"1\"\n    example.org/x: true\n", 0,
			"f.yaml:7: Service default/a: metadata.annotations[example.org/x]: must be a text (in quotes, if it looks like something else), not true or false"},
		{"a text for a number, in a list", head + "spec:\n  ports:\n  - port: 1\n  - name: x\n    port: http\n", 0,
			"f.yaml:8: Service default/a: spec.ports[1].port: must be a whole number, not a text"},
		{"a text for a list", head + "spec:\n  ports: 80\n", 0, "f.yaml:5: Service default/a: spec.ports: must be a list, not a number"},
		{"a time that is none", "kind: Service\napiVersion: v1\nmetadata:\n  name: a\n  creationTimestamp: yesterday\n", 0,
			`f.yaml:5: Service default/a: metadata.creationTimestamp: parsing time`},
		{"a secret that is not in base64", "kind: Secret\napiVersion: v1\nmetadata:\n  name: a\ndata:\n  good: Z29vZA==\n  tls.crt: not-base64!\n", 0,
			"f.yaml:7: Secret default/a: data[tls.crt]: illegal base64 data at input byte 3"},
		{"a number out of range", head + "spec:\n  ports:\n  - port: 99999999999\n", 0,
			"f.yaml:6: Service default/a: spec.ports[0].port: must be a whole number, not 99999999999"},
		{"a field given twice", "kind: Service\napiVersion: v1\nmetadata:\n  name: a\n  labels:\n    x: \"1\"\n    x: \"2\"\n", 0,
			`f.yaml:7: Service default/a: field "metadata.labels.x" is given twice`},
		{"a section given twice", head + "spec: {}\nspec: {}\n", 0, `f.yaml:5: Service default/a: field "spec" is given twice`},
		{"an object behind a broken one", "a: [\n---\n" + head, 1, "f.yaml:2: not valid YAML: did not find expected node content"},
		{"wrong indentation", "kind: Service\napiVersion: v1\nmetadata:\n  name: a\n namespace: b\n", 0, "f.yaml:5: not valid YAML: "},
		{"a tab", "kind: Service\nmetadata:\n\tname: a\n", 0, "f.yaml:3: not valid YAML: found character that cannot start any token"},
		{"an object behind a separator", head + "---\n\n" + strings.ReplaceAll(head, "a}", "b}") + "spec: {x: 1}\n", 1,
			`f.yaml:9: Service default/b: unknown field "spec.x"`},
		{"an object after the end of a document", head + "...\n" + strings.ReplaceAll(head, "a}", "b}"), 2, ""},
		{"a directive and a comment on the separator", "%YAML 1.1\n--- # the service\n" + head, 1, ""},
		{"an object on the separator's line", "--- {kind: Service, apiVersion: v1, metadata: {name: a}, x: 1}\n", 0,
			`f.yaml:1: Service default/a: unknown field "x"`},
		{"Windows line ends", strings.ReplaceAll(head+"---\n"+head+"x: 1\n", "\n", "\r\n"), 1, `f.yaml:8: Service default/a: unknown field "x"`},
		{"a byte order mark", "\xef\xbb\xbf" + head, 1, ""},
		{"a list", "kind: List\napiVersion: v1\nitems:\n- {kind: Service, apiVersion: v1, metadata: {name: a}}\n- {kind: Service, apiVersion: v1, metadata: {name: b}}\n", 2, ""},
		{"a list with a mistake", "kind: List\napiVersion: v1\nitems:\n- {kind: Service, apiVersion: v1, metadata: {name: a}}\n- kind: Service\n  apiVersion: v1\n  metadata: {name: b}\n  x: 1\n", 1,
			`f.yaml:8: Service default/b: unknown field "x"`},
		{"a list in a list", "kind: List\napiVersion: v1\nitems:\n- kind: ServiceList\n  apiVersion: v1\n  items:\n  - metadata: {name: a}\n", 1, ""},
		{"a typed list", "kind: RouteList\napiVersion: route.openshift.io/v1\nitems:\n- metadata: {name: a}\n- metadata: {name: b}\n  x: 1\n", 1,
			`f.yaml:6: Route default/b: unknown field "x"`},
		{"an empty list", "kind: List\napiVersion: v1\nitems: []\n", 0, ""},
		{"a list without items", "kind: List\napiVersion: v1\nitmes: []\n", 0, "f.yaml:1: a List without items"},
		{"a list whose items are none", "kind: List\napiVersion: v1\nitems: {}\n", 0, "f.yaml:3: items of List: must be a list"},
		{"anchors and merges", "kind: Service\napiVersion: v1\nmetadata:\n  name: a\n  labels: &l {app: shop}\n  annotations:\n    <<: *l\nspec:\n  selector: *l\n", 1, ""},
		{"a mistake behind an alias", "kind: List\napiVersion: v1\nx: &s\n  kind: Service\n  apiVersion: v1\n  metadata: {name: a}\n  z: 1\nitems:\n- *s\n", 0,
			`f.yaml:7: Service default/a: unknown field "z"`},
		{"an anchor within itself", "a: &a\n  b: *a\n", 0, "f.yaml:1: not valid YAML: anchor 'a' value contains itself"},
		{"a misspelt kind", "kind: Rout\napiVersion: route.openshift.io/v1\nmetadata: {name: a}\n", 0,
			`f.yaml:1: Rout a: there is no kind "Rout" of apiVersion route.openshift.io/v1; did you mean Route?; the object is left out`},
		{"a misspelt kind of the first API", "kind: Sevice\napiVersion: v1\nmetadata: {name: a}\n", 0, `f.yaml:1: Sevice a: there is no kind "Sevice" of apiVersion v1; did you mean Service?; the object is left out`},
		{"a kind in small letters", "kind: routes\napiVersion: v1\nmetadata: {name: a}\n", 0, `f.yaml:1: routes a: there is no kind "routes" of apiVersion v1; did you mean Route?; the object is left out`},
		{"objects of former versions", "kind: List\napiVersion: v1\nitems:\n- {kind: DeploymentConfig, apiVersion: v1, metadata: {name: a}}\n- {kind: ReplicationController, apiVersion: v1}\n" +
			"- {kind: Secret, apiVersion: v1, metadata: {name: a}}\n- {kind: Role, apiVersion: v1}\n- {kind: BuildConfig, apiVersion: v1}\n- {kind: Thing, apiVersion: v1}\n- {kind: Service, apiVersion: v1, metadata: {name: a}}\n", 2, ""},
		{"an old apiVersion", "kind: Ingress\napiVersion: extensions/v1beta1\nmetadata: {name: a}\n", 0,
			`f.yaml:1: Ingress a: apiVersion "extensions/v1beta1" of Ingress is not read; write networking.k8s.io/v1`},
		{"an apiVersion that is none", "kind: Route\napiVersion: a/b/c\nmetadata: {name: a}\n", 0, `f.yaml:1: Route a: apiVersion "a/b/c" is not of the form group/version`},
		{"somebody else's objects", "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: a}\nspec: {x: 1}\n---\nkind: Pod\napiVersion: v1\n---\nkind: Service\napiVersion: serving.knative.dev/v1\n---\nkind: NetworkPolicy\napiVersion: networking.k8s.io/v1\n", 0, ""},
		{"no kind", "apiVersion: v1\nmetadata: {name: a}\n", 0, "f.yaml:1: a: kind is missing"},
		{"no apiVersion", "kind: Route\nmetadata: {name: a}\n", 0, "f.yaml:1: Route a: apiVersion is missing"},
		{"no name", "kind: Service\napiVersion: v1\nmetadata: {}\n", 0, "f.yaml:3: Service: metadata.name is missing"},
		{"no metadata", "kind: Service\napiVersion: v1\n", 0, "f.yaml:1: Service: metadata.name is missing"},
		{"metadata that are none", "kind: Service\napiVersion: v1\nmetadata: a\n", 0, "f.yaml:3: Service: metadata.name is missing"},
		{"a name that is a number", "kind: Service\napiVersion: v1\nmetadata:\n  name: 1\n", 0,
			"f.yaml:4: Service default/1: metadata.name: must be a text (in quotes, if it looks like something else), not a number"},
		{"a name that a cluster refuses", "kind: Route\napiVersion: route.openshift.io/v1\nmetadata:\n  namespace: x\n  name: a_b\n", 0,
			"f.yaml:5: Route x/a_b: metadata.name: a lowercase RFC 1123 subdomain"},
		{"a namespace that a cluster refuses", "kind: Route\napiVersion: route.openshift.io/v1\nmetadata:\n  namespace: x.y\n  name: a\n", 0,
			"f.yaml:4: Route x.y/a: metadata.namespace: "},
		{"a port out of range", head + "spec:\n  ports:\n  - port: 70000\n", 0, "f.yaml:6: Service default/a: spec.ports[0].port: 70000 is not a port: must be from 1 to 65535"},
		{"a target port out of range", head + "spec:\n  ports:\n  - port: 80\n    targetPort: -1\n", 0, "f.yaml:7: Service default/a: spec.ports[0].targetPort: -1 is not a port"},
		{"an address that is none", slice("  - addresses: [10.0.0.1]\n  - addresses:\n    - 10.0.0.2\n    - 10.0.0.300\n"), 0,
			`f.yaml:10: EndpointSlice default/a-1: endpoints[1].addresses[1]: "10.0.0.300" is not an IPv4 address`},
		{"an endpoint without an address", slice("  - addresses: []\n"), 0, "f.yaml:7: EndpointSlice default/a-1: endpoints[0].addresses: must have an address"},
		{"a slice without a service", "kind: EndpointSlice\napiVersion: discovery.k8s.io/v1\nmetadata:\n  name: a\naddressType: IPv4\nendpoints: []\n", 0,
			"f.yaml:3: EndpointSlice default/a: metadata.labels: without the label kubernetes.io/service-name the slice belongs to no service"},
		{"a slice without an address type", strings.ReplaceAll(slice("  - addresses: [10.0.0.1]\n"), "addressType: IPv4\n", ""), 0,
			`f.yaml:1: EndpointSlice default/a-1: addressType: "" is not one of IPv4, IPv6, FQDN`},
		{"endpoints with a wrong address", "kind: Endpoints\napiVersion: v1\nmetadata: {name: a}\nsubsets:\n- addresses:\n  - ip: 10.0.0.1\n  notReadyAddresses:\n  - ip: x\n  ports:\n  - port: 0\n", 0,
			"f.yaml:8: Endpoints default/a: subsets[0].notReadyAddresses[0].ip: \"x\" is not an IP address; the object is left out\nf.yaml:10: Endpoints default/a: subsets[0].ports[0].port: 0 is not a port: must be from 1 to 65535; the object is left out"},
		{"a word that is a truth to YAML 1.1, as to kubectl", "kind: Service\napiVersion: v1\nmetadata:\n  name: a\n  labels:\n    x: yes\n", 0,
			"f.yaml:6: Service default/a: metadata.labels.x: must be a text (in quotes, if it looks like something else), not true or false"},
		{"a scalar", "hello\n", 0, "f.yaml:1: expected an object, with apiVersion and kind"},
		{"a sequence", "\n- a\n", 0, "f.yaml:2: expected an object, with apiVersion and kind"},
		{"comments only", "# nothing\n---\n# nothing\n", 0, ""},
		{"an explicit nothing", "null\n---\n~\n", 0, ""},
		{"bytes that are not UTF-8", head + "x: \xff\n---\n" + head, 1, "f.yaml:1: not valid YAML: "},
		{"JSON with tabs, in a YAML file", "{\n\t\"kind\": \"Service\",\n\t\"apiVersion\": \"v1\",\n\t\"metadata\": {\"name\": \"a\"},\n\t\"x\": 1\n}\n", 0,
			`f.yaml:5: Service default/a: unknown field "x"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := decodeFile("f.yaml", tt.content)
			if len(f.objects) != tt.objects {
				t.Errorf("%d objects, want %d", len(f.objects), tt.objects)
			}
			got := problemsOf(f)
			if tt.problems == "" && got != "" || !strings.HasPrefix(got, tt.problems) || strings.Count(got, "\n") != strings.Count(tt.problems, "\n") {
				t.Errorf("problems:\n%s\nwant:\n%s", got, tt.problems)
			}
		})
	}
}

func slice(endpoints string) string {
	return "kind: EndpointSlice\napiVersion: discovery.k8s.io/v1\nmetadata: {name: a-1, labels: {kubernetes.io/service-name: a}}\naddressType: IPv4\nports: [{port: 80}]\nendpoints:\n" + endpoints
}

func TestJSONFilesHoldOneValueAfterTheOther(t *testing.T) {
	tests := []struct {
		name, content string
		objects       int
		problems      string
	}{
		{"one object", `{"kind":"Service","apiVersion":"v1","metadata":{"name":"a"}}`, 1, ""},
		{"two objects", "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\"}}\n{\"kind\":\"Service\",\"apiVersion\":\"v1\",\n\"metadata\":{\"name\":\"b\"},\n\"x\":1}", 1,
			`f.json:4: Service default/b: unknown field "x"`},
		{"a list", "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"items\":[\n{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\"}},\n{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"b\"},\n\"spec\":{\"ports\":[{\"port\":1},\n{\"port\":true}]}}]}", 1,
			"f.json:5: Service default/b: spec.ports[1].port: must be a whole number, not true or false"},
		{"a field given twice", "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\n\"metadata\":{\"name\":\"a\",\n\"name\":\"b\"}}", 0,
			`f.json:3: Service default/b: field "metadata.name" is given twice`},
		{"an object before something that is not JSON", "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\"}}\n\n{\"kind\":\"Service\",\n\"apiVersion\" \"v1\"}", 1,
			"f.json:4: not valid JSON: invalid character"},
		{"an object that does not end", "{\"kind\":\n\"Service\"\n\n", 0, "f.json:2: not valid JSON: unexpected EOF"},
		{"YAML", "kind: Service\n", 0, "f.json:1: not valid JSON: invalid character"},
		{"nothing", "\n", 0, ""},
		{"bytes that are not UTF-8", "{\"kind\":\"Service\",\n\"apiVersion\":\"\xff\"}", 0, "f.json:2: not valid JSON: bytes that are not UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := decodeFile("f.json", tt.content)
			if len(f.objects) != tt.objects {
				t.Errorf("%d objects, want %d", len(f.objects), tt.objects)
			}
			if got := problemsOf(f); tt.problems == "" && got != "" || !strings.HasPrefix(got, tt.problems) {
				t.Errorf("problems:\n%s\nwant:\n%s", got, tt.problems)
			}
		})
	}
}

func TestWhatAnAPIServerFillsInIsFilledIn(t *testing.T) {
	one := func(content string) any {
		t.Helper()
		f := decodeFile("f.yaml", content)
		if len(f.objects) != 1 || len(f.problems) > 0 {
			t.Fatalf("%d objects, problems:\n%s", len(f.objects), problemsOf(f))
		}
		return f.objects[0].value
	}
	const oldRoute = "kind: Route\napiVersion: v1\nmetadata: {name: a}\nspec: {to: {name: s}, alternateBackends: [{name: b, weight: 0}]}\n"
	r := one(oldRoute).(*routev1.Route)
	if r.Spec.To.Kind != "Service" || *r.Spec.To.Weight != 100 || r.Spec.AlternateBackends[0].Kind != "Service" ||
		*r.Spec.AlternateBackends[0].Weight != 0 || r.Spec.WildcardPolicy != "None" || r.Namespace != "default" {
		t.Errorf("route is %+v", r)
	}
	if !r.CreationTimestamp.IsZero() || r.UID == "" || r.ResourceVersion == "" {
		t.Errorf("metadata are %+v", r.ObjectMeta)
	}
	again := one(strings.ReplaceAll(oldRoute, "apiVersion: v1", "apiVersion: route.openshift.io/v1")).(*routev1.Route)
	if again.UID != r.UID || again.ResourceVersion != r.ResourceVersion {
		t.Error("the same route in the new form is another")
	}
	given := one("kind: Route\napiVersion: v1\nmetadata: {name: a, uid: u, creationTimestamp: \"2020-01-01T00:00:00Z\"}\nspec: {to: {kind: Service, name: s, weight: 3}}\n").(*routev1.Route)
	if given.UID != "u" || given.CreationTimestamp.Year() != 2020 || *given.Spec.To.Weight != 3 {
		t.Errorf("what is given is not kept: %+v", given)
	}
	s := one("kind: Service\napiVersion: v1\nmetadata: {name: a, namespace: shop}\nspec: {ports: [{port: 80}, {port: 81, targetPort: http, protocol: UDP}]}\n").(*corev1.Service)
	if p := s.Spec.Ports; s.Namespace != "shop" || s.Spec.Type != "ClusterIP" || p[0].Protocol != "TCP" || p[0].TargetPort.IntValue() != 80 ||
		p[1].Protocol != "UDP" || p[1].TargetPort != intstr.FromString("http") {
		t.Errorf("service is %+v", s)
	}
	e := one(slice("  - addresses: [127.0.0.1]\n")).(*discoveryv1.EndpointSlice)
	if *e.Ports[0].Protocol != "TCP" {
		t.Errorf("slice is %+v", e)
	}
	old := one("kind: Endpoints\napiVersion: v1\nmetadata: {name: a}\nsubsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}]}]\n").(*corev1.Endpoints) //nolint:staticcheck // old manifests have them
	if old.Subsets[0].Ports[0].Protocol != "TCP" {
		t.Errorf("endpoints are %+v", old)
	}
	secret := one("kind: Secret\napiVersion: v1\nmetadata: {name: a}\ndata: {k: eA==, l: eQ==}\nstringData: {k: v}\n").(*corev1.Secret)
	if string(secret.Data["k"]) != "v" || string(secret.Data["l"]) != "y" || secret.StringData != nil || secret.Type != "Opaque" {
		t.Errorf("secret is %+v", secret)
	}
	n := one("kind: Namespace\napiVersion: v1\nmetadata: {name: a, namespace: b}\n").(*corev1.Namespace)
	if n.Namespace != "" {
		t.Errorf("namespace is %+v", n)
	}
}

func TestLayoutDoesNotMakeAnObjectAnother(t *testing.T) {
	a := decodeFile("f.yaml", "kind: Service\napiVersion: v1\nmetadata: {name: a}\nspec:\n  clusterIP: None # comment\n  type: ClusterIP\n")
	b := decodeFile("f.json", `{"apiVersion":"v1","spec":{"type":"ClusterIP","clusterIP":"None"},"kind":"Service","metadata":{"namespace":"default","name":"a"}}`)
	if a.objects[0].digest != b.objects[0].digest {
		t.Error("the same object in YAML and JSON differs")
	}
}

// FuzzDecodeFile holds that no text makes the decoder panic or takes the good
// documents around it along, and that problems lie inside the file.
func FuzzDecodeFile(f *testing.F) {
	const before = "kind: Service\napiVersion: v1\nmetadata: {name: before-the-fuzz}\n---\n"
	const after = "\n---\nkind: Service\napiVersion: v1\nmetadata: {name: after-the-fuzz}\n"
	for _, seed := range []string{
		"a: [", "kind: List\nitems: 3", "- 1", "--- x", "kind: Route\napiVersion: v1\nmetadata: {name: [}", "? a\n: b", "a: &a [*a]",
		"kind: Secret\napiVersion: v1\nmetadata: {name: x}\ndata: {k: \"%\"}", "%YAML 9.9", "...", "\"\n---\n\"", "{\"a\": 1, \"a\": 2}",
		"kind: RouteList\napiVersion: route.openshift.io/v1\nitems: [{metadata: {name: x}, spec: {to: {weight: yes}}}]", "|\n x", "a: !!binary x",
		"kind: Service\napiVersion: v1\nmetadata: {name: x}\nspec: {ports: [{port: 1, targetPort: {}}]}", "<<: {a: 1}", "\u2028: \x85",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		content := before + text + after
		decoded := decodeFile("f.yaml", content)
		found := map[string]bool{}
		for _, o := range decoded.objects {
			found[o.key.Name] = true
		}
		if !found["before-the-fuzz"] || !found["after-the-fuzz"] {
			t.Errorf("good documents are lost around %q: %v", text, found)
		}
		lines := strings.Count(content, "\n") + 1
		for _, p := range decoded.problems {
			if p.Line < 1 || p.Line > lines+strings.Count(content, "\r")+strings.Count(content, "\u0085")+strings.Count(content, "\u2028")+strings.Count(content, "\u2029") {
				t.Errorf("problem in line %d of %d: %s", p.Line, lines, p)
			}
		}
		if json.Valid([]byte(text)) {
			decodeFile("f.json", text)
		}
	})
}
