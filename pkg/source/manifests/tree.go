package manifests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The lines of fields come from trees of yaml.Node, which are also made of
// JSON: the YAML parser does not take all of it, such as tabs.

// child is the value of a key of a mapping, nil if there is none.
func child(n *yaml.Node, key string) *yaml.Node {
	if _, value := entry(n, key); value != nil {
		return value
	}
	return nil
}

// entry is a key of a mapping, and its value with aliases followed.
func entry(n *yaml.Node, key string) (name, value *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i], target(n.Content[i+1])
		}
	}
	return nil, nil
}

func target(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// step is one part of the way to a value: a key, or an index where key is nil.
type step struct {
	key   *string
	index int
}

func keyStep(key string) step { return step{key: &key} }

// path is the way to a value.
type path []step

// String is the path as people write it: "spec.ports[0].port"; a key that is
// not a plain name stands in brackets.
func (p path) String() string {
	var b strings.Builder
	for _, s := range p {
		switch {
		case s.key == nil:
			fmt.Fprintf(&b, "[%d]", s.index)
		case strings.ContainsAny(*s.key, ".[]/ ") || *s.key == "":
			fmt.Fprintf(&b, "[%s]", *s.key)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(*s.key)
		}
	}
	return b.String()
}

func keys(names ...string) path {
	p := make(path, len(names))
	for i, name := range names {
		p[i] = keyStep(name)
	}
	return p
}

func (p path) at(steps ...step) path { return append(p[:len(p):len(p)], steps...) }

// lineOf is the line of the value at a path, or of the deepest part of the
// path that is there.
func lineOf(n *yaml.Node, p path) int {
	line := n.Line
	for _, s := range p {
		if s.key != nil {
			name, value := entry(n, *s.key)
			if value == nil {
				return line
			}
			line, n = name.Line, value
			continue
		}
		if n.Kind != yaml.SequenceNode || s.index >= len(n.Content) {
			return line
		}
		line, n = n.Content[s.index].Line, target(n.Content[s.index])
	}
	return line
}

// parsePath reads the path of a decoder's message, "spec.ports[1].prot". Where
// keys hold dots themselves, the tree says how it is meant.
func parsePath(n *yaml.Node, text string) path {
	var p path
	for text != "" {
		if text[0] == '[' {
			digits, rest, _ := strings.Cut(text[1:], "]")
			index, err := strconv.Atoi(digits)
			if err != nil {
				return p
			}
			p = append(p, step{index: index})
			if n != nil && n.Kind == yaml.SequenceNode && index < len(n.Content) {
				n = target(n.Content[index])
			} else {
				n = nil
			}
			text = strings.TrimPrefix(rest, ".")
			continue
		}
		end := keyEnd(n, text)
		p = append(p, keyStep(text[:end]))
		n = child(n, text[:end])
		text = strings.TrimPrefix(text[end:], ".")
	}
	return p
}

// keyEnd is where the first key of a path ends: the longest that the tree has,
// else at the first dot or bracket.
func keyEnd(n *yaml.Node, text string) int {
	end := strings.IndexAny(text, ".[")
	if end <= 0 {
		end = len(text)
	}
	if child(n, text[:end]) != nil || n == nil || n.Kind != yaml.MappingNode {
		return end
	}
	longest := 0
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if rest, found := strings.CutPrefix(text, key); found && len(key) > longest && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			longest = len(key)
		}
	}
	if longest > 0 {
		return longest
	}
	return end
}

// duplicate is a key that a mapping has twice.
type duplicate struct {
	path path
	line int
}

// duplicates finds the keys that are given twice in a tree.
func duplicates(n *yaml.Node, at path, found []duplicate) []duplicate {
	switch n.Kind {
	case yaml.MappingNode:
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i]
			here := at.at(keyStep(name.Value))
			if seen[name.Value] {
				found = append(found, duplicate{here, name.Line})
				continue
			}
			seen[name.Value] = true
			found = duplicates(n.Content[i+1], here, found)
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			found = duplicates(c, at.at(step{index: i}), found)
		}
	}
	return found
}

// jsonTree makes a tree of a JSON text, which must be valid.
func jsonTree(text []byte) (*yaml.Node, error) {
	t := treeMaker{text: text, line: 1, decoder: json.NewDecoder(bytes.NewReader(text))}
	t.decoder.UseNumber()
	return t.value()
}

type treeMaker struct {
	text    []byte
	decoder *json.Decoder
	// line is that of the offset before which newlines have been counted.
	line   int
	offset int64
}

// token reads a token and the line that it ends on, which is the one it begins
// on: JSON's strings hold no newlines.
func (t *treeMaker) token() (json.Token, int, error) {
	token, err := t.decoder.Token()
	if err != nil {
		return nil, 0, fmt.Errorf("reading JSON: %w", err)
	}
	end := t.decoder.InputOffset()
	t.line += bytes.Count(t.text[t.offset:end], []byte("\n"))
	t.offset = end
	return token, t.line, nil
}

func (t *treeMaker) value() (*yaml.Node, error) {
	token, line, err := t.token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return scalar(token, line), nil
	}
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: line}
	if delim == '{' {
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
	}
	for t.decoder.More() {
		v, err := t.value()
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, v)
	}
	_, _, err = t.token() // The closing bracket.
	return n, err
}

func scalar(token json.Token, line int) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: line, Tag: "!!str"}
	switch v := token.(type) {
	case string:
		n.Value = v
	case json.Number:
		n.Value, n.Tag = v.String(), "!!float"
	case bool:
		n.Value, n.Tag = strconv.FormatBool(v), "!!bool"
	case nil:
		n.Value, n.Tag = "null", "!!null"
	}
	return n
}
