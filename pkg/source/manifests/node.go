package manifests

import (
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// child is the value of a key of a mapping, nil if there is none.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// field is the scalar value of a key of a mapping.
func field(n *yaml.Node, key string) string {
	if c := child(n, key); c != nil && c.Kind == yaml.ScalarNode {
		return c.Value
	}
	return ""
}

// inherit gives a mapping a key that it does not have.
func inherit(n *yaml.Node, key, value string) {
	if n.Kind != yaml.MappingNode || child(n, key) != nil {
		return
	}
	n.Content = append(n.Content,
		&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key, Line: n.Line},
		&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Line: n.Line})
}

// duplicated is a key that a mapping has twice.
type duplicated struct {
	path string
	line int
}

func duplicate(n *yaml.Node, path string) *duplicated {
	switch n.Kind {
	case yaml.MappingNode:
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			at := strings.TrimPrefix(path+"."+key, ".")
			if seen[key] {
				return &duplicated{path: at, line: n.Content[i].Line}
			}
			seen[key] = true
			if d := duplicate(n.Content[i+1], at); d != nil {
				return d
			}
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			if d := duplicate(c, path+"["+strconv.Itoa(i)+"]"); d != nil {
				return d
			}
		}
	}
	return nil
}

// quoted finds the field in the message of a strict decoding error, such as
// `unknown field "spec.ports[0].prot"`.
var quoted = regexp.MustCompile(`field "([^"]+)"`)

func strictField(err error) string {
	if m := quoted.FindStringSubmatch(err.Error()); m != nil {
		return m[1]
	}
	return ""
}

// typeErrorField is the field whose value has the wrong type.
func typeErrorField(err error) string {
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return mismatch.Field
	}
	if _, after, found := strings.Cut(err.Error(), " field "); found {
		_, path, _ := strings.Cut(strings.Fields(after)[0], ".")
		return path
	}
	return ""
}

// index splits "ports[0]" into its name and index.
var index = regexp.MustCompile(`^([^\[]*)((?:\[\d+\])*)$`)

// lineOf is the line of the field at a path such as "spec.ports[0].name"; the
// line of the deepest part of the path that is there.
func lineOf(n *yaml.Node, path string) int {
	line := n.Line
	for path != "" {
		var part string
		part, path, _ = strings.Cut(path, ".")
		name, indexes := part, ""
		if m := index.FindStringSubmatch(part); m != nil {
			name, indexes = m[1], m[2]
		}
		// A key may hold dots itself, as those of annotations do.
		for child(n, name) == nil && path != "" && indexes == "" {
			part, path, _ = strings.Cut(path, ".")
			name += "." + part
		}
		if n.Kind == yaml.MappingNode {
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == name {
					line = n.Content[i].Line
				}
			}
		}
		if n = child(n, name); n == nil {
			return line
		}
		for _, digits := range strings.FieldsFunc(indexes, func(r rune) bool { return r == '[' || r == ']' }) {
			i, _ := strconv.Atoi(digits)
			if n.Kind != yaml.SequenceNode || i >= len(n.Content) {
				return line
			}
			n = n.Content[i]
			line = n.Line
		}
	}
	return line
}
