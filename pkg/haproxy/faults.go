package haproxy

import (
	"context"
	"slices"

	"router/pkg/haproxy/diff"
	"router/pkg/model"
)

// faults are what is wrong with routes for HAProxy.
type faults struct {
	// quarantined are routes that cannot be rendered or that HAProxy refused,
	// with the reason, until they change.
	quarantined map[model.RouteKey]string

	// The others are routes of which HAProxy does not have, or does not show, what
	// it was sent. A reload helps most of them. One that it does not help would
	// have the router reload at each verification for ever, and is left out
	// instead.

	// loads counts how often files were loaded, failed has at which load a repair
	// of a route failed.
	loads  int
	failed map[model.RouteKey]int
	// drifted are the routes with a difference that the last verification found,
	// as long as nothing was loaded since.
	drifted map[model.RouteKey]bool
}

func newFaults() faults {
	return faults{quarantined: map[model.RouteKey]string{}, failed: map[model.RouteKey]int{}, drifted: map[model.RouteKey]bool{}}
}

// forget gives the routes that change another chance.
func (f *faults) forget(change model.Change) {
	for _, k := range change.Delete {
		f.forgetRoute(k)
	}
	for _, r := range change.Upsert {
		f.forgetRoute(r.Key)
	}
	for _, r := range change.Reserve {
		f.forgetRoute(r.Key)
	}
}

func (f *faults) forgetRoute(k model.RouteKey) {
	delete(f.quarantined, k)
	delete(f.failed, k)
	delete(f.drifted, k)
}

// noteLoad takes note of a load of all files.
func (f *faults) noteLoad() {
	f.loads++
	clear(f.drifted)
}

// noteDrift takes note of what a verification found: a route without a
// difference is well again.
func (f *faults) noteDrift(drifted map[model.RouteKey]bool) {
	f.drifted = drifted
	for k := range f.failed {
		if !drifted[k] {
			delete(f.failed, k)
		}
	}
}

// noteFailure takes note of what still differs after a repair. Who differs for
// the second time, though the files were loaded meanwhile, is left out.
func (d *DataPlane) noteFailure(ctx context.Context) {
	if err := d.worker.Resync(ctx); err != nil {
		return // It is HAProxy or the way to it that fails, and no route.
	}
	f := &d.faults
	var again []model.RouteKey
	for k := range d.routesOf(d.differences().Commands) {
		if at, failed := f.failed[k]; !failed {
			f.failed[k] = f.loads
		} else if at < f.loads && f.drifted[k] {
			again = append(again, k)
		}
	}
	if len(again) > maxQuarantines {
		d.opts.Logger.Error("many routes differ from what haproxy was sent, whatever is done; that cannot be their own fault", "routes", len(again))
		return
	}
	slices.SortFunc(again, model.RouteKey.Compare)
	for _, k := range again {
		f.forgetRoute(k)
		d.quarantine(k, "HAProxy does not show the route as it was sent, and neither a repair nor a reload helps; its log says what differs")
	}
	d.desired.Reject(again)
}

// quarantine notes why a route is left out until it changes.
func (d *DataPlane) quarantine(k model.RouteKey, message string) {
	d.opts.Logger.Error("haproxy cannot serve a route; it is left out", "namespace", k.Namespace, "name", k.UniqueName(), "message", message)
	d.faults.quarantined[k] = message
}

// routesOf are the routes that commands are about.
func (d *DataPlane) routesOf(commands []diff.Command) map[model.RouteKey]bool {
	routes := map[model.RouteKey]bool{}
	for _, c := range commands {
		if c.Kind == "" {
			continue // Nothing is sent.
		}
		for _, k := range d.desired.RoutesOf(c.Object) {
			routes[k] = true
		}
		for _, e := range c.Entries {
			if k, ok := d.desired.RouteOfEntry(e); ok {
				routes[k] = true
			}
		}
	}
	return routes
}
