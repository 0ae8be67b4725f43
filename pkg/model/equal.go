package model

import "reflect"

// Equal reports whether two routes are the same. Either may be nil.
func (r *Route) Equal(o *Route) bool {
	if r == nil || o == nil {
		return r == o
	}
	return reflect.DeepEqual(r, o)
}
