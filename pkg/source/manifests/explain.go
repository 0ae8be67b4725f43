package manifests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
)

// explain finds out which field an object does not decode for, and says why.
// Decoders say it for some types and not for others (a time, a base64 text, a
// number that may be a name), so it is tried out: fields decode apart from
// each other, and an object with the offending one alone fails as well.
func explain(raw []byte, empty func() metav1.Object, err error) finding {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	p := part{alone: func(value any) any { return value }}
	if decoder.Decode(&p.value) != nil {
		return finding{message: reason(err)}
	}
	for {
		next := slices.IndexFunc(p.parts(), func(c part) bool {
			why := c.decode(empty)
			if why != nil {
				err = why
			}
			return why != nil
		})
		if next < 0 {
			return finding{path: p.at.shown, message: reason(err)}
		}
		p = p.parts()[next]
	}
}

// part is a value in an object.
type part struct {
	at    place
	value any
	// alone is an object that holds nothing but a value at the place.
	alone func(value any) any
}

// parts are the values in a value.
func (p part) parts() []part {
	var list []part
	switch value := p.value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			list = append(list, part{p.at.key(key), value[key], func(v any) any { return p.alone(map[string]any{key: v}) }})
		}
	case []any:
		for i, item := range value {
			list = append(list, part{p.at.index(i), item, func(v any) any { return p.alone([]any{v}) }})
		}
	}
	return list
}

// decode decodes an object that holds nothing but the part.
func (p part) decode(empty func() metav1.Object) error {
	raw, err := json.Marshal(p.alone(p.value))
	if err != nil {
		return nil //nolint:nilerr // not a failure to decode
	}
	_, err = kjson.UnmarshalStrict(raw, empty(), kjson.DisallowUnknownFields)
	return err
}

// reason words a decoder's error without the names of Go types.
func reason(err error) string {
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return fmt.Sprintf("must be %s, not %s", wanted(mismatch.Type), found(mismatch.Value))
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// wanted names a Go type by what is written in its place.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return wanted(t.Elem())
	case reflect.String:
		return "a text (in quotes, if it looks like something else)"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return "a text in base64"
		}
		return "a list"
	default:
		return "an object"
	}
}

func found(value string) string {
	kind, number, isNumber := strings.Cut(value, " ")
	switch {
	case isNumber && kind == "number":
		return number
	case kind == "array":
		return "a list"
	case kind == "bool":
		return "true or false"
	case kind == "string":
		return "a text"
	case kind == "object":
		return "an object"
	}
	return "a " + value
}
