package controller

import (
	"slices"

	routev1 "github.com/openshift/api/route/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"router/pkg/controller/admission"
	"router/pkg/controller/ingress"
	"router/pkg/controller/status"
	"router/pkg/model"
	"router/pkg/source"
)

// IngressStatusWriter writes where the Ingresses of this router are reached.
type IngressStatusWriter interface {
	// Observe shows the latest object of an Ingress.
	Observe(*networkingv1.Ingress)
	// Set says that the router serves an Ingress.
	Set(model.RouteKey, types.UID)
	// Remove says that it does not, or not any longer.
	Remove(model.RouteKey)
}

// touchIngress notes that an Ingress is to be looked at, or, where only the
// endpoints of services changed, the paths that lead to them.
func (c *Controller) touchIngress(k model.RouteKey, services []string, touched map[model.RouteKey]bool) {
	switch {
	case c.ingresses == nil:
	case len(services) == 0:
		touched[k] = true
	default:
		for _, path := range c.ingresses.PathsOf(k) {
			if slices.Contains(services, c.ingresses.Path(path).Route.Spec.To.Name) {
				c.dirty[path] = true
			}
		}
	}
}

// updateIngresses looks at Ingresses anew. It returns the routes that they
// have and those that they have no more.
func (c *Controller) updateIngresses(touched map[model.RouteKey]bool) (set []*routev1.Route, gone []model.RouteKey) {
	for _, k := range sortedKeys(touched) {
		i := c.store.SelectedIngress(k.Namespace, k.Name)
		owned := c.ingresses.Owns(k)
		now, before, owns := c.ingresses.Update(k, i)
		for _, r := range now {
			c.dirty[keyOf(r)] = true
		}
		set, gone = append(set, now...), append(gone, before...)
		switch {
		case c.opts.IngressStatus == nil:
		case owns:
			c.opts.IngressStatus.Observe(i)
			if len(now) == 0 {
				c.opts.IngressStatus.Remove(k)
			}
		case owned:
			// One that never was this router's is left alone: another router
			// may have the same address.
			c.opts.IngressStatus.Remove(k)
		}
	}
	return set, gone
}

// onlyIngressStatus is onlyStatus for an Ingress.
func (c *Controller) onlyIngressStatus(change source.Change, now *networkingv1.Ingress) bool {
	old := c.store.Ingress(now.Namespace, now.Name)
	if c.ingresses == nil || old == nil || !status.OnlyIngressStatusChanged(old, now) {
		return false
	}
	c.store.Apply(change)
	if k := (model.RouteKey{Namespace: now.Namespace, Name: now.Name}); c.opts.IngressStatus != nil && c.ingresses.Owns(k) {
		c.opts.IngressStatus.Observe(now)
	}
	return true
}

// ingressPath is the path of an Ingress that a route stands for, nil if it
// stands for none.
func (c *Controller) ingressPath(k model.RouteKey) *ingress.Path {
	if c.ingresses == nil {
		return nil
	}
	return c.ingresses.Path(k)
}

// reportIngresses tells the status of the Ingresses of which paths were
// touched: the router's address, as long as it serves one of them. What else
// there is to tell, an Ingress has no place for.
func (c *Controller) reportIngresses(tell, pending map[model.RouteKey]bool) {
	of := map[model.RouteKey]bool{}
	for k := range tell {
		if p := c.ingressPath(k); p != nil {
			of[model.RouteKey{Namespace: k.Namespace, Name: p.Ingress}] = true
		}
	}
	for _, k := range sortedKeys(of) {
		i := c.store.Ingress(k.Namespace, k.Name)
		if i == nil || c.awaitsSecret(i) {
			continue // It is told once the router has what it needs.
		}
		admitted, waiting := false, false
		for _, path := range c.ingresses.PathsOf(k) {
			s := c.routes[path]
			waiting = waiting || s == nil || pending[path]
			admitted = admitted || s != nil && !pending[path] && c.verdict(path, s).Admitted
		}
		switch {
		case c.opts.IngressStatus == nil:
		case admitted:
			c.opts.IngressStatus.Set(k, i.UID)
		case !waiting:
			c.opts.IngressStatus.Remove(k)
		}
	}
}

// shownHost is the host of a path as its Ingress has it.
func shownHost(v admission.Verdict) string {
	if v.Wildcard {
		return "*." + v.Host
	}
	return v.FullHost
}
