package source

import (
	"iter"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// table holds the objects of one kind, by namespace and name.
type table[T metav1.Object] map[string]map[string]T

func (t table[T]) get(namespace, name string) T { return t[namespace][name] }

// object is the object with a key, a nil interface if there is none.
func (t table[T]) object(k Key) metav1.Object {
	if o, has := t[k.Namespace][k.Name]; has {
		return o
	}
	return nil
}

// set puts an object in, or takes it out where it is nil, and returns the one
// before; nil interfaces stand for none.
func (t table[T]) set(k Key, o metav1.Object) metav1.Object {
	old, had := t[k.Namespace][k.Name]
	if now, ok := o.(T); ok {
		if t[k.Namespace] == nil {
			t[k.Namespace] = map[string]T{}
		}
		t[k.Namespace][k.Name] = now
	} else if had {
		delete(t[k.Namespace], k.Name)
		if len(t[k.Namespace]) == 0 {
			delete(t, k.Namespace)
		}
	}
	if !had {
		return nil
	}
	return old
}

// all yields the objects by namespace and name. The table must not change
// meanwhile.
func (t table[T]) all() iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, namespace := range slices.Sorted(maps.Keys(t)) {
			for _, name := range slices.Sorted(maps.Keys(t[namespace])) {
				if !yield(t[namespace][name]) {
					return
				}
			}
		}
	}
}

// anyTable is a table of whatever kind.
type anyTable interface {
	object(Key) metav1.Object
	set(Key, metav1.Object) metav1.Object
}
