package controller

import (
	"context"
	"net/netip"

	"router/pkg/health"
	"router/pkg/model"
)

// HealthChecker checks endpoints. *health.Checker is one.
type HealthChecker interface {
	// Set says which endpoints of a route are checked.
	Set(model.RouteKey, []health.Target)
	// Changed has a value when Drain has something to say.
	Changed() <-chan struct{}
	// Drain is what has changed since the last call.
	Drain() []model.Health
}

// healthChanged has a value when the health of endpoints has changed; it is nil
// where none is checked.
func (c *Controller) healthChanged() <-chan struct{} {
	if c.opts.Health == nil {
		return nil
	}
	return c.opts.Health.Changed()
}

// checkHealth has the endpoints of those routes checked that the data plane
// is about to serve.
func (c *Controller) checkHealth(change model.Change) {
	if c.opts.Health == nil {
		return
	}
	for _, k := range change.Delete {
		c.opts.Health.Set(k, nil)
	}
	for _, h := range change.Reserve {
		c.opts.Health.Set(h.Key, nil)
	}
	for _, r := range change.Upsert {
		c.opts.Health.Set(r.Key, targetsOf(r))
	}
}

// targetsOf are the endpoints of a route that are to be checked.
func targetsOf(r *model.Route) []health.Target {
	var targets []health.Target
	for i := range r.Backend.Servers {
		s := &r.Backend.Servers[i]
		address, err := netip.ParseAddr(s.Address)
		if err != nil || !s.Check || r.Backend.CheckInterval <= 0 {
			continue
		}
		targets = append(targets, health.Target{
			Address: netip.AddrPortFrom(address, uint16(s.Port)), Interval: r.Backend.CheckInterval, //nolint:gosec // a port
		})
	}
	return targets
}

// applyHealth hands what has changed of the health of endpoints to the data
// plane.
func (c *Controller) applyHealth(ctx context.Context) (model.Outcome, error) {
	changed := c.opts.Health.Drain()
	c.reporter.log.health(changed)
	return c.opts.DataPlane.Apply(ctx, model.Change{Health: changed})
}
