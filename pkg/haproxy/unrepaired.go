package haproxy

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"router/pkg/model"
	"router/pkg/template"
)

// unrepaired are routes of which HAProxy does not have, or does not show, what
// it was sent. A reload helps most of them. One that it does not help would have
// the router reload at each verification for ever, and is left out instead.
type unrepaired struct {
	// loads counts how often files were loaded, failed has at which load a repair
	// of a route failed.
	loads  int
	failed map[model.RouteKey]int
	// drifted are the routes with a difference that the last verification found,
	// as long as nothing was loaded since.
	drifted map[model.RouteKey]bool
}

func newUnrepaired() unrepaired {
	return unrepaired{failed: map[model.RouteKey]int{}, drifted: map[model.RouteKey]bool{}}
}

// noteLoad takes note of a load of all files.
func (u *unrepaired) noteLoad() {
	u.loads++
	clear(u.drifted)
}

// forget takes note of a change of a route.
func (u *unrepaired) forget(k model.RouteKey) {
	delete(u.failed, k)
	delete(u.drifted, k)
}

// noteDrift takes note of what a verification found: a route without a
// difference is well again.
func (d *DataPlane) noteDrift(plan Plan) {
	d.unrepaired.drifted = d.routesOf(plan.Commands)
	for k := range d.unrepaired.failed {
		if !d.unrepaired.drifted[k] {
			delete(d.unrepaired.failed, k)
		}
	}
}

// noteFailure takes note of what still differs after a repair. Who differs for
// the second time, though the files were loaded meanwhile, is left out.
func (d *DataPlane) noteFailure(ctx context.Context) {
	if err := d.refresh(ctx); err != nil {
		return // It is HAProxy or the way to it that fails, and no route.
	}
	seen := d.applied.clone()
	seen.Ready = nil
	u := &d.unrepaired
	var again []model.RouteKey
	for k := range d.routesOf(diff(seen, d.desired, d.everything(), d.features, d.files).Commands) {
		if at, failed := u.failed[k]; !failed {
			u.failed[k] = u.loads
		} else if at < u.loads && u.drifted[k] {
			again = append(again, k)
		}
	}
	if len(again) > maxQuarantines {
		d.opts.Logger.Error("many routes differ from what haproxy was sent, whatever is done; that cannot be their own fault", "routes", len(again))
		return
	}
	slices.SortFunc(again, model.RouteKey.Compare)
	dirty := map[template.HostKey]bool{}
	for _, k := range again {
		u.forget(k)
		d.quarantine(k, "HAProxy does not show the route as it was sent, and neither a repair nor a reload helps; its log says what differs", dirty)
	}
	d.rehost(dirty)
}

// quarantine leaves a route out until it changes.
func (d *DataPlane) quarantine(k model.RouteKey, message string, dirty map[template.HostKey]bool) {
	d.opts.Logger.Error("haproxy cannot serve a route; it is left out", "namespace", k.Namespace, "name", k.UniqueName(), "message", message)
	d.quarantined[k] = message
	if r := d.routes[k]; r != nil {
		d.hold(k, template.HostKeyOf(r), dirty)
	}
}

// routesOf are the routes that commands are about.
func (d *DataPlane) routesOf(commands []Command) map[model.RouteKey]bool {
	routes := map[model.RouteKey]bool{}
	for _, c := range commands {
		if b := d.desired.Backends[c.object]; b != nil {
			routes[b.Route] = true
		} else if k, ok := d.routeOfFile(c.object); ok {
			routes[k] = true
		} else if d.caUsers[c.object] > 0 {
			for k, path := range d.cas {
				if path == c.object {
					routes[k] = true
				}
			}
		}
		for _, e := range c.entries {
			if k, ok := d.routeOfEntry(e); ok {
				routes[k] = true
			}
		}
	}
	return routes
}

// routeOfEntry is the route that a wanted entry leads to or, where it leads to
// none, the route of its host that has most of its path.
func (d *DataPlane) routeOfEntry(e tableKey) (model.RouteKey, bool) {
	value, wanted := d.desired.Tables[e.table][e.key]
	if !wanted {
		return model.RouteKey{}, false
	}
	backend, _ := template.SplitTarget(value)
	if b := d.desired.Backends[backend]; b != nil {
		return b.Route, true
	}
	for host, text := range d.hostTexts {
		if !slices.ContainsFunc(text.Entries, func(o template.Entry) bool { return o.Map == e.table && o.Key == e.key }) {
			continue
		}
		var found *model.Route
		for _, r := range served(d.hosts[host]) {
			if !strings.Contains(e.key, r.Path) {
				continue
			}
			if found == nil || cmp.Or(cmp.Compare(len(r.Path), len(found.Path)), found.Key.Compare(r.Key)) > 0 {
				found = r
			}
		}
		if found != nil {
			return found.Key, true
		}
	}
	return model.RouteKey{}, false
}
