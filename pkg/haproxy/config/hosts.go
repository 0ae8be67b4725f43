package config

import (
	"router/pkg/model"
	"router/pkg/template"
)

// hosts are the hosts that routes share.
type hosts struct {
	// members are the routes of each host, nil for those that reserve it and are
	// not served; texts is what they add to the lookup tables.
	members map[model.HostKey]map[model.RouteKey]*model.Route
	texts   map[model.HostKey]template.HostText
	// dirty are hosts that are to be worked out anew.
	dirty map[model.HostKey]bool
	// passthrough counts the hosts whose TLS is not terminated.
	passthrough int
	// hasCatchAll is whether there are routes for any host, see Templates.Host.
	hasCatchAll bool
}

func newHosts() hosts {
	return hosts{
		members: map[model.HostKey]map[model.RouteKey]*model.Route{}, texts: map[model.HostKey]template.HostText{},
		dirty: map[model.HostKey]bool{},
	}
}

func (h *hosts) set(host model.HostKey, key model.RouteKey, r *model.Route) {
	if h.members[host] == nil {
		h.members[host] = map[model.RouteKey]*model.Route{}
	}
	h.members[host][key], h.dirty[host] = r, true
}

func (h *hosts) remove(host model.HostKey, key model.RouteKey) {
	delete(h.members[host], key)
	h.dirty[host] = true
}

// served are the routes of a host that do not only reserve it.
func (h *hosts) served(host model.HostKey) []*model.Route {
	members := h.members[host]
	list := make([]*model.Route, 0, len(members))
	for _, r := range members {
		if r != nil {
			list = append(list, r)
		}
	}
	return list
}

// rebuild works the text of a host out anew.
func (h *hosts) rebuild(host model.HostKey, t *template.Templates) (old, now template.HostText) {
	old = h.texts[host]
	if len(h.members[host]) > 0 {
		now = t.Host(host, h.served(host), h.hasCatchAll)
		h.texts[host] = now
	} else {
		delete(h.members, host)
		delete(h.texts, host)
	}
	if old.Passthrough {
		h.passthrough--
	}
	if now.Passthrough {
		h.passthrough++
	}
	return old, now
}

// rebuildHosts works the lookup entries of the dirty hosts out anew.
func (d *Desired) rebuildHosts() {
	h := &d.hosts
	if catchAll := len(h.served(model.HostKey{Host: model.CatchAllHost})) > 0; catchAll != h.hasCatchAll {
		h.hasCatchAll = catchAll
		for host := range h.members {
			h.dirty[host] = true
		}
	}
	certs, names := map[string]bool{}, map[string]bool{}
	var changed []template.HostText
	for host := range h.dirty {
		old, now := h.rebuild(host, d.opts.Templates)
		if now.Equal(old) {
			continue // As for most changes, which are of endpoints.
		}
		changed = append(changed, now)
		for _, e := range old.Entries {
			delete(d.State.Tables[e.Map], e.Key)
		}
		for _, e := range now.Entries {
			d.State.Tables[e.Map][e.Key] = e.Value
		}
		d.touch(old.Entries)
		d.touch(now.Entries)
		for _, c := range []*template.CrtEntry{old.Crt, now.Crt} {
			if c != nil {
				names[c.Filter], certs[c.Path] = true, true
			}
		}
		// A certificate may have moved to another dirty host meanwhile.
		if c := old.Crt; c != nil && d.State.Hosts[c.Filter].Path == c.Path {
			delete(d.State.Hosts, c.Filter)
		}
		if c := now.Crt; c != nil {
			d.State.Hosts[c.Filter] = CrtLine{Path: c.Path}
		}
	}
	clear(h.dirty)
	addKeys(d.Changes.Hosts, names)
	addKeys(d.Changes.Certificates, certs)
	for path := range certs {
		delete(d.State.Certificates, path)
	}
	for _, text := range changed {
		if text.Crt != nil {
			d.State.Certificates[text.Crt.Path] = &text.Crt.Certificate
		}
	}
	d.updateNames(names)
	d.chooseBase()
}
