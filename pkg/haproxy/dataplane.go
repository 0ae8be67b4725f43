package haproxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"router/pkg/model"
	"router/pkg/template"
)

// Options are what a DataPlane needs.
type Options struct {
	// Binary is the HAProxy to run: a path, or a name looked up on PATH.
	Binary string
	Layout template.Layout
	// Templates render routes and the frame.
	Templates *template.Templates
	Global    model.Global
	// ErrorPages are raw HTTP responses, by status code.
	ErrorPages map[int][]byte
	// ReloadInterval is the least time between the starts of two reloads.
	ReloadInterval time.Duration
	// ReloadTimeout bounds a start or reload; 0 means 2 min.
	ReloadTimeout time.Duration
	// Spares is how many backends are prepared for each kind of settings that
	// routes have, where HAProxy cannot add them while it runs; 0 means 10,
	// less than 0 none.
	Spares int
	// StopGrace is how long open connections have to end at a stop.
	StopGrace time.Duration
	Logger    *slog.Logger
	// Output takes HAProxy's standard output: the access log, where it goes there.
	Output  io.Writer
	Metrics *Metrics
	// Now tells the time.
	Now func() time.Time
	// BeforeReload, if not nil, is called while the worker still answers that
	// a reload is about to replace.
	BeforeReload func(context.Context)
	// Dial connects to HAProxy's command socket; nil for a unix socket.
	Dial func(ctx context.Context, path string) (net.Conn, error)
}

// Outcome is what became of a change.
type Outcome struct {
	// Rejected are routes that HAProxy cannot serve, with the reason: a value
	// that cannot be represented, or HAProxy's own words. They are left out.
	Rejected map[model.RouteKey]string
	// Pending are routes that are served as they were, or not yet, until the
	// next reload.
	Pending []model.RouteKey
	// Reloaded is whether there was a reload.
	Reloaded bool
	// Next is when Converge is to be called again; zero for not before the
	// next change.
	Next time.Time
}

// DataPlane is HAProxy, kept at what the routing table says. Its methods are
// for one goroutine, but for those that say otherwise.
type DataPlane struct {
	opts  Options
	files template.Layout
	disk  *disk

	// What is wanted: the routes, what each renders to, and the hosts that
	// routes share, with nil for those that hold it and are not served.
	routes map[model.RouteKey]*model.Route
	// stems are the routes by template.FileStem.
	stems     map[string]model.RouteKey
	backends  map[model.RouteKey]string
	hosts     map[template.HostKey]map[model.RouteKey]*model.Route
	hostTexts map[template.HostKey]template.HostText
	// passthrough counts the hosts whose TLS is not terminated.
	passthrough int
	// held are hosts of routes that are not served.
	held map[model.RouteKey]template.HostKey
	// guarded is whether there are routes for any host, see Templates.Host.
	guarded bool
	frames  map[bool]string
	desired *State
	// quarantined are routes that cannot be rendered or that HAProxy refused,
	// with the reason, until they change.
	quarantined map[model.RouteKey]string

	// What is: the state of the running worker, and what may differ from it.
	features Features
	applied  *State
	pending  *scope
	// doubt is whether the applied state may not be what is live, because
	// something went wrong on the way to the socket.
	doubt bool
	// lookedInto is the last certificate or CA whose content was compared.
	lookedInto string
	// leaving are backends with servers whose last connections are awaited,
	// unwanted those that no route has any more.
	leaving, unwanted map[string]bool
	// ready is what the running process has for backends that come.
	ready atomic.Pointer[pool]

	// slots has the endpoint of each slot, by "backend/server", for metrics,
	// which other goroutines make.
	slots sync.Map

	process    *process
	worker     int
	lastReload time.Time
}

// New prepares a data plane. HAProxy is asked what it can do, by a short-lived
// process of its own, but not started: the first Converge does.
func New(ctx context.Context, o Options) (*DataPlane, error) {
	o.ReloadTimeout = cmp.Or(o.ReloadTimeout, reloadTimeout)
	d := &DataPlane{
		opts: o, files: o.Layout, disk: newDisk(),
		routes: map[model.RouteKey]*model.Route{}, stems: map[string]model.RouteKey{}, backends: map[model.RouteKey]string{},
		hosts: map[template.HostKey]map[model.RouteKey]*model.Route{}, hostTexts: map[template.HostKey]template.HostText{},
		held:   map[model.RouteKey]template.HostKey{},
		frames: map[bool]string{}, quarantined: map[model.RouteKey]string{},
		desired: newState(o.Layout.Maps.All()), pending: newScope(), leaving: map[string]bool{}, unwanted: map[string]bool{},
	}
	if err := d.wantFiles(); err != nil {
		return nil, err
	}
	d.pending = newScope() // The first start writes and loads everything.
	if err := d.disk.prepare(o.Layout); err != nil {
		return nil, err
	}
	d.disk.state.Profiles = d.desired.Profiles
	features, err := probe(ctx, o.Binary, o.Layout)
	if err != nil {
		return nil, err
	}
	d.features = features
	d.features.Spares = max(0, cmp.Or(o.Spares, sparesOf))
	if err := d.writeFixed(); err != nil {
		return nil, err
	}
	if err := d.checkSettings(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

// Features are what the HAProxy that is used can do.
func (d *DataPlane) Features() Features { return d.features }

// Exited is closed when the running HAProxy has ended; call Converge then.
// It is nil while none was started.
func (d *DataPlane) Exited() <-chan struct{} { return d.process.exited() }

// Apply makes the change what is wanted, and makes it true as far as possible
// without a reload, or with one where it is due.
//
// The error is about HAProxy or its files as a whole; the change is kept and
// the next call tries again.
func (d *DataPlane) Apply(ctx context.Context, change model.Change) (Outcome, error) {
	dirty := map[template.HostKey]bool{}
	if change.Files != nil {
		d.opts.Global.SetFiles(*change.Files)
		if err := d.wantFiles(); err != nil {
			return Outcome{}, err
		}
	}
	for _, key := range change.Delete {
		delete(d.quarantined, key)
		d.drop(key, dirty)
	}
	for _, r := range change.Upsert {
		delete(d.quarantined, r.Key)
		if err := d.want(r, dirty); err != nil {
			d.hold(r.Key, template.HostKeyOf(r), dirty)
			d.quarantined[r.Key] = err.Error()
		}
	}
	for _, h := range change.Hold {
		delete(d.quarantined, h.Key)
		d.hold(h.Key, template.HostKey{Host: h.Host, Wildcard: h.Wildcard}, dirty)
	}
	d.rehost(dirty)
	return d.Converge(ctx)
}

// wantFiles takes the router's own TLS files, and the frames that name them,
// into what is wanted.
func (d *DataPlane) wantFiles() error {
	g := d.opts.Global
	for _, passthrough := range []bool{false, true} {
		frame, err := template.NewFrame(g, d.files, passthrough)
		if err != nil {
			return err
		}
		if d.frames[passthrough], err = d.opts.Templates.Frame(frame); err != nil {
			return err
		}
		if d.desired.Profiles, err = d.opts.Templates.Profiles(frame); err != nil {
			return err
		}
	}
	d.wantFrame()
	cert := template.NewCertificate(d.files.DefaultCertificate.String(), g.TLS.DefaultCertificate)
	d.desired.Certificates[cert.Path], d.pending.certs[cert.Path] = &cert, true
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
	d.desired.Backends[text.Backend] = b
	d.pending.backends[text.Backend] = true
	ca, list := d.opts.Templates.RouteFiles(r.Key)
	delete(d.desired.CAs, ca)
	delete(d.desired.Lists, list)
	if text.CA != nil {
		d.desired.CAs[ca] = text.CA.Content
	}
	if text.Allowlist != nil {
		d.desired.Lists[list] = text.Allowlist.Entries
	}
	d.pending.cas[ca], d.pending.lists[list] = true, true
	return nil
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
	delete(d.desired.Backends, d.backends[key])
	d.pending.backends[d.backends[key]], d.unwanted[d.backends[key]] = true, true
	ca, list := d.opts.Templates.RouteFiles(key)
	delete(d.desired.CAs, ca)
	delete(d.desired.Lists, list)
	d.pending.cas[ca], d.pending.lists[list] = true, true
	delete(d.stems, template.FileStem(key))
	delete(d.routes, key)
	delete(d.backends, key)
}

// rehost works the lookup entries of the dirty hosts out anew.
func (d *DataPlane) rehost(dirty map[template.HostKey]bool) {
	certs := map[string]bool{}
	if anyHost := len(served(d.hosts[template.HostKey{Host: model.AnyHost}])) > 0; anyHost != d.guarded {
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
		for _, e := range old.Entries {
			delete(d.desired.Tables[e.Map], e.Key)
			d.pending.entries[tableKey{e.Map, e.Key}] = true
		}
		for _, e := range now.Entries {
			d.desired.Tables[e.Map][e.Key] = e.Value
			d.pending.entries[tableKey{e.Map, e.Key}] = true
		}
		// A certificate may have moved to another dirty host meanwhile.
		if c := old.Crt; c != nil {
			if d.desired.Hosts[c.Filter] == c.Path {
				delete(d.desired.Hosts, c.Filter)
			}
			d.pending.hosts[c.Filter], certs[c.Path] = true, true
		}
		if c := now.Crt; c != nil {
			d.desired.Hosts[c.Filter] = c.Path
			d.pending.hosts[c.Filter], certs[c.Path] = true, true
		}
		d.passthrough += count(now.Passthrough) - count(old.Passthrough)
	}
	for path := range certs {
		delete(d.desired.Certificates, path)
		d.pending.certs[path] = true
	}
	for host := range dirty {
		if text, ok := d.hostTexts[host]; ok && text.Crt != nil {
			cert := template.NewCertificate(text.Crt.Path, *d.routes[text.Winner].Certificate)
			d.desired.Certificates[text.Crt.Path] = &cert
		}
	}
	d.wantFrame()
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

// Converge makes the running HAProxy what is wanted. It is for Apply, and for
// the moments when something else than a change asks for it: HAProxy has
// ended, or the time in Outcome.Next has come.
func (d *DataPlane) Converge(ctx context.Context) (Outcome, error) {
	var o Outcome
	if !d.process.running() {
		o.Reloaded = true
		if err := d.start(ctx); err != nil {
			return d.finish(o), err
		}
		return d.finish(o), nil
	}
	if d.doubt {
		if err := d.refresh(ctx); err != nil {
			return d.finish(o), fmt.Errorf("reading haproxy's state: %w", err)
		}
		d.pending = d.everything()
	}
	d.reap(ctx)
	if d.pending.empty() {
		return d.finish(o), nil
	}
	reasons := d.change(ctx)
	if err := d.persist(d.pending); err != nil {
		return d.finish(o), err
	}
	if len(reasons) == 0 {
		d.pending = newScope()
		return d.finish(o), nil
	}
	if wait := d.lastReload.Add(d.opts.ReloadInterval).Sub(d.opts.Now()); wait > 0 {
		o = d.finish(o)
		o.Next = earliest(o.Next, d.opts.Now().Add(wait))
		return o, nil
	}
	o.Reloaded = true
	err := d.reload(ctx, reasons)
	return d.finish(o), err
}

// finish fills in what an outcome says of the whole.
func (d *DataPlane) finish(o Outcome) Outcome {
	o.Rejected = maps.Clone(d.quarantined)
	for name := range d.pending.backends {
		if want := d.desired.Backends[name]; want != nil {
			if have := d.appliedBackend(name); have == nil || !have.sameSettings(want) {
				o.Pending = append(o.Pending, want.Route)
			}
		}
	}
	slices.SortFunc(o.Pending, model.RouteKey.Compare)
	if len(d.leaving)+len(d.unwanted) > 0 {
		o.Next = earliest(o.Next, d.opts.Now().Add(reapInterval))
	}
	return o
}

func (d *DataPlane) appliedBackend(name string) *Backend {
	if d.applied == nil {
		return nil
	}
	return d.applied.Backends[name]
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// change sends what can be changed while running and reads back what it
// changed. It returns the reasons why a reload is needed for the rest.
func (d *DataPlane) change(ctx context.Context) []Reason {
	for attempt := range 2 {
		plan := diff(d.applied, d.desired, d.pending, d.features, d.files)
		for _, name := range plan.former {
			d.unwanted[name] = true
		}
		if attempt > 0 {
			d.opts.Metrics.drift(plan.Commands)
		}
		err := d.execute(ctx, plan.Commands)
		if err == nil && len(plan.Commands) > 0 {
			err = d.readBack(ctx, d.pending)
		}
		if err == nil {
			return plan.Reasons
		}
		d.opts.Logger.Warn("changing haproxy while it runs went wrong; reading its state back", "error", err)
		if err := d.refresh(ctx); err != nil {
			d.opts.Logger.Warn("reading haproxy's state back went wrong", "error", err)
			break
		}
		d.pending = d.everything()
	}
	d.doubt = true
	return []Reason{{Label: ReasonCommandFailed}}
}

// everything is the scope of all that is live, wanted, or in the files: what
// is wanted no more and gone already may still stand there.
func (d *DataPlane) everything() *scope { return everything(d.applied, d.desired, d.disk.state) }

// reload loads the files into a new worker. Routes whose lines HAProxy
// refuses are quarantined, and the rest is loaded.
func (d *DataPlane) reload(ctx context.Context, reasons []Reason) error {
	started := d.opts.Now()
	d.lastReload = started
	labels := make([]string, 0, len(reasons))
	for _, r := range reasons {
		if !slices.Contains(labels, string(r.Label)) {
			labels = append(labels, string(r.Label))
		}
	}
	if d.opts.BeforeReload != nil {
		d.opts.BeforeReload(ctx)
	}
	err := d.withQuarantine(ctx, func() error { return d.masterReload(ctx) })
	d.opts.Metrics.reloaded(labels, d.opts.Now().Sub(started), err)
	if err != nil {
		return fmt.Errorf("reloading haproxy: %w", err)
	}
	d.opts.Logger.Info("reloaded haproxy", "reasons", labels, "objects", len(reasons), "duration", d.opts.Now().Sub(started))
	return d.loaded(ctx)
}

// start writes all files and starts HAProxy.
func (d *DataPlane) start(ctx context.Context) error {
	if d.process != nil {
		d.opts.Logger.Error("haproxy ended and is started again", "error", d.process.err())
	}
	d.applied, d.leaving, d.unwanted = nil, map[string]bool{}, map[string]bool{}
	if err := d.persist(everything(d.disk.state, d.desired)); err != nil {
		return err
	}
	if err := endLeftover(ctx, d.files.MasterSocket.String(), d.opts.Logger); err != nil {
		return err
	}
	started := d.opts.Now()
	d.lastReload = started
	err := d.withQuarantine(ctx, func() error {
		if err := d.check(ctx); err != nil {
			return err
		}
		p, err := startProcess(d.opts.Binary, d.files.Config.String(), d.files.MasterSocket.String(), d.opts.Output, d.opts.Logger)
		if err != nil {
			return err
		}
		d.process = p
		ctx, cancel := context.WithTimeout(ctx, d.opts.ReloadTimeout)
		defer cancel()
		return d.awaitWorker(ctx, 0, 0)
	})
	d.opts.Metrics.reloaded([]string{string(ReasonStart)}, d.opts.Now().Sub(started), err)
	if err != nil {
		if d.process.running() {
			_ = d.process.stop(ctx, 0)
		}
		return fmt.Errorf("starting haproxy: %w", err)
	}
	d.opts.Logger.Info("started haproxy", "pid", d.worker, "backends", len(d.desired.Backends), "duration", d.opts.Now().Sub(started))
	return d.loaded(ctx)
}

// loaded takes note that a new worker has read the files, and does what no
// file can say.
func (d *DataPlane) loaded(ctx context.Context) error {
	d.applied = d.disk.state.clone()
	d.applied.Ready = newPool(d.disk.state.sections(d.features))
	d.ready.Store(d.applied.Ready)
	d.pending, d.leaving, d.unwanted, d.doubt = newScope(), map[string]bool{}, map[string]bool{}, true
	// A CA that no server names is not loaded, and would be missing when the
	// first server comes.
	unloaded := newScope()
	for path := range d.applied.CAs {
		if path == d.files.ClientCA.String() {
			continue // The listeners name it.
		}
		if key, ok := d.routeOfFile(path); !ok || len(d.applied.Backends[d.backends[key]].Servers) == 0 {
			delete(d.applied.CAs, path)
			unloaded.cas[path] = true
		}
	}
	commands := diff(d.applied, d.desired, unloaded, d.features, d.files).Commands
	// Servers can be checked, but some are not. Those may have been checked
	// once since the start, and taken for dead.
	for _, name := range slices.Sorted(maps.Keys(d.applied.Backends)) {
		for i := range d.applied.Backends[name].Servers {
			s := &d.applied.Backends[name].Servers[i]
			if !s.checkable() || s.Check {
				continue
			}
			id := name + "/" + s.Name
			commands = append(commands, Command{Kind: "disable health", Text: "disable health " + id})
			if s.Ready {
				commands = append(commands, Command{Kind: "set server health", Text: "set server " + id + " health up"})
			}
		}
	}
	if err := d.execute(ctx, commands); err != nil {
		return err
	}
	d.doubt = false
	return nil
}

// Verify reads the running state back, all of it, and repairs what differs
// from what is wanted.
func (d *DataPlane) Verify(ctx context.Context) (Outcome, error) {
	if d.process.running() && d.pending.empty() {
		if err := d.refresh(ctx); err != nil {
			return d.finish(Outcome{}), err
		}
		all := d.everything()
		// Only to see whether anything differs, and so without taking anything.
		seen := d.applied.clone()
		seen.Ready = nil
		if plan := diff(seen, d.desired, all, d.features, d.files); len(plan.Commands)+len(plan.Reasons) > 0 {
			d.opts.Metrics.drift(plan.Commands)
			d.opts.Logger.Warn("haproxy differs from what is wanted and is repaired", "commands", len(plan.Commands), "reasons", len(plan.Reasons))
			d.pending = all
		}
	}
	return d.Converge(ctx)
}

// Stop ends HAProxy after its connections, at the latest after StopGrace.
func (d *DataPlane) Stop(ctx context.Context) error {
	if d.process == nil {
		return nil
	}
	return d.process.stop(ctx, d.opts.StopGrace)
}

// maxQuarantines bounds how often one load is tried with fewer routes.
const maxQuarantines = 10

// withQuarantine loads the files; where HAProxy refuses lines of a route, that
// route is left out and the rest is loaded.
func (d *DataPlane) withQuarantine(ctx context.Context, load func() error) error {
	var err error
	for range maxQuarantines {
		if err = load(); err == nil {
			return nil
		}
		var refused *refusal
		if !errors.As(err, &refused) {
			return err
		}
		blamed := d.blame(refused.log)
		if len(blamed) == 0 {
			if checked := d.check(ctx); errors.As(checked, &refused) {
				err, blamed = checked, d.blame(refused.log)
			}
		}
		if len(blamed) == 0 {
			return err
		}
		dirty := map[template.HostKey]bool{}
		for key, message := range blamed {
			d.opts.Logger.Error("haproxy refuses a route; it is left out", "namespace", key.Namespace, "name", key.Name, "message", message)
			d.quarantined[key] = message
			if r := d.routes[key]; r != nil {
				d.hold(key, template.HostKeyOf(r), dirty)
			}
		}
		d.rehost(dirty)
		if err := d.persist(everything(d.disk.state, d.desired)); err != nil {
			return err
		}
	}
	return err
}
