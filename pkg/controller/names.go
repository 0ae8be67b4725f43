package controller

import (
	"maps"
	"slices"

	"router/pkg/source"
)

// noteNamesOf adds the names that the object with a key leads to now.
func (c *Controller) noteNamesOf(k source.Key, to map[source.Key]bool) {
	for _, name := range c.store.NamesOf(k) {
		to[name] = true
	}
}

// followNames has those names of a set resolved that a route or Ingress of
// this router leads to, and the others no longer. Nothing waits for an answer.
func (c *Controller) followNames(set map[source.Key]bool) {
	if c.names.by == nil {
		return
	}
	for _, k := range slices.SortedFunc(maps.Keys(set), source.Key.Compare) {
		c.names.want(k, slices.ContainsFunc(c.store.UsersOfName(k.Name), c.serves))
	}
}

// serves reports whether a route or Ingress is this router's. Those of other
// routers' Ingresses are none of its business.
func (c *Controller) serves(user source.Key) bool {
	if user.Kind != source.KindIngress {
		return true
	}
	i := c.store.SelectedIngress(user.Namespace, user.Name)
	return c.ingresses != nil && i != nil && c.opts.Ingress.Owns(i, c.store)
}
