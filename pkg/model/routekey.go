package model

import (
	"cmp"
	"strings"
)

// RouteKind is the kind of object that a route comes from.
type RouteKind string

// The kinds. A Route is the zero value.
const (
	KindRoute   RouteKind = ""
	KindIngress RouteKind = "Ingress"
)

// Word is the kind as messages have it in a sentence: "route" or "ingress".
func (k RouteKind) Word() string {
	if k == KindRoute {
		return "route"
	}
	return strings.ToLower(string(k))
}

// RouteKey identifies a route.
type RouteKey struct {
	// Kind, Namespace and Name are those of the object that the route comes from.
	Kind            RouteKind
	Namespace, Name string
	// Rule tells the routes of one object apart: a digest of what the rule
	// matches, in hexadecimal. It is "" for objects that are one route.
	Rule string
}

// maxRuleName is how much of an object's name there is in the name of one of
// its routes, in bytes. The name may have 253, and is part of names of files.
const maxRuleName = 120

// UniqueName is the name that the route has in its namespace wherever objects
// do not count: in HAProxy, in files, in metrics, in the log. It is the name of
// a Route, or "KIND_NAME_RULE", which no Route can have: object names have no
// underscore.
func (k RouteKey) UniqueName() string {
	if k.Kind == KindRoute {
		return k.Name
	}
	return k.Kind.Word() + "_" + k.Name[:min(len(k.Name), maxRuleName)] + "_" + k.Rule
}

// String returns the namespace and the unique name, with a slash between them.
func (k RouteKey) String() string { return k.Namespace + "/" + k.UniqueName() }

// Compare orders keys by namespace, then by unique name.
func (k RouteKey) Compare(o RouteKey) int {
	return cmp.Or(cmp.Compare(k.Namespace, o.Namespace), cmp.Compare(k.UniqueName(), o.UniqueName()))
}
