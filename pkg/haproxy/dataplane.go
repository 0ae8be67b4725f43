package haproxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"router/pkg/haproxy/config"
	"router/pkg/haproxy/diff"
	"router/pkg/haproxy/live"
	"router/pkg/haproxy/process"
	"router/pkg/haproxy/runtime"
	"router/pkg/model"
	"router/pkg/template"
)

// Options are what a DataPlane needs.
type Options struct {
	// Binary is the HAProxy to run: a path, or a name looked up on PATH.
	Binary string
	Layout template.Layout
	// Templates render routes and the base.
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
	Dial runtime.Dialer
}

// DataPlane is HAProxy, kept at what the routing table says. Its methods are
// for one goroutine, but for those that say otherwise.
type DataPlane struct {
	opts Options
	// desired is what HAProxy is to have, and what of it has not been sent yet.
	desired *config.Desired
	// worker is what the running HAProxy has, files what a next one will read.
	worker *live.Worker
	files  *files
	master *process.Master
	faults faults
	// views are for other goroutines.
	views      views
	lastReload time.Time
}

// New returns a data plane that has done nothing. Prepare comes next.
func New(o Options) *DataPlane {
	l := o.Layout
	return &DataPlane{
		opts: o, faults: newFaults(),
		master: process.New(process.Options{
			Binary: o.Binary, Config: l.Config.String(), MasterSocket: l.MasterSocket.String(), RuntimeSocket: l.RuntimeSocket.String(),
			PeersSocket: l.PeersSocket.String(), LocalPeer: template.LocalPeer, Timeout: o.ReloadTimeout, Output: o.Output, Logger: o.Logger,
		}),
	}
}

// Prepare makes the directories, asks HAProxy what it can do, by a short-lived
// process of its own, and has it read the settings of the router. The first
// Converge starts it. An error about settings is a *SettingsError.
func (d *DataPlane) Prepare(ctx context.Context) error {
	o := &d.opts
	if err := makeDirectories(o.Layout); err != nil {
		return err
	}
	can, err := process.Probe(ctx, o.Binary, filepath.Dir(o.Layout.RuntimeSocket.String()))
	if err != nil {
		return err
	}
	wanted := o.Global.MaxConnections
	o.Global.MaxConnections = process.FitConnections(wanted, o.Global.Threads, o.Logger)
	o.Metrics.connections(wanted, o.Global.MaxConnections)
	d.desired, err = config.NewDesired(config.Options{
		Templates: o.Templates, Layout: o.Layout, Global: o.Global,
		Features: config.Features{
			DynamicServers: can.DynamicServers, AddBackend: can.AddBackend, Spares: max(0, cmp.Or(o.Spares, config.DefaultSpares)),
		},
	})
	if err != nil {
		return err
	}
	d.worker = live.NewWorker(live.Options{Layout: o.Layout, Features: d.Features(), Dial: o.Dial, Sent: o.Metrics.command})
	d.files = newFiles(o.Layout, d.Features(), o.ErrorPages)
	if err := d.files.noteLeftovers(); err != nil {
		return err
	}
	return d.checkSettings(ctx)
}

// Features are what the HAProxy that is used can do.
func (d *DataPlane) Features() config.Features { return d.desired.Features() }

// Exited is closed when the running HAProxy has ended; call Converge then.
// It is nil while none was started.
func (d *DataPlane) Exited() <-chan struct{} { return d.master.Exited() }

// Apply makes the change what is wanted, and makes it true as far as possible
// without a reload, or with one where it is due.
//
// The error is about HAProxy or its files as a whole; the change is kept and
// the next call tries again.
func (d *DataPlane) Apply(ctx context.Context, change model.Change) (model.Outcome, error) {
	rejected, err := d.desired.Apply(change)
	if err != nil {
		return model.Outcome{}, err
	}
	d.faults.forget(change)
	maps.Copy(d.faults.quarantined, rejected)
	return d.Converge(ctx)
}

// Converge makes the running HAProxy what is wanted. It is for Apply, and for
// the moments when something else than a change asks for it: HAProxy has
// ended, or the time in Outcome.Next has come.
func (d *DataPlane) Converge(ctx context.Context) (model.Outcome, error) {
	for _, n := range d.desired.Notices {
		d.opts.Logger.Warn(n.Message, n.Args...) //nolint:sloglint // a constant where the notice is made
	}
	d.desired.Notices = nil
	next, err := d.converge(ctx)
	if err == nil {
		err = d.writeStale()
	}
	return d.outcome(next), err
}

// converge returns when to come again, zero for not before something changes.
func (d *DataPlane) converge(ctx context.Context) (next time.Time, err error) {
	if !d.master.Running() {
		return next, d.start(ctx)
	}
	if d.worker.NeedsResync {
		if err := d.worker.Resync(ctx); err != nil {
			return next, fmt.Errorf("reading haproxy's state: %w", err)
		}
		d.desired.Changes = d.everything()
	}
	for name := range d.desired.Changes.Backends {
		if d.desired.State.Backends[name] == nil {
			d.worker.Orphan(name)
		}
	}
	if d.worker.CollectDrained(ctx, d.desired.State, d.desired.Changes) {
		d.views.publishUsers(d.worker.Applied)
	}
	if d.desired.Changes.IsEmpty() {
		return next, nil
	}
	changed := maps.Clone(d.desired.Changes.Backends)
	reasons := d.change(ctx)
	d.views.publish(d.worker.Applied, d.desired, maps.Keys(changed))
	d.files.changed(d.opts.Now())
	if len(reasons) == 0 {
		d.desired.Changes = config.NewChangeSet()
		return next, nil
	}
	if due := d.lastReload.Add(d.opts.ReloadInterval); due.After(d.opts.Now()) {
		return due, nil
	}
	return next, d.reload(ctx, reasons)
}

// outcome says what is so now.
func (d *DataPlane) outcome(next time.Time) model.Outcome {
	o := model.Outcome{Rejected: maps.Clone(d.faults.quarantined), Next: next}
	for name := range d.desired.Changes.Backends {
		want := d.desired.State.Backends[name]
		if want == nil {
			continue
		}
		if have := d.appliedBackend(name); have == nil || !have.SameSettings(want) {
			o.Pending = append(o.Pending, want.Route)
		}
	}
	slices.SortFunc(o.Pending, model.RouteKey.Compare)
	if d.worker.IsDraining() {
		o.Next = earliest(o.Next, d.opts.Now().Add(collectInterval))
	}
	o.Next = earliest(o.Next, d.files.due())
	return o
}

// collectInterval is the time between looks at servers whose last connections
// are awaited.
const collectInterval = 500 * time.Millisecond

func (d *DataPlane) appliedBackend(name string) *config.Backend {
	if d.worker.Applied == nil {
		return nil
	}
	return d.worker.Applied.Backends[name]
}

// earliest is the earlier of two times, of which zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// change sends what can be changed while running and reads back what it
// changed. It returns the reasons why a reload is needed for the rest.
func (d *DataPlane) change(ctx context.Context) []diff.Reason {
	for attempt := range 2 {
		changes := d.desired.Changes
		plan := diff.Diff(d.worker.Applied, d.desired.State, changes, d.Features(), d.opts.Layout)
		if attempt > 0 {
			d.opts.Metrics.drift(plan)
		}
		err := d.worker.Execute(ctx, plan.Commands)
		if err == nil && len(plan.Commands) > 0 {
			err = d.worker.ReadBack(ctx, changes, plan.SlotNames)
		}
		if err == nil {
			return plan.Reasons
		}
		d.opts.Logger.Warn("changing haproxy while it runs went wrong; reading its state back", "error", err)
		if err := d.worker.Resync(ctx); err != nil {
			d.opts.Logger.Warn("reading haproxy's state back went wrong", "error", err)
			break
		}
		d.desired.Changes = d.everything()
	}
	d.noteFailure(ctx)
	d.worker.NeedsResync = true
	return []diff.Reason{{Label: diff.ReasonCommandFailed}}
}

// everything is all that is live or wanted.
func (d *DataPlane) everything() *config.ChangeSet {
	return config.FullChangeSet(d.worker.Applied, d.desired.State)
}

// Verify reads the running state back, all of it, and repairs what differs
// from what is wanted. A worker that somebody else has started is replaced: it
// has read files that lagged behind, and does not show all of what it has, such
// as the keys of cookies.
func (d *DataPlane) Verify(ctx context.Context) (model.Outcome, error) {
	if d.master.Running() && d.desired.Changes.IsEmpty() {
		replaced, err := d.master.IsReplaced(ctx)
		if err == nil && replaced {
			d.opts.Logger.Warn("somebody else has reloaded haproxy; it is reloaded again with what is wanted")
			err = d.reload(ctx, []diff.Reason{{Label: diff.ReasonReplaced}})
		}
		if err == nil {
			err = d.worker.Resync(ctx)
		}
		if err != nil {
			return d.outcome(time.Time{}), err
		}
		plan := d.differences()
		d.faults.noteDrift(d.routesOf(plan.Commands))
		if n := plan.Sent() + len(plan.Reasons); n > 0 {
			d.opts.Metrics.drift(plan)
			d.opts.Logger.Warn("haproxy differs from what is wanted and is repaired", "commands", plan.Sent(), "reasons", len(plan.Reasons))
			d.desired.Changes = d.everything()
		}
	}
	return d.Converge(ctx)
}

// differences is a plan for all that differs, made as if nothing were ready for
// backends that come.
func (d *DataPlane) differences() diff.Plan {
	seen := *d.worker.Applied
	seen.Spares = nil
	return diff.Diff(&seen, d.desired.State, d.everything(), d.Features(), d.opts.Layout)
}

// Kill ends HAProxy at once, with the connections it has, and keeps it from
// being started again. It may be called from any goroutine.
func (d *DataPlane) Kill() { d.master.Kill() }

// Stop ends HAProxy after its connections, at the latest after StopGrace. The
// files then say what was wanted last.
func (d *DataPlane) Stop(ctx context.Context) error {
	if d.master.Exited() == nil {
		return nil // It was never started.
	}
	err := d.write()
	return errors.Join(err, d.master.Stop(ctx, d.opts.StopGrace))
}
