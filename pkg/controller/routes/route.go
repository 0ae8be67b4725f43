package routes

import (
	routev1 "github.com/openshift/api/route/v1"

	"router/pkg/model"
)

// KeyOf is the key of a Route.
func KeyOf(r *routev1.Route) model.RouteKey {
	return model.RouteKey{Kind: model.KindRoute, Namespace: r.Namespace, Name: r.Name}
}

// FromRoute is the candidate that a Route is. What became of a secret that it
// names is for the caller to add.
func FromRoute(r *routev1.Route) *Candidate {
	return &Candidate{
		Key: KeyOf(r), UID: r.UID, Created: r.CreationTimestamp.Time, Annotations: r.Annotations, Spec: &r.Spec,
	}
}
