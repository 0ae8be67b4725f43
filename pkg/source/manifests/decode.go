package manifests

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	routev1 "github.com/openshift/api/route/v1"
	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"

	"router/pkg/source"
)

// Problem is something in a file that cannot be served.
type Problem struct {
	File string
	Line int
	// Object is "Kind namespace/name", as far as it is known.
	Object  string
	Message string
}

// String is the problem as a compiler would print it.
func (p Problem) String() string {
	where := fmt.Sprintf("%s:%d: ", p.File, p.Line)
	if p.Object != "" {
		where += p.Object + ": "
	}
	return where + p.Message
}

// object is an object and where it stands.
type object struct {
	key    source.Key
	value  metav1.Object
	file   string
	line   int
	digest string
}

// decoded is what one file holds.
type decoded struct {
	objects  []object
	problems []Problem
	// broken are keys of objects that are there but cannot be used; unknown
	// is whether some part of the file could not be told at all.
	broken  map[source.Key]bool
	unknown bool
}

// decodeFile decodes the documents of a file.
func decodeFile(file string, content []byte) decoded {
	d := &decoder{file: file, decoded: decoded{broken: map[source.Key]bool{}}}
	for _, doc := range splitDocuments(content) {
		d.document(doc)
	}
	return d.decoded
}

// document is a part of a file between "---" lines, and the line it begins at.
type document struct {
	text []byte
	line int
}

// splitDocuments splits before parsing, so that a document with a syntax error
// does not take the ones behind it along.
func splitDocuments(content []byte) []document {
	var docs []document
	current := document{line: 1}
	line := 0
	for text := range bytes.Lines(content) {
		line++
		if rest, found := bytes.CutPrefix(text, []byte("---")); found && (len(bytes.TrimSpace(rest)) == 0 || rest[0] == ' ' || rest[0] == '\t') {
			docs = append(docs, current)
			current = document{line: line + 1}
			if rest = bytes.TrimSpace(rest); len(rest) > 0 {
				current = document{text: append(bytes.Clone(rest), '\n'), line: line}
			}
			continue
		}
		current.text = append(current.text, text...)
	}
	return append(docs, current)
}

type decoder struct {
	file string
	decoded
}

func (d *decoder) problem(line int, object, format string, args ...any) {
	d.problems = append(d.problems, Problem{File: d.file, Line: line, Object: object, Message: fmt.Sprintf(format, args...)})
}

// yamlLine finds the line that the YAML parser complains about.
var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

func (d *decoder) document(doc document) {
	var root yaml.Node
	err := yaml.NewDecoder(bytes.NewReader(doc.text)).Decode(&root)
	if errors.Is(err, io.EOF) {
		return
	}
	if err != nil {
		line, message := doc.line, err.Error()
		if m := yamlLine.FindStringSubmatch(message); m != nil {
			n, _ := strconv.Atoi(m[1])
			line, message = doc.line+n-1, message[len(m[0]):]
		}
		d.problem(line, "", "not valid YAML: %s", strings.TrimPrefix(message, "yaml: "))
		d.unknown = true
		return
	}
	if root.Kind != yaml.DocumentNode || len(root.Content) == 0 || root.Content[0].Tag == "!!null" {
		return
	}
	d.node(root.Content[0], doc.line-1)
}

// node decodes an object, or the items of a list; offset is added to the
// lines of nodes.
func (d *decoder) node(n *yaml.Node, offset int) {
	if n.Kind != yaml.MappingNode {
		d.problem(n.Line+offset, "", "expected an object, with apiVersion and kind")
		d.unknown = true
		return
	}
	kind := field(n, "kind")
	if strings.HasSuffix(kind, "List") {
		items := child(n, "items")
		if items == nil || items.Kind != yaml.SequenceNode {
			d.problem(n.Line+offset, kind, "a list without items")
			return
		}
		for _, item := range items.Content {
			if strings.TrimSuffix(kind, "List") != "" {
				inherit(item, "apiVersion", field(n, "apiVersion"))
				inherit(item, "kind", strings.TrimSuffix(kind, "List"))
			}
			d.node(item, offset)
		}
		return
	}
	d.object(n, offset)
}

// object decodes one object strictly.
func (d *decoder) object(n *yaml.Node, offset int) {
	line := n.Line + offset
	apiVersion, kind := field(n, "apiVersion"), field(n, "kind")
	meta := child(n, "metadata")
	namespace, name := field(meta, "namespace"), field(meta, "name")
	value, key := newObject(apiVersion, kind)
	if value == nil {
		d.problem(line, kind, "kind %q of apiVersion %q is not one that the router reads", kind, apiVersion)
		return
	}
	key.Name = name
	if key.Namespace != "" || key.Kind != source.KindNamespace && key.Kind != source.KindIngressClass {
		key.Namespace = namespace
		if key.Namespace == "" {
			key.Namespace = metav1.NamespaceDefault
		}
	}
	label := kind + " " + strings.TrimPrefix(key.Namespace+"/"+name, "/")
	if name == "" {
		d.problem(line, kind, "metadata.name is missing")
		d.unknown = true
		return
	}
	reject := func(line int, format string, args ...any) {
		d.problem(line, label, format, args...)
		d.broken[key] = true
	}
	if dup := duplicate(n, ""); dup != nil {
		reject(dup.line+offset, "field %q is given twice", dup.path)
		return
	}
	var raw any
	if err := n.Decode(&raw); err != nil {
		reject(line, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	text, err := json.Marshal(raw)
	if err != nil {
		reject(line, "keys that are not strings")
		return
	}
	strict, err := kjson.UnmarshalStrict(text, value)
	if err != nil {
		reject(lineOf(n, typeErrorField(err))+offset, "%s", strings.TrimPrefix(err.Error(), "json: "))
		return
	}
	if len(strict) > 0 {
		for _, e := range strict {
			reject(lineOf(n, strictField(e))+offset, "%s", e)
		}
		return
	}
	sum := sha256.Sum256(text)
	o := object{key: key, value: value, file: d.file, line: line, digest: hex.EncodeToString(sum[:8])}
	complete(o)
	d.objects = append(d.objects, o)
}

// newObject is an empty object of a kind that the router reads.
func newObject(apiVersion, kind string) (metav1.Object, source.Key) {
	key := source.Key{Kind: source.Kind(kind)}
	switch apiVersion + " " + kind {
	case "route.openshift.io/v1 Route", "v1 Route": // v1 is the form of the first releases.
		return &routev1.Route{}, key
	case "v1 Service":
		return &corev1.Service{}, key
	case "v1 Endpoints":
		return &corev1.Endpoints{}, key //nolint:staticcheck // old manifests have them
	case "v1 Secret":
		return &corev1.Secret{}, key
	case "v1 ConfigMap":
		return &corev1.ConfigMap{}, key
	case "v1 Namespace":
		return &corev1.Namespace{}, key
	case "discovery.k8s.io/v1 EndpointSlice":
		return &discoveryv1.EndpointSlice{}, key
	case "networking.k8s.io/v1 Ingress":
		return &networkingv1.Ingress{}, key
	case "networking.k8s.io/v1 IngressClass":
		return &networkingv1.IngressClass{}, key
	}
	return nil, key
}

// complete fills in what an API server would.
func complete(o object) {
	m := o.value
	m.SetNamespace(o.key.Namespace)
	m.SetResourceVersion(o.digest)
	if m.GetUID() == "" {
		// Claims fall back on the UID where ages are equal: the same on every run.
		sum := sha256.Sum256([]byte(string(o.key.Kind) + "/" + o.key.Namespace + "/" + o.key.Name))
		m.SetUID(types.UID(hex.EncodeToString(sum[:16])))
	}
	switch v := o.value.(type) {
	case *routev1.Route:
		completeRoute(v)
	case *corev1.Service:
		for i := range v.Spec.Ports {
			p := &v.Spec.Ports[i]
			if p.Protocol == "" {
				p.Protocol = corev1.ProtocolTCP
			}
			if p.TargetPort.IntVal == 0 && p.TargetPort.StrVal == "" {
				p.TargetPort.IntVal = p.Port
			}
		}
	case *discoveryv1.EndpointSlice:
		tcp := corev1.ProtocolTCP
		for i := range v.Ports {
			if v.Ports[i].Protocol == nil {
				v.Ports[i].Protocol = &tcp
			}
		}
	case *corev1.Endpoints: //nolint:staticcheck // old manifests have them
		for i := range v.Subsets {
			for j := range v.Subsets[i].Ports {
				if p := &v.Subsets[i].Ports[j]; p.Protocol == "" {
					p.Protocol = corev1.ProtocolTCP
				}
			}
		}
	case *corev1.Secret:
		for k, text := range v.StringData {
			if v.Data == nil {
				v.Data = map[string][]byte{}
			}
			v.Data[k] = []byte(text)
		}
		v.StringData = nil
	}
}

// defaultWeight is the weight that the API server gives a target without one.
const defaultWeight = 100

func completeRoute(r *routev1.Route) {
	target := func(t *routev1.RouteTargetReference) {
		if t.Kind == "" {
			t.Kind = "Service"
		}
		if t.Weight == nil {
			w := int32(defaultWeight)
			t.Weight = &w
		}
	}
	target(&r.Spec.To)
	for i := range r.Spec.AlternateBackends {
		target(&r.Spec.AlternateBackends[i])
	}
	if r.Spec.WildcardPolicy == "" {
		r.Spec.WildcardPolicy = routev1.WildcardPolicyNone
	}
}
