package controller

import (
	"slices"
	"time"

	"router/pkg/controller/translate"
	"router/pkg/model"
)

// budget divides the servers that a namespace may have among its routes. What a
// route gets follows from the objects alone, so that it is the same on every
// replica. While a namespace keeps to its bound, a change costs nothing but a
// sum; beyond that, as much as the namespace has routes.
type budget struct {
	// max is the bound, 0 for none.
	max        int
	namespaces map[string]*demand
}

// demand is what the routes of a namespace want.
type demand struct {
	routes map[model.RouteKey]wish
	sum    int
	// parts are what routes get, while they want more together than they may.
	parts map[model.RouteKey]int
}

// wish is how many servers a route leads to, and since when there is the route.
type wish struct {
	created time.Time
	servers int
}

func newBudget(limit int) *budget { return &budget{max: limit, namespaces: map[string]*demand{}} }

// want notes what a route wants; a wish for none is as good as no route.
func (b *budget) want(k model.RouteKey, w wish) {
	d := b.namespaces[k.Namespace]
	if d == nil {
		d = &demand{routes: map[model.RouteKey]wish{}}
		b.namespaces[k.Namespace] = d
	}
	d.sum += w.servers - d.routes[k].servers
	if d.routes[k] = w; w.servers == 0 {
		delete(d.routes, k)
	}
}

// divide works out anew what the routes of a namespace get, and returns those
// for whom that is something else than before.
func (b *budget) divide(namespace string) []model.RouteKey {
	d := b.namespaces[namespace]
	if len(d.routes) == 0 {
		delete(b.namespaces, namespace)
		return nil
	}
	old := d.parts
	if d.parts = nil; d.sum > b.max {
		d.parts = d.divided(b.max)
	}
	if old == nil && d.parts == nil {
		return nil
	}
	var changed []model.RouteKey
	for k, w := range d.routes {
		before, bounded := old[k]
		if !bounded {
			before = w.servers
		}
		now, bounded := d.parts[k]
		if !bounded {
			now = w.servers
		}
		if before != now {
			changed = append(changed, k)
		}
	}
	return changed
}

// divided gives each route its part, the oldest what is left over.
func (d *demand) divided(total int) map[model.RouteKey]int {
	keys := make([]model.RouteKey, 0, len(d.routes))
	for k := range d.routes {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b model.RouteKey) int {
		if c := d.routes[a].created.Compare(d.routes[b].created); c != 0 {
			return c
		}
		return a.Compare(b)
	})
	wanted := make([]int, len(keys))
	for i, k := range keys {
		wanted[i] = d.routes[k].servers
	}
	parts := make(map[model.RouteKey]int, len(keys))
	for i, n := range translate.Allot(wanted, total) {
		parts[keys[i]] = n
	}
	return parts
}

// of is what a route may have of its namespace's servers, nil while the
// namespace has no more than it may.
func (b *budget) of(k model.RouteKey) *translate.NamespaceBound {
	d := b.namespaces[k.Namespace]
	if d == nil || d.parts == nil {
		return nil
	}
	return &translate.NamespaceBound{Servers: d.parts[k], Max: b.max}
}

// countServers notes how many servers the dirty routes lead to, and adds the
// routes that get more or fewer because of that.
func (c *Controller) countServers(shared *translate.Shared) {
	if c.budget.max == 0 {
		return
	}
	namespaces := map[string]bool{}
	for k := range c.work.dirty {
		var w wish
		if in, admitted := c.input(k, shared); admitted {
			w = wish{in.Candidate.Created, c.opts.Translate.Servers(in)}
		}
		c.budget.want(k, w)
		namespaces[k.Namespace] = true
	}
	for ns := range namespaces {
		for _, k := range c.budget.divide(ns) {
			c.work.dirty[k] = true
		}
	}
}
