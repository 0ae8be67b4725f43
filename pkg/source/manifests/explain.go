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
func explain(raw []byte, empty func() metav1.Object, err error) (path, string) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return nil, reason(err)
	}
	var p path
	for {
		s, v, why := culprit(value, p, empty)
		if why == nil {
			return p, reason(err)
		}
		p, value, err = p.at(s), v, why
	}
}

// culprit is the part of a value, which stands at a path, for which the object
// does not decode; without an error there is no such part.
func culprit(value any, at path, empty func() metav1.Object) (step, any, error) {
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			s := keyStep(key)
			if err := try(at.at(s), value[key], empty); err != nil {
				return s, value[key], err
			}
		}
	case []any:
		for i, v := range value {
			s := step{index: i}
			if err := try(at.at(s), v, empty); err != nil {
				return s, v, err
			}
		}
	}
	return step{}, nil, nil
}

// try decodes an object that holds nothing but a value at a path.
func try(at path, value any, empty func() metav1.Object) error {
	for _, s := range slices.Backward(at) {
		if s.key == nil {
			value = []any{value}
		} else {
			value = map[string]any{*s.key: value}
		}
	}
	raw, err := json.Marshal(value)
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
