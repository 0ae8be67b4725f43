package admission

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"router/pkg/model"
)

// maxPath bounds spec.path, in bytes: HAProxy's prefix trees confuse keys that
// are the same in their first 2048, of which a host may take 253.
const maxPath = 1792

var pathField = field.NewPath("spec", "path")

// checkPath says what is wrong with a path that cannot be served.
func checkPath(path string) field.ErrorList {
	invalid := func(detail string) field.ErrorList {
		return field.ErrorList{field.Invalid(pathField, path, detail)}
	}
	switch {
	case path == "":
		return nil
	case len(path) > maxPath:
		return field.ErrorList{field.TooLong(pathField, "", maxPath)}
	case path[0] != '/':
		return invalid(`must begin with "/"`)
	}
	for i := range len(path) {
		switch c := path[i]; {
		case c == '?' || c == '#':
			return invalid("must be a path alone: " + string(c) + " begins a query or fragment, and no request's path contains it")
		case c <= ' ' || c == 0x7f:
			return invalid("must not contain blanks or control characters: no request's path contains them; a blank is %20 there")
		}
	}
	return nil
}

func passthroughPath(path string) *field.Error {
	return field.Invalid(pathField, path, "passthrough termination does not support paths: the router cannot read the requests")
}

// pathProblems tells of a path that can be served but will hardly be asked for.
func pathProblems(path string) []model.Problem {
	for i := range len(path) {
		if path[i] >= 0x80 {
			return []model.Problem{{Field: pathField.String(), Value: path, Message: "has characters that clients send percent-encoded; write them so here as well"}}
		}
	}
	return nil
}
