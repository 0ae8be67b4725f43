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
	"net/netip"
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
	// cas are the destination CA files of routes, caUsers how many have each.
	cas     map[model.RouteKey]string
	caUsers map[string]int
	// failing are endpoints whose health checks fail.
	failing map[netip.AddrPort]bool
	// own are the names that routes have certificates for, defaultNames those
	// in the default certificate's line of names, "" without one.
	own          *ownCertificates
	defaultNames string
	// guarded is whether there are routes for any host, see Templates.Host.
	guarded bool
	frames  map[bool]string
	desired *State
	// quarantined are routes that cannot be rendered or that HAProxy refused,
	// with the reason, until they change.
	quarantined map[model.RouteKey]string

	unrepaired unrepaired

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
	// down has the endpoints that are taken out because their checks fail, as a
	// set by backend that is replaced and never changed, for metrics as well.
	down sync.Map

	process *process
	// live is the process for Kill, which other goroutines call, and killed
	// whether it was called.
	live       atomic.Pointer[process]
	killed     atomic.Bool
	worker     int
	lastReload time.Time
}

// New prepares a data plane. HAProxy is asked what it can do, by a short-lived
// process of its own, but not started: the first Converge does.
func New(ctx context.Context, o Options) (*DataPlane, error) {
	o.ReloadTimeout = cmp.Or(o.ReloadTimeout, reloadTimeout)
	o.fitConnections()
	d := &DataPlane{
		opts: o, files: o.Layout, disk: newDisk(),
		routes: map[model.RouteKey]*model.Route{}, stems: map[string]model.RouteKey{}, backends: map[model.RouteKey]string{},
		hosts: map[template.HostKey]map[model.RouteKey]*model.Route{}, hostTexts: map[template.HostKey]template.HostText{},
		held: map[model.RouteKey]template.HostKey{}, cas: map[model.RouteKey]string{}, caUsers: map[string]int{}, failing: map[netip.AddrPort]bool{},
		own:    newOwnCertificates(),
		frames: map[bool]string{}, quarantined: map[model.RouteKey]string{}, unrepaired: newUnrepaired(),
		desired: newState(o.Layout.Maps.All()), pending: newScope(), leaving: map[string]bool{}, unwanted: map[string]bool{},
	}
	if err := d.disk.prepare(o.Layout); err != nil {
		return nil, err
	}
	features, err := probe(ctx, o.Binary, o.Layout)
	if err != nil {
		return nil, err
	}
	d.features = features
	d.features.Spares = max(0, cmp.Or(o.Spares, sparesOf))
	if err := d.wantFiles(); err != nil {
		return nil, err
	}
	d.pending = newScope() // The first start writes and loads everything.
	d.disk.state.Profiles = d.desired.Profiles
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
func (d *DataPlane) Apply(ctx context.Context, change model.Change) (model.Outcome, error) {
	dirty := map[template.HostKey]bool{}
	if change.Files != nil {
		d.opts.Global.SetFiles(*change.Files)
		if err := d.wantFiles(); err != nil {
			return model.Outcome{}, err
		}
	}
	for _, key := range change.Delete {
		d.forgetFaults(key)
		d.drop(key, dirty)
	}
	for _, r := range change.Upsert {
		d.forgetFaults(r.Key)
		if err := d.want(r, dirty); err != nil {
			d.hold(r.Key, template.HostKeyOf(r), dirty)
			d.quarantined[r.Key] = err.Error()
		}
	}
	for _, h := range change.Reserve {
		d.forgetFaults(h.Key)
		d.hold(h.Key, h.HostKey, dirty)
	}
	d.rehost(dirty)
	d.noteHealth(change.Health)
	return d.Converge(ctx)
}

// Converge makes the running HAProxy what is wanted. It is for Apply, and for
// the moments when something else than a change asks for it: HAProxy has
// ended, or the time in Outcome.Next has come.
func (d *DataPlane) Converge(ctx context.Context) (model.Outcome, error) {
	var o model.Outcome
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

// forgetFaults gives a route that changes another chance.
func (d *DataPlane) forgetFaults(k model.RouteKey) {
	delete(d.quarantined, k)
	d.unrepaired.forget(k)
}

// finish fills in what an outcome says of the whole.
func (d *DataPlane) finish(o model.Outcome) model.Outcome {
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
		addKeys(d.pending.slots, plan.slotNames)
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
	d.noteFailure(ctx)
	d.doubt = true
	return []Reason{{Label: ReasonCommandFailed}}
}

// everything is the scope of all that is live, wanted, or in the files: what
// is wanted no more and gone already may still stand there.
func (d *DataPlane) everything() *scope { return everything(d.applied, d.desired, d.disk.state) }

// Verify reads the running state back, all of it, and repairs what differs
// from what is wanted.
func (d *DataPlane) Verify(ctx context.Context) (model.Outcome, error) {
	if d.process.running() && d.pending.empty() {
		if err := d.refresh(ctx); err != nil {
			return d.finish(model.Outcome{}), err
		}
		all := d.everything()
		// Only to see whether anything differs, and so without taking anything.
		seen := d.applied.clone()
		seen.Ready = nil
		plan := diff(seen, d.desired, all, d.features, d.files)
		d.noteDrift(plan)
		if len(plan.Commands)+len(plan.Reasons) > 0 {
			d.opts.Metrics.drift(plan.Commands)
			d.opts.Logger.Warn("haproxy differs from what is wanted and is repaired", "commands", len(plan.Commands), "reasons", len(plan.Reasons))
			d.pending = all
		}
	}
	return d.Converge(ctx)
}

// Kill ends HAProxy at once, with the connections it has, and keeps it from
// being started again. It may be called from any goroutine.
func (d *DataPlane) Kill() {
	d.killed.Store(true)
	if p := d.live.Load(); p.running() {
		_ = p.kill() // It is gone.
	}
}

// errKilled is the error of a start after Kill.
var errKilled = errors.New("haproxy was ended for good")

// run starts the process, unless Kill was called.
func (d *DataPlane) run() error {
	if d.killed.Load() {
		return errKilled
	}
	p, err := startProcess(d.opts.Binary, d.files.Config.String(), d.files.MasterSocket.String(), d.opts.Output, d.opts.Logger)
	if err != nil {
		return err
	}
	d.process = p
	d.live.Store(p)
	if d.killed.Load() { // Kill may have come before there was a process to end.
		return errors.Join(errKilled, p.kill())
	}
	return nil
}

// Stop ends HAProxy after its connections, at the latest after StopGrace.
func (d *DataPlane) Stop(ctx context.Context) error {
	if d.process == nil {
		return nil
	}
	if end, err := refuseCounters(d.files.PeersSocket.String()); err == nil {
		defer end()
	} else {
		d.opts.Logger.Warn("haproxy may end some seconds late", "error", err)
	}
	return d.process.stop(ctx, d.opts.StopGrace)
}
