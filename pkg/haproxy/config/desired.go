package config

import (
	"iter"
	"net/netip"
	"strings"

	"router/pkg/model"
	"router/pkg/template"
)

// Options are what a configuration is made by.
type Options struct {
	// Templates render routes and the base.
	Templates *template.Templates
	Layout    template.Layout
	Global    model.Global
	Features  Features
}

// Desired is what HAProxy is to have: the routing table, and the state that
// follows from it. A change works out anew what it touches, and nothing else.
type Desired struct {
	opts Options
	// State is what follows from the routes. Changes is what of it has changed
	// since the owner has last taken them.
	State   *State
	Changes *ChangeSet
	// Notices are for the log; the owner takes them.
	Notices []Notice

	routes      map[model.RouteKey]*member
	routeByFile map[string]model.RouteKey
	hosts       hosts
	certs       *ownCertificates
	caUsers     map[string]map[model.RouteKey]bool
	// failing are endpoints whose health checks fail.
	failing map[netip.AddrPort]bool
	// bases are the texts of the base without and with passthrough routes.
	bases map[bool]string
}

// member is what is known of a route.
type member struct {
	// route is nil for one that is not served and reserves its host.
	route *model.Route
	host  model.HostKey
	// backend is the name of its backend, ca the file that its servers are
	// verified by, "" for none.
	backend, ca string
}

// Notice is something that an administrator should know.
type Notice struct {
	Message string
	Args    []any
}

// NewDesired is without any route. The error names a setting that cannot be
// represented.
func NewDesired(o Options) (*Desired, error) {
	d := &Desired{
		opts: o, State: NewState(o.Layout.Maps.All()), Changes: NewChangeSet(),
		routes: map[model.RouteKey]*member{}, routeByFile: map[string]model.RouteKey{},
		hosts: newHosts(), certs: newOwnCertificates(), caUsers: map[string]map[model.RouteKey]bool{},
		failing: map[netip.AddrPort]bool{}, bases: map[bool]string{},
	}
	return d, d.renderBase()
}

// Features are those that the configuration is made for.
func (d *Desired) Features() Features { return d.opts.Features }

// Apply takes a change in. Routes with values that cannot be represented only
// reserve their hosts; they are returned with the reason. The error is about
// the router's own files; then nothing of the change is taken in.
func (d *Desired) Apply(change model.Change) (rejected map[model.RouteKey]string, err error) {
	if change.Files != nil {
		d.opts.Global.SetFiles(*change.Files)
		if err := d.renderBase(); err != nil {
			return nil, err
		}
	}
	for _, key := range change.Delete {
		d.remove(key)
	}
	rejected = map[model.RouteKey]string{}
	for _, r := range change.Upsert {
		if err := d.upsert(r); err != nil {
			rejected[r.Key] = err.Error()
			d.reserve(r.Key, r.HostKey())
		}
	}
	for _, r := range change.Reserve {
		d.reserve(r.Key, r.HostKey)
	}
	d.rebuildHosts()
	d.applyHealth(change.Health)
	return rejected, nil
}

// Reject has routes only reserve their hosts, until they change.
func (d *Desired) Reject(keys []model.RouteKey) {
	for _, key := range keys {
		if m := d.routes[key]; m != nil {
			d.reserve(key, m.host)
		}
	}
	d.rebuildHosts()
}

// renderBase takes the router's own TLS files, and the base that names them,
// into the state.
func (d *Desired) renderBase() error {
	g, files := d.opts.Global, d.opts.Layout
	for _, passthrough := range []bool{false, true} {
		base, err := template.NewBaseConfig(g, files, template.Needs{Passthrough: passthrough, Slots: !d.opts.Features.DynamicServers})
		if err != nil {
			return err
		}
		if d.bases[passthrough], err = d.opts.Templates.Base(base); err != nil {
			return err
		}
		if d.State.Profiles, err = d.opts.Templates.Profiles(base); err != nil {
			return err
		}
	}
	// Asked of the text: templates of the administrator's may know nothing of it.
	d.opts.Features.NamedSlots = strings.Contains(d.bases[false], files.Maps.Slots.String())
	d.chooseBase()
	d.setDefaultCertificate()
	setFile(d.State.CAs, d.Changes.CAs, files.ClientCA.String(), g.TLS.ClientTrust.CAs)
	setFile(d.State.CAs, d.Changes.CAs, files.DestinationCA.String(), g.DestinationCA)
	setFile(d.State.CRLs, d.Changes.CRLs, files.ClientCRL.String(), g.TLS.ClientTrust.CRLs)
	return nil
}

// setFile sets the content of a file; one without content is none.
func setFile(files map[string]string, changed map[string]bool, path, content string) {
	if changed[path] = true; content == "" {
		delete(files, path)
	} else {
		files[path] = content
	}
}

// chooseBase takes the base that fits the routes into the state.
func (d *Desired) chooseBase() {
	if base := d.bases[d.hosts.passthrough > 0]; base != d.State.Base {
		d.State.Base, d.Changes.Base = base, true
	}
}

// upsert takes a new or changed route in.
func (d *Desired) upsert(r *model.Route) error {
	text, err := d.opts.Templates.Route(r)
	if err != nil {
		return err
	}
	if err := fits(r, &text); err != nil {
		return err
	}
	host := r.HostKey()
	if old := d.routes[r.Key]; old != nil && (old.route == nil || old.host != host || old.backend != text.Backend) {
		d.remove(r.Key)
	}
	m := d.routes[r.Key]
	if m == nil {
		m = &member{host: host, backend: text.Backend}
		d.routes[r.Key], d.routeByFile[template.FileStem(r.Key)] = m, r.Key
	}
	m.route = r
	d.hosts.set(host, r.Key, r)

	b := &Backend{
		Route: r.Key, Profile: text.Profile, Settings: text.Settings, Shareable: text.Shareable,
		CookieKey: text.CookieKey, Options: text.SpareOptions,
	}
	for i := range text.Servers {
		b.Servers = append(b.Servers, serverOf(&text.Servers[i]))
	}
	d.markDown(b.Servers, r)
	if old := d.State.Backends[text.Backend]; old != nil && !old.SameSettings(b) {
		// Requests may have to be led to another proxy.
		d.touch(d.hosts.texts[host].Entries)
	}
	d.State.Backends[text.Backend], d.Changes.Backends[text.Backend] = b, true
	d.useCA(r.Key, m, text.CA)
	list := d.opts.Templates.ListFile(r.Key)
	delete(d.State.Lists, list)
	if text.Allowlist != nil {
		d.State.Lists[list] = text.Allowlist
	}
	d.Changes.Lists[list] = true
	return nil
}

// useCA says which CA file a route's servers are verified by, nil for none. Many
// routes may have the same.
func (d *Desired) useCA(key model.RouteKey, m *member, file *template.File) {
	old := m.ca
	if m.ca = ""; file != nil {
		m.ca = file.Path
	}
	if old == m.ca {
		return
	}
	if file != nil {
		if d.caUsers[m.ca] == nil {
			d.caUsers[m.ca] = map[model.RouteKey]bool{}
		}
		d.caUsers[m.ca][key] = true
		setFile(d.State.CAs, d.Changes.CAs, m.ca, file.Content)
	}
	if old == "" {
		return
	}
	if delete(d.caUsers[old], key); len(d.caUsers[old]) == 0 {
		delete(d.caUsers, old)
		setFile(d.State.CAs, d.Changes.CAs, old, "")
	}
}

// reserve takes a route out of the state, but for its host.
func (d *Desired) reserve(key model.RouteKey, host model.HostKey) {
	d.remove(key)
	d.routes[key] = &member{host: host}
	d.hosts.set(host, key, nil)
}

// remove takes a route, or what it reserves, out of the state.
func (d *Desired) remove(key model.RouteKey) {
	m := d.routes[key]
	if m == nil {
		return
	}
	delete(d.routes, key)
	d.hosts.remove(m.host, key)
	if m.route == nil {
		return
	}
	delete(d.State.Backends, m.backend)
	d.Changes.Backends[m.backend] = true
	d.useCA(key, m, nil)
	list := d.opts.Templates.ListFile(key)
	delete(d.State.Lists, list)
	d.Changes.Lists[list] = true
	delete(d.routeByFile, template.FileStem(key))
}

// touch notes that entries may differ from those of the running process.
func (d *Desired) touch(entries []template.Entry) {
	for _, e := range entries {
		d.Changes.Entries[TableKey{e.Map, e.Key}] = true
	}
}

// Routes are the routes that are served, with the names of their backends.
func (d *Desired) Routes() iter.Seq2[*model.Route, string] {
	return func(yield func(*model.Route, string) bool) {
		for _, m := range d.routes {
			if m.route != nil && !yield(m.route, m.backend) {
				return
			}
		}
	}
}
