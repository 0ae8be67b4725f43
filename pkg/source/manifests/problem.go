package manifests

import (
	"cmp"
	"fmt"
	"strings"

	"router/pkg/source"
)

// Problem is something in a file that cannot be served as it is written.
type Problem struct {
	// File is the path, beginning with the directory as it was given.
	File string
	// Line counts from 1: that of the offending field where it is known, else
	// that of the object.
	Line int
	// Kind, Namespace and Name are of the object, as far as they are known.
	Kind            source.Kind
	Namespace, Name string
	// Message says what is wrong.
	Message string
}

// String is the problem as a compiler would print it.
func (p Problem) String() string {
	where := fmt.Sprintf("%s:%d: ", p.File, p.Line)
	if p.Name != "" {
		where += strings.TrimSpace(source.Key{Kind: p.Kind, Namespace: p.Namespace, Name: p.Name}.String()) + ": "
	} else if p.Kind != "" {
		where += string(p.Kind) + ": "
	}
	return where + p.Message
}

// compareProblems orders by file, line and message.
func compareProblems(a, b Problem) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Message, b.Message))
}
