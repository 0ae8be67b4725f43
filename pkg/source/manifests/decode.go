package manifests

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
	kyaml "sigs.k8s.io/yaml"

	"router/pkg/source"
)

// object is an object and where it stands.
type object struct {
	key    source.Key
	value  metav1.Object
	line   int
	digest string
}

// decoded is what a document or a file holds. The lines of a document's
// objects and problems count from its own first line.
type decoded struct {
	objects  []object
	problems []Problem
	// broken are the keys of objects that are there but cannot be used; where
	// unknown, there may be others, whose keys cannot be told.
	broken  map[source.Key]bool
	unknown bool
}

// decodeDocument decodes a document, whatever it holds.
func decodeDocument(doc document) (result decoded) {
	d := &decoder{decoded: decoded{broken: map[source.Key]bool{}}}
	defer func() {
		// The parsers are other people's; a fault in one must not end the
		// router over a text that somebody is still editing.
		if fault := recover(); fault != nil {
			d.objects = nil
			d.lost(1, "cannot be decoded: %v", fault)
			result = d.decoded
		}
	}()
	if doc.json {
		d.json(doc.text)
	} else {
		d.yaml(doc.text)
	}
	return d.decoded
}

type decoder struct {
	decoded
	fields *fields
}

// lost reports something that cannot be told which object it is.
func (d *decoder) lost(line int, format string, args ...any) {
	d.problems = append(d.problems, Problem{Line: line, Message: fmt.Sprintf(format, args...)})
	d.unknown = true
}

func (d *decoder) json(text []byte) {
	if !utf8.Valid(text) {
		d.lost(1+bytes.Count(text[:invalidAt(text)], []byte("\n")), "not valid JSON: bytes that are not UTF-8")
		return
	}
	var err error
	if d.fields, err = fieldsOfJSON(text); err != nil {
		d.lost(1, "not valid JSON: %v", err)
		return
	}
	d.value(text, "", identity{}, 0)
}

// invalidAt is the offset of the first byte that is not UTF-8.
func invalidAt(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(text)
}

func (d *decoder) yaml(text []byte) {
	var root yaml.Node
	err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&root)
	if errors.Is(err, io.EOF) {
		return
	}
	if err != nil {
		d.syntax(err)
		return
	}
	if len(root.Content) == 0 || root.Content[0].Tag == "!!null" {
		return
	}
	// The values come from the library that kubectl uses, because the two
	// YAML versions differ in what "yes" or "0777" mean.
	raw, err := kyaml.YAMLToJSON(text)
	if err != nil {
		d.syntax(err)
		return
	}
	d.fields = fieldsOfYAML(root.Content[0])
	d.value(raw, "", identity{}, 0)
}

// yamlLine finds the line that a YAML parser complains about.
var yamlLine = regexp.MustCompile(`line (\d+): `)

func (d *decoder) syntax(err error) {
	line, message := 1, err.Error()
	if m := yamlLine.FindStringSubmatchIndex(message); m != nil {
		line, _ = strconv.Atoi(message[m[2]:m[3]])
		message = message[m[1]:]
	}
	message = strings.TrimPrefix(strings.TrimPrefix(message, "yaml: "), "unmarshal errors:\n  ")
	if strings.HasPrefix(message, "did not find expected") {
		line++ // The library counts the lines of its parser's errors, unlike its scanner's, from 0.
	}
	d.lost(line, "not valid YAML: %s", message)
}

// identity is what says which object it is. Fields of the wrong type are
// taken as they are written; decoding reports them.
type identity struct {
	apiVersion, kind, namespace, name string
}

// identify reads an object's identity; what it lacks comes from the list that
// it is in.
func identify(raw []byte, list identity) identity {
	var o struct {
		APIVersion json.RawMessage `json:"apiVersion"`
		Kind       json.RawMessage `json:"kind"`
		Metadata   json.RawMessage `json:"metadata"`
	}
	var meta struct {
		Namespace json.RawMessage `json:"namespace"`
		Name      json.RawMessage `json:"name"`
	}
	// What does not decode stays empty.
	_, _ = kjson.UnmarshalStrict(raw, &o)
	_, _ = kjson.UnmarshalStrict(o.Metadata, &meta)
	id := identity{text(o.APIVersion), text(o.Kind), text(meta.Namespace), text(meta.Name)}
	if id.apiVersion == "" {
		id.apiVersion = list.apiVersion
	}
	if id.kind == "" {
		id.kind = list.kind
	}
	return id
}

func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// maxDepth bounds lists in lists.
const maxDepth = 8

// value decodes the object at a path, or the items of a list.
func (d *decoder) value(raw []byte, at string, list identity, depth int) {
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) || depth > maxDepth {
		d.lost(d.fields.line(at), "expected an object, with apiVersion and kind")
		return
	}
	id := identify(raw, list)
	item, isList := strings.CutSuffix(id.kind, "List")
	if !isList {
		d.object(raw, at, id)
		return
	}
	var o struct {
		Items []json.RawMessage `json:"items"`
	}
	items := join(at, "items")
	if _, err := kjson.UnmarshalStrict(raw, &o); err != nil {
		d.lost(d.fields.line(items), "items of %s: must be a list", id.kind)
		return
	}
	if _, there := d.fields.lines[items]; !there {
		d.lost(d.fields.line(at), "a %s without items", id.kind)
		return
	}
	from := identity{}
	if item != "" {
		from = identity{apiVersion: id.apiVersion, kind: item}
	}
	for i, raw := range o.Items {
		d.value(raw, fmt.Sprintf("%s[%d]", items, i), from, depth+1)
	}
}

// object decodes the object at a path strictly.
func (d *decoder) object(raw []byte, at string, id identity) {
	kind, message := findKind(id.apiVersion, id.kind)
	problem := Problem{Line: d.fields.line(at), Kind: source.Kind(id.kind), Namespace: id.namespace, Name: id.name, Message: message}
	if kind == nil {
		if message != "" {
			d.problems = append(d.problems, problem)
			d.unknown = true
		}
		return
	}
	key := source.Key{Kind: kind.Kind, Name: id.name}
	if kind.Namespaced {
		key.Namespace = cmp.Or(id.namespace, metav1.NamespaceDefault)
	}
	problem.Namespace = key.Namespace
	if id.name == "" {
		problem.Line, problem.Message = d.fields.line(join(at, "metadata")), "metadata.name is missing"
		d.problems = append(d.problems, problem)
		d.unknown = true
		return
	}
	value, findings := decodeObject(raw, d.twice(at), kind)
	if len(findings) == 0 {
		complete(key, value)
		findings = validate(key, value)
	}
	for _, f := range findings {
		problem.Line, problem.Message = cmp.Or(f.line, d.fields.line(join(at, f.path))), f.message
		d.problems = append(d.problems, problem)
		d.broken[key] = true
	}
	if len(findings) > 0 {
		return
	}
	digest := digestOf(value)
	value.SetResourceVersion(digest)
	d.objects = append(d.objects, object{key: key, value: value, line: d.fields.line(at), digest: digest})
}

// twice are the keys of the object at a path that are given twice.
func (d *decoder) twice(at string) []finding {
	var list []finding
	for _, f := range d.fields.twice {
		if path, within := strings.CutPrefix(f.path, at); within {
			f.message = fmt.Sprintf("field %q is given twice", strings.TrimPrefix(path, "."))
			list = append(list, f)
		}
	}
	return list
}

// decodeObject decodes the fields of an object, and adds to what is found wrong
// with them.
func decodeObject(raw []byte, findings []finding, kind *readKind) (metav1.Object, []finding) {
	value := kind.New()
	strict, err := kjson.UnmarshalStrict(raw, value, kjson.DisallowUnknownFields)
	if err != nil {
		f := explain(raw, kind.New, err)
		if f.path != "" {
			f.message = f.path + ": " + f.message
		}
		return nil, append(findings, f)
	}
	for _, e := range strict {
		f := finding{message: e.Error()}
		var at kjson.FieldError
		if errors.As(e, &at) {
			f.path = at.FieldPath()
		}
		findings = append(findings, f)
	}
	return value, findings
}

// digestOf identifies an object's content.
func digestOf(o metav1.Object) string {
	o.SetResourceVersion("")
	text, err := json.Marshal(o)
	if err != nil {
		// It was made of JSON: only a type of ours that cannot be marshalled
		// gets here, and decodeDocument reports that.
		panic(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
