package config

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"router/pkg/model"
	"router/pkg/template"
)

// RoutesOf are the routes that a backend, or a file, belongs to. A CA file may
// be that of many.
func (d *Desired) RoutesOf(object string) []model.RouteKey {
	if b := d.State.Backends[object]; b != nil {
		return []model.RouteKey{b.Route}
	}
	if stem, ok := d.opts.Templates.StemOfFile(object); ok {
		if key, ok := d.routeByFile[stem]; ok {
			return []model.RouteKey{key}
		}
	}
	return slices.Collect(maps.Keys(d.caUsers[object]))
}

// RouteOfEntry is the route that a wanted entry leads to or, where it leads to
// none, the route of its host that has most of its path.
func (d *Desired) RouteOfEntry(e TableKey) (model.RouteKey, bool) {
	value, wanted := d.State.Tables[e.Table][e.Key]
	if !wanted {
		return model.RouteKey{}, false
	}
	backend, _ := template.SplitTarget(value)
	if b := d.State.Backends[backend]; b != nil {
		return b.Route, true
	}
	var found *model.Route
	for _, r := range d.hosts.served(d.hostOf(e)) {
		if strings.Contains(e.Key, r.Path) &&
			(found == nil || cmp.Or(cmp.Compare(len(r.Path), len(found.Path)), found.Key.Compare(r.Key)) > 0) {
			found = r
		}
	}
	if found == nil {
		return model.RouteKey{}, false
	}
	return found.Key, true
}

// hostOf is the host that an entry is about, see Templates.Host.
func (d *Desired) hostOf(e TableKey) model.HostKey {
	maps := d.opts.Layout.Maps
	host := e.Key
	if i := strings.IndexAny(host, "/?"); i >= 0 {
		host = host[:i]
	}
	switch e.Table {
	case maps.HTTPAny.String(), maps.HTTPSAny.String():
		return model.HostKey{Host: model.CatchAllHost}
	case maps.HTTPWildcard.String(), maps.HTTPSWildcard.String(), maps.SNIWildcard.String():
		return model.HostKey{Host: host, Wildcard: true}
	}
	host, wildcard := strings.CutSuffix(host, "*") // As in the table of hosts.
	return model.HostKey{Host: host, Wildcard: wildcard}
}
