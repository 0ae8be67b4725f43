package haproxy

import (
	"strings"

	"router/pkg/model"
	"router/pkg/template"
)

// wantFiles takes the router's own TLS files, and the frames that name them,
// into what is wanted.
func (d *DataPlane) wantFiles() error {
	g := d.opts.Global
	for _, passthrough := range []bool{false, true} {
		frame, err := template.NewBaseConfig(g, d.files, template.Needs{Passthrough: passthrough, Slots: !d.features.DynamicServers})
		if err != nil {
			return err
		}
		if d.frames[passthrough], err = d.opts.Templates.Base(frame); err != nil {
			return err
		}
		if d.desired.Profiles, err = d.opts.Templates.Profiles(frame); err != nil {
			return err
		}
	}
	// Asked of the text: templates of the administrator's may know nothing of it.
	d.features.NamedSlots = strings.Contains(d.frames[false], d.files.Maps.Slots.String())
	d.wantFrame()
	d.wantDefaultCertificate()
	for _, f := range []struct {
		path    template.Path
		content string
		files   map[string]string
		pending map[string]bool
	}{
		{d.files.ClientCA, g.TLS.ClientTrust.CAs, d.desired.CAs, d.pending.cas},
		{d.files.DestinationCA, g.DestinationCA, d.desired.CAs, d.pending.cas},
		{d.files.ClientCRL, g.TLS.ClientTrust.CRLs, d.desired.CRLs, d.pending.crls},
	} {
		delete(f.files, f.path.String())
		if f.content != "" {
			f.files[f.path.String()] = f.content
		}
		f.pending[f.path.String()] = true
	}
	return nil
}

// wantFrame takes the frame that fits the routes into what is wanted.
func (d *DataPlane) wantFrame() {
	if frame := d.frames[d.passthrough > 0]; frame != d.desired.Frame {
		d.desired.Frame, d.pending.frame = frame, true
	}
}

// want takes a new or changed route into what is wanted.
func (d *DataPlane) want(r *model.Route, dirty map[template.HostKey]bool) error {
	text, err := d.opts.Templates.Route(r)
	if err != nil {
		return err
	}
	if err := fits(r, &text); err != nil {
		return err
	}
	if old := d.routes[r.Key]; old != nil && (template.HostKeyOf(old) != template.HostKeyOf(r) || d.backends[r.Key] != text.Backend) {
		d.drop(r.Key, dirty)
	}
	d.unhold(r.Key, dirty)
	d.routes[r.Key], d.stems[template.FileStem(r.Key)] = r, r.Key
	d.backends[r.Key] = text.Backend
	host := template.HostKeyOf(r)
	if d.hosts[host] == nil {
		d.hosts[host] = map[model.RouteKey]*model.Route{}
	}
	d.hosts[host][r.Key] = r
	dirty[host] = true

	b := &Backend{
		Route: r.Key, Profile: text.Profile, Settings: text.Settings, Shareable: text.Shareable,
		CookieKey: text.CookieKey, Options: text.SpareOptions,
	}
	for i := range text.Servers {
		b.Servers = append(b.Servers, serverOf(&text.Servers[i]))
	}
	d.markDown(text.Backend, b.Servers, r)
	if old := d.desired.Backends[text.Backend]; old != nil && !old.sameSettings(b) {
		// Requests may have to be led to another proxy, see differ.leave.
		d.touch(d.hostTexts[host].Entries)
	}
	d.desired.Backends[text.Backend] = b
	d.pending.backends[text.Backend] = true
	d.useCA(r.Key, text.CA)
	list := d.opts.Templates.ListFile(r.Key)
	delete(d.desired.Lists, list)
	if text.Allowlist != nil {
		d.desired.Lists[list] = text.Allowlist
	}
	d.pending.lists[list] = true
	return nil
}

// useCA says which CA file a route's servers are verified by, nil for none. Many
// routes may have the same.
func (d *DataPlane) useCA(key model.RouteKey, file *template.File) {
	old, now := d.cas[key], ""
	if file != nil {
		now = file.Path
	}
	if old == now {
		return
	}
	delete(d.cas, key)
	if now != "" {
		d.cas[key] = now
		d.caUsers[now]++
		d.desired.CAs[now], d.pending.cas[now] = file.Content, true
	}
	if old == "" {
		return
	}
	if d.caUsers[old]--; d.caUsers[old] == 0 {
		delete(d.caUsers, old)
		delete(d.desired.CAs, old)
		d.pending.cas[old] = true
	}
}

// hold takes a route out of what is wanted, but for its host.
func (d *DataPlane) hold(key model.RouteKey, host template.HostKey, dirty map[template.HostKey]bool) {
	d.drop(key, dirty)
	d.held[key] = host
	if d.hosts[host] == nil {
		d.hosts[host] = map[model.RouteKey]*model.Route{}
	}
	d.hosts[host][key] = nil
	dirty[host] = true
}

// unhold takes note that a route is served, or gone.
func (d *DataPlane) unhold(key model.RouteKey, dirty map[template.HostKey]bool) {
	host, held := d.held[key]
	if !held {
		return
	}
	delete(d.held, key)
	delete(d.hosts[host], key)
	dirty[host] = true
}

// drop takes a route out of what is wanted.
func (d *DataPlane) drop(key model.RouteKey, dirty map[template.HostKey]bool) {
	d.unhold(key, dirty)
	old := d.routes[key]
	if old == nil {
		return
	}
	host := template.HostKeyOf(old)
	dirty[host] = true
	delete(d.hosts[host], key)
	d.down.Delete(d.backends[key])
	delete(d.desired.Backends, d.backends[key])
	d.pending.backends[d.backends[key]], d.unwanted[d.backends[key]] = true, true
	d.useCA(key, nil)
	list := d.opts.Templates.ListFile(key)
	delete(d.desired.Lists, list)
	d.pending.lists[list] = true
	delete(d.stems, template.FileStem(key))
	delete(d.routes, key)
	delete(d.backends, key)
}

// rehost works the lookup entries of the dirty hosts out anew.
func (d *DataPlane) rehost(dirty map[template.HostKey]bool) {
	certs, names := map[string]bool{}, map[string]bool{}
	var changed []template.HostText
	if anyHost := len(served(d.hosts[template.HostKey{Host: model.CatchAllHost}])) > 0; anyHost != d.guarded {
		d.guarded = anyHost
		for host := range d.hosts {
			dirty[host] = true
		}
	}
	for host := range dirty {
		old := d.hostTexts[host]
		var now template.HostText
		if members := d.hosts[host]; len(members) > 0 {
			now = d.opts.Templates.Host(host, served(members), d.guarded)
			d.hostTexts[host] = now
		} else {
			delete(d.hosts, host)
			delete(d.hostTexts, host)
		}
		if now.Equal(old) {
			continue // As for most changes, which are of endpoints.
		}
		changed = append(changed, now)
		for _, e := range old.Entries {
			delete(d.desired.Tables[e.Map], e.Key)
		}
		for _, e := range now.Entries {
			d.desired.Tables[e.Map][e.Key] = e.Value
		}
		d.touch(old.Entries)
		d.touch(now.Entries)
		// A certificate may have moved to another dirty host meanwhile.
		if c := old.Crt; c != nil {
			if d.desired.Hosts[c.Filter].Path == c.Path {
				delete(d.desired.Hosts, c.Filter)
			}
			d.pending.hosts[c.Filter], names[c.Filter], certs[c.Path] = true, true, true
		}
		if c := now.Crt; c != nil {
			d.desired.Hosts[c.Filter] = CrtLine{Path: c.Path}
			d.pending.hosts[c.Filter], names[c.Filter], certs[c.Path] = true, true, true
		}
		d.passthrough += count(now.Passthrough) - count(old.Passthrough)
	}
	for path := range certs {
		delete(d.desired.Certificates, path)
		d.pending.certs[path] = true
	}
	for _, text := range changed {
		if text.Crt != nil {
			d.desired.Certificates[text.Crt.Path] = &text.Crt.Certificate
		}
	}
	d.wantOwn(names)
	d.wantFrame()
}

// touch notes that entries may differ from those of the running process.
func (d *DataPlane) touch(entries []template.Entry) {
	for _, e := range entries {
		d.pending.entries[tableKey{e.Map, e.Key}] = true
	}
}

// served are the routes of a host that are not only held.
func served(members map[model.RouteKey]*model.Route) []*model.Route {
	list := make([]*model.Route, 0, len(members))
	for _, r := range members {
		if r != nil {
			list = append(list, r)
		}
	}
	return list
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
