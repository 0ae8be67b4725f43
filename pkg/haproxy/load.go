package haproxy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"router/pkg/model"
	"router/pkg/template"
)

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
	if err := d.awaitCounters(ctx); err != nil {
		d.opts.Logger.Warn("the counters of rate limits may not survive the next reload", "error", err)
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
		if err := d.run(); err != nil {
			return err
		}
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
	d.unrepaired.noteLoad()
	d.applied = d.disk.state.clone()
	d.applied.Ready = newPool(d.disk.state.sections(d.features), !d.features.DynamicServers)
	if d.features.NamedSlots {
		d.applied.SlotNames = maps.Collect(d.applied.slotNames())
	}
	d.ready.Store(d.applied.Ready)
	d.pending, d.leaving, d.unwanted, d.doubt = newScope(), map[string]bool{}, map[string]bool{}, true
	// A CA that no server names is not loaded, and would be missing when the
	// first server comes. And the file cannot say which servers fail their
	// health checks.
	rest := newScope()
	named := d.applied.namedCAs()
	for path := range d.applied.CAs {
		if path != d.files.ClientCA.String() && !named[path] { // The listeners name that one.
			delete(d.applied.CAs, path)
			rest.cas[path] = true
		}
	}
	for name, b := range d.desired.Backends {
		if slices.ContainsFunc(b.Servers, func(s Server) bool { return s.Down }) {
			rest.backends[name] = true
		}
	}
	commands := diff(d.applied, d.desired, rest, d.features, d.files).Commands
	if err := d.execute(ctx, commands); err != nil {
		return err
	}
	d.doubt = false
	return nil
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
		if !errors.As(err, &refused) && !errors.Is(err, errEnded) {
			return err
		}
		var blamed map[model.RouteKey]string
		if refused != nil {
			blamed = d.blame(refused.log)
		}
		if len(blamed) == 0 {
			// Not every version says why. To ask before each load would be to
			// read everything twice, with thousands of certificates.
			if checked := d.check(ctx); errors.As(checked, &refused) {
				err, blamed = checked, d.blame(refused.log)
			}
		}
		if len(blamed) == 0 {
			return err
		}
		dirty := map[template.HostKey]bool{}
		for key, message := range blamed {
			d.quarantine(key, message, dirty)
		}
		d.rehost(dirty)
		if err := d.persist(everything(d.disk.state, d.desired)); err != nil {
			return err
		}
	}
	return err
}
