package manifests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// place is the way to a field of a document: as decoders write it, with keys as
// they are, and for people, where a key that is not a plain name stands in
// brackets. Mostly both are the same, such as "spec.ports[0].port".
type place struct{ plain, shown string }

// key is the place of a key in the mapping at p.
func (p place) key(name string) place {
	shown := join(p.shown, name)
	if name == "" || strings.ContainsAny(name, ".[]/ ") {
		shown = p.shown + "[" + name + "]"
	}
	return place{join(p.plain, name), shown}
}

// index is the place of an item in the list at p.
func (p place) index(i int) place {
	item := fmt.Sprintf("[%d]", i)
	return place{p.plain + item, p.shown + item}
}

// join puts a path behind another one.
func join(at, path string) string {
	if at == "" || path == "" || path[0] == '[' {
		return at + path
	}
	return at + "." + path
}

// finding is something wrong with a field.
type finding struct {
	path, message string
	line          int
}

// fields are the lines of a document's fields by both forms of their places;
// the document itself is at "".
type fields struct {
	lines map[string]int
	// twice are keys that are given twice, with the line of the second.
	twice []finding
}

// line is that of the field at a path, or of the last one on the way to it that
// is there.
func (f *fields) line(path string) int {
	for {
		if line, ok := f.lines[path]; ok {
			return line
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

// add notes the line of a field, the first time.
func (f *fields) add(at place, line int) {
	for _, path := range []string{at.plain, at.shown} {
		if _, known := f.lines[path]; !known {
			f.lines[path] = line
		}
	}
}

// key notes the line of a key, and reports whether it is there the first time.
func (f *fields) key(at place, line int) bool {
	if _, known := f.lines[at.shown]; known {
		f.twice = append(f.twice, finding{path: at.shown, line: line})
		return false
	}
	f.add(at, line)
	return true
}

// fieldsOfYAML takes a document that has been converted already: what aliases
// come to is bounded by that.
func fieldsOfYAML(root *yaml.Node) *fields {
	f := &fields{lines: map[string]int{}}
	f.yaml(root, place{})
	return f
}

func (f *fields) yaml(n *yaml.Node, at place) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias // A value stands where its text does.
	}
	f.add(at, n.Line)
	for i, c := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			f.yaml(c, at.index(i))
		case i%2 == 0: // Keys and values take turns.
			if here := at.key(c.Value); f.key(here, c.Line) {
				f.yaml(n.Content[i+1], here)
			}
		}
	}
}

// fieldsOfJSON reads JSON's own tokens: the YAML parser does not take all of
// it, such as tabs.
func fieldsOfJSON(text []byte) (*fields, error) {
	r := jsonReader{fields: &fields{lines: map[string]int{}}, text: text, decoder: json.NewDecoder(bytes.NewReader(text)), line: 1}
	return r.fields, r.value(place{})
}

type jsonReader struct {
	*fields
	text    []byte
	decoder *json.Decoder
	// line is that of the offset before which newlines have been counted.
	line   int
	offset int64
}

// token reads a token, after which line is the one that it ends on, and begins
// on: JSON's strings hold no newlines.
func (r *jsonReader) token() (json.Token, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return nil, fmt.Errorf("reading JSON: %w", err)
	}
	end := r.decoder.InputOffset()
	r.line += bytes.Count(r.text[r.offset:end], []byte("\n"))
	r.offset = end
	return token, nil
}

func (r *jsonReader) value(at place) error {
	token, err := r.token()
	if err != nil {
		return err
	}
	r.add(at, r.line)
	if token != json.Delim('{') && token != json.Delim('[') {
		return nil
	}
	for i := 0; r.decoder.More(); i++ {
		here := at.index(i)
		if token == json.Delim('{') {
			name, err := r.token()
			if err != nil {
				return err
			}
			here = at.key(fmt.Sprint(name))
			if !r.key(here, r.line) {
				var left json.RawMessage
				if err := r.decoder.Decode(&left); err != nil {
					return fmt.Errorf("reading JSON: %w", err)
				}
				continue
			}
		}
		if err := r.value(here); err != nil {
			return err
		}
	}
	_, err = r.token() // The closing bracket.
	return err
}
