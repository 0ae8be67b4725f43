package haproxy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"router/pkg/haproxy/config"
	"router/pkg/haproxy/diff"
	"router/pkg/haproxy/process"
	"router/pkg/model"
)

// reload writes the files and loads them into a new worker.
func (d *DataPlane) reload(ctx context.Context, reasons []diff.Reason) error {
	if err := d.write(); err != nil {
		return err
	}
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
	err := d.load(ctx, d.master.Reload)
	d.opts.Metrics.reloaded(labels, d.opts.Now().Sub(started), err)
	if err != nil {
		return fmt.Errorf("reloading haproxy: %w", err)
	}
	if err := d.master.AwaitCounters(ctx); err != nil {
		d.opts.Logger.Warn("the counters of rate limits may not survive the next reload", "error", err)
	}
	d.opts.Logger.Info("reloaded haproxy", "reasons", labels, "objects", len(reasons), "duration", d.opts.Now().Sub(started))
	return d.afterLoad(ctx)
}

// start writes the files and starts HAProxy. What an earlier router has left
// running serves until they are written.
func (d *DataPlane) start(ctx context.Context) error {
	if err := d.master.Err(); err != nil {
		d.opts.Logger.Error("haproxy ended and is started again", "error", err)
	}
	d.worker.Load(nil)
	if err := d.write(); err != nil {
		return err
	}
	if err := d.master.Prepare(ctx); err != nil {
		return err
	}
	started := d.opts.Now()
	d.lastReload = started
	err := d.load(ctx, d.master.Start)
	d.opts.Metrics.reloaded([]string{string(diff.ReasonStart)}, d.opts.Now().Sub(started), err)
	if err != nil {
		return fmt.Errorf("starting haproxy: %w", err)
	}
	d.opts.Logger.Info("started haproxy", "pid", d.master.Worker(), "backends", len(d.desired.State.Backends), "duration", d.opts.Now().Sub(started))
	return d.afterLoad(ctx)
}

// afterLoad takes note that a new worker has read the files, and does what no
// file can say.
func (d *DataPlane) afterLoad(ctx context.Context) error {
	d.faults.noteLoad()
	d.worker.Load(d.files.image)
	d.desired.Changes = config.NewChangeSet()
	rest := d.worker.Unloaded(d.desired.State)
	commands := diff.Diff(d.worker.Applied, d.desired.State, rest, d.Features(), d.opts.Layout).Commands
	err := d.worker.Execute(ctx, commands)
	d.worker.NeedsResync = err != nil
	d.views.publishAll(d.worker.Applied, d.desired)
	return err
}

// maxQuarantines bounds how often one load is tried with fewer routes, and how
// many routes at a time can be at fault themselves.
const maxQuarantines = 10

// load has HAProxy read the files. Where it refuses lines of a route, that route
// is left out, and the rest is written and loaded.
func (d *DataPlane) load(ctx context.Context, read func(context.Context) error) error {
	var err error
	for range maxQuarantines {
		if err = read(ctx); err == nil {
			return nil
		}
		var refused *process.Refusal
		if !errors.As(err, &refused) && !errors.Is(err, process.ErrEnded) {
			return err
		}
		var atFault map[model.RouteKey]string
		if refused != nil {
			atFault = d.attribute(refused.Log)
		}
		if len(atFault) == 0 {
			// Not every version says why. To ask before each load would be to
			// read everything twice, with thousands of certificates.
			if checked := d.master.Check(ctx); errors.As(checked, &refused) {
				err, atFault = checked, d.attribute(refused.Log)
			}
		}
		if len(atFault) == 0 {
			return err
		}
		for _, key := range slices.SortedFunc(maps.Keys(atFault), model.RouteKey.Compare) {
			d.quarantine(key, atFault[key])
		}
		d.desired.Reject(slices.Collect(maps.Keys(atFault)))
		if err := d.write(); err != nil {
			return err
		}
	}
	return err
}
