// Package source is where objects come from: a cluster (source/kube) or a
// directory of manifests (source/manifests). Both push changes of plain
// Kubernetes objects into a Queue; the controller's goroutine drains it into
// its Store. Nothing else is shared.
package source

import (
	"cmp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Key identifies one object. Namespace is "" for kinds without one.
type Key struct {
	Kind            Kind
	Namespace, Name string
}

// String returns "Kind namespace/name", or "Kind name" for kinds without a
// namespace.
func (k Key) String() string {
	if k.Namespace == "" {
		return string(k.Kind) + " " + k.Name
	}
	return string(k.Kind) + " " + k.Namespace + "/" + k.Name
}

// Compare orders keys by kind, namespace and name.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Kind, o.Kind), cmp.Compare(k.Namespace, o.Namespace), cmp.Compare(k.Name, o.Name))
}

// Change says that an object is now as Object shows it, or is gone where
// Object is nil. Objects are shared with caches: nobody may modify them. An
// object that was deleted and made again between two drains shows as one
// change; only its UID tells.
type Change struct {
	Key    Key
	Object metav1.Object
	// Absence says more where Object is nil, and Detail more about that: the
	// verbs that are lacking where it is Forbidden, separated by commas; the
	// kind of error where it is Unreadable.
	Absence Absence
	Detail  string
}

// Absence says what is known of an object that is not there.
type Absence string

const (
	// Deleted is an object that does not exist (any longer).
	Deleted Absence = ""
	// Forbidden is an object that the router may not read: whether it exists
	// and what it holds is not known.
	Forbidden Absence = "Forbidden"
	// Unreadable is an object that could not be read for another reason, and
	// has not been before. It is tried again.
	Unreadable Absence = "Unreadable"
	// Forgotten is an object that nobody looks at any longer.
	Forgotten Absence = "Forgotten"
)
