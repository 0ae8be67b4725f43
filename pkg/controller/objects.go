package controller

import (
	"maps"
	"slices"

	"router/pkg/controller/routes"
	"router/pkg/model"
	"router/pkg/source"
)

// objectKind is what the loop knows of a kind of object that routes come from.
// Objects are named by keys without a rule.
type objectKind interface {
	// read makes the candidates that an object is, and shows the object to the
	// writer of its status. There are none where the object is gone or is not
	// this router's.
	read(model.RouteKey) []*routes.Candidate
	// needs reports whether what an object refers to has to be known, by the kind
	// of that.
	needs(model.RouteKey, source.Kind) bool
	// onlyStatus takes in a change that is about the object's status alone, and
	// reports whether it was one. Most are the echo of the router's own writes,
	// for the writer of the status to see and for nobody else.
	onlyStatus(source.Change) bool
	// tell says in the object's status what became of its routes.
	tell(model.RouteKey)
}

// objectKinds are the kinds of objects that routes come from, by what they are
// called in keys.
func (c *Controller) objectKinds() map[model.RouteKind]objectKind {
	kinds := map[model.RouteKind]objectKind{model.KindRoute: &routeObjects{c}}
	if c.opts.Ingress != nil {
		kinds[model.KindIngress] = &ingressObjects{Controller: c, owned: map[model.RouteKey]bool{}}
	}
	return kinds
}

// objectOf is the key of an object, and what is known of its kind; nil if no
// routes come from it.
func (c *Controller) objectOf(k source.Key) (model.RouteKey, objectKind) {
	kind := model.RouteKind(k.Kind)
	if k.Kind == source.KindRoute {
		kind = model.KindRoute
	}
	return model.RouteKey{Kind: kind, Namespace: k.Namespace, Name: k.Name}, c.kinds[kind]
}

// object is the key of the object that a route comes from.
func object(k model.RouteKey) model.RouteKey {
	k.Rule = ""
	return k
}

// takeIn takes changes of objects into the store. It returns the objects whose
// candidates have to be made anew; routes that only lead elsewhere are dirty.
func (c *Controller) takeIn(changes []source.Change) map[model.RouteKey]bool {
	touched := map[model.RouteKey]bool{}
	needed := map[source.Key]bool{}
	for _, change := range changes {
		c.watched.seen(change)
		if _, kind := c.objectOf(change.Key); kind != nil && kind.onlyStatus(change) {
			continue
		}
		c.store.AddWatchable(change.Key, needed) // What it led to until now.
		old := c.store.Apply(change)
		c.store.AddWatchable(change.Key, needed)
		c.noteService(change, old != nil)
		services, onlyEndpoints := source.EndpointsOf(change, old)
		for _, key := range c.store.Affected(change, old) {
			c.store.AddWatchable(key, needed)
			k, kind := c.objectOf(key)
			switch {
			case kind == nil:
			case !onlyEndpoints:
				touched[k] = true
			default:
				for _, route := range c.candidates.Of(k) {
					if len(services) == 0 || c.candidates.Get(route).LeadsTo(services) {
						c.work.dirty[route] = true
					}
				}
			}
		}
	}
	c.watch(needed)
	return touched
}

// readObjects makes the candidates of objects anew. It returns those that there
// are, and the keys of those that are no more.
func (c *Controller) readObjects(touched map[model.RouteKey]bool) (set map[model.RouteKey]*routes.Candidate, gone []model.RouteKey) {
	set = map[model.RouteKey]*routes.Candidate{}
	for _, k := range sortedKeys(touched) {
		now := c.kinds[k.Kind].read(k)
		for _, candidate := range now {
			set[candidate.Key] = candidate
		}
		gone = append(gone, c.candidates.Put(k, now)...)
	}
	return set, gone
}

func sortedKeys[T any](set map[model.RouteKey]T) []model.RouteKey {
	return slices.SortedFunc(maps.Keys(set), model.RouteKey.Compare)
}
