package controller

import (
	routev1 "github.com/openshift/api/route/v1"

	"router/pkg/controller/routes"
	"router/pkg/controller/status"
	"router/pkg/model"
	"router/pkg/source"
)

// StatusWriter writes what became of routes where their owners see it.
type StatusWriter interface {
	// Observe shows the latest object of a route.
	Observe(*routev1.Route)
	// Set says what its status should be.
	Set(status.Desired)
	// Remove says that the route is not this router's any longer; the object
	// is nil where it is not watched.
	Remove(model.RouteKey, *routev1.Route)
}

// routeObjects are Routes.
type routeObjects struct{ *Controller }

func (o *routeObjects) read(k model.RouteKey) []*routes.Candidate {
	r := o.store.SelectedRoute(k.Namespace, k.Name)
	if r == nil {
		o.certificates.Forget(source.Key{Kind: source.KindRoute, Namespace: k.Namespace, Name: k.Name})
		known := o.store.Route(k.Namespace, k.Name)
		// A Route that is gone and was not served here has no status to remove.
		if o.opts.Status != nil && (known != nil || o.routes[k] != nil) {
			o.opts.Status.Remove(k, known)
		}
		return nil
	}
	if o.opts.Status != nil {
		o.opts.Status.Observe(r)
	}
	c := routes.FromRoute(r)
	if tls := r.Spec.TLS; o.opts.ExternalCertificates && tls != nil && tls.ExternalCertificate != nil && tls.Termination != routev1.TLSTerminationPassthrough {
		found := o.certificates.OfRoute(r)
		c.Certificate = &found
	}
	return []*routes.Candidate{c}
}

// needs: the names of all routes' services are resolved, while secrets are read
// only where the administrator lets routes name some.
func (o *routeObjects) needs(_ model.RouteKey, kind source.Kind) bool {
	return kind != source.KindSecret || o.opts.ExternalCertificates
}

func (o *routeObjects) onlyStatus(change source.Change) bool {
	now, ok := change.Object.(*routev1.Route)
	if !ok {
		return false
	}
	old := o.store.Route(now.Namespace, now.Name)
	if old == nil || !status.OnlyStatusChanged(old, now) {
		return false
	}
	o.store.Apply(change)
	if o.opts.Status != nil && o.store.SelectedRoute(now.Namespace, now.Name) != nil {
		o.opts.Status.Observe(now)
	}
	return true
}

func (o *routeObjects) tell(k model.RouteKey) {
	r, s := o.store.SelectedRoute(k.Namespace, k.Name), o.routes[k]
	if o.opts.Status == nil || r == nil || s == nil || !o.isFinal(k) {
		return
	}
	v := o.verdict(k, s)
	o.opts.Status.Set(status.Desired{
		Key: k, UID: r.UID, Host: s.verdict.FullHost, WildcardPolicy: r.Spec.WildcardPolicy,
		Admitted: v.Admitted, Reason: string(v.Reason), Message: v.Message,
		ExtraConditions: conditions(s.shown.problems), Unsettled: s.shown.unsettledCondition(),
		OthersMayServe: s.verdict.HostReserved && r.Spec.TLS != nil && r.Spec.TLS.ExternalCertificate != nil,
	})
}
