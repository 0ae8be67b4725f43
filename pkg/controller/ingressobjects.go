package controller

import (
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"router/pkg/controller/admission"
	"router/pkg/controller/certificates"
	"router/pkg/controller/routes"
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

// ingressObjects are Ingresses.
type ingressObjects struct {
	*Controller
	// owned are the Ingresses that were this router's when they were last looked
	// at.
	owned map[model.RouteKey]bool
}

// get returns an Ingress if it is this router's, nil otherwise.
func (o *ingressObjects) get(k model.RouteKey) *networkingv1.Ingress {
	if i := o.store.SelectedIngress(k.Namespace, k.Name); i != nil && o.opts.Ingress.Owns(i, o.store) {
		return i
	}
	return nil
}

// ingressLookup is what an Ingress refers to.
type ingressLookup struct {
	*source.Store
	*certificates.Provider
}

func (o *ingressObjects) read(k model.RouteKey) []*routes.Candidate {
	i := o.get(k)
	if i == nil {
		// One that never was this router's is left alone: another router may have
		// the same address.
		if o.owned[k] {
			delete(o.owned, k)
			o.removeStatus(k)
		}
		return nil
	}
	o.owned[k] = true
	list := routes.FromIngress(i, ingressLookup{o.store, o.certificates})
	if o.opts.IngressStatus != nil {
		o.opts.IngressStatus.Observe(i)
	}
	if len(list) == 0 {
		o.removeStatus(k)
	}
	return list
}

// statusKey names an Ingress to the writer of statuses, which knows one kind.
func statusKey(k model.RouteKey) model.RouteKey {
	return model.RouteKey{Namespace: k.Namespace, Name: k.Name}
}

func (o *ingressObjects) removeStatus(k model.RouteKey) {
	if o.opts.IngressStatus != nil {
		o.opts.IngressStatus.Remove(statusKey(k))
	}
}

// needs: what other routers' Ingresses refer to is none of this one's business.
func (o *ingressObjects) needs(k model.RouteKey, _ source.Kind) bool { return o.get(k) != nil }

func (o *ingressObjects) onlyStatus(change source.Change) bool {
	now, ok := change.Object.(*networkingv1.Ingress)
	if !ok {
		return false
	}
	old := o.store.Ingress(now.Namespace, now.Name)
	if old == nil || !status.OnlyIngressStatusChanged(old, now) {
		return false
	}
	o.store.Apply(change)
	if k, _ := o.objectOf(change.Key); o.opts.IngressStatus != nil && o.owned[k] {
		o.opts.IngressStatus.Observe(now)
	}
	return true
}

// tell shows the router's address as long as it serves one of the paths. What
// else there is to tell, an Ingress has no place for.
func (o *ingressObjects) tell(k model.RouteKey) {
	i := o.store.Ingress(k.Namespace, k.Name)
	if i == nil || !o.owned[k] {
		return
	}
	needed := map[source.Key]bool{}
	o.store.AddWatchable(source.Key{Kind: source.KindIngress, Namespace: k.Namespace, Name: k.Name}, needed)
	for k := range needed {
		if o.watched.pending[k] {
			return // It is told once the router has what it needs.
		}
	}
	admitted, waiting := false, false
	for _, path := range o.candidates.Of(k) {
		s := o.routes[path]
		waiting = waiting || s == nil || o.reporter.pending[path]
		admitted = admitted || s != nil && !o.reporter.pending[path] && o.verdict(path, s).Admitted
	}
	switch {
	case admitted && o.opts.IngressStatus != nil:
		o.opts.IngressStatus.Set(statusKey(k), i.UID)
	case !admitted && !waiting:
		o.removeStatus(k)
	}
}

// shownHost is the host of a path as its Ingress has it.
func shownHost(v admission.Verdict) string {
	if v.Wildcard {
		return "*." + v.Host
	}
	return v.FullHost
}
