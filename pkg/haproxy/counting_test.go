package haproxy

import (
	"context"

	dto "github.com/prometheus/client_model/go"

	"router/pkg/model"
)

// Counting is a data plane that says of each outcome whether there was a reload.
type Counting struct{ *DataPlane }

// CountedOutcome is an outcome, and whether HAProxy was started or reloaded.
type CountedOutcome struct {
	model.Outcome
	Reloaded bool
}

// reloads is how often files were loaded.
func (c Counting) reloads() uint64 {
	var m dto.Metric
	if err := c.opts.Metrics.reloadSeconds.Write(&m); err != nil {
		panic(err)
	}
	return m.GetSummary().GetSampleCount()
}

func (c Counting) count(do func() (model.Outcome, error)) (CountedOutcome, error) {
	before := c.reloads()
	o, err := do()
	return CountedOutcome{o, c.reloads() > before}, err
}

// Apply is DataPlane.Apply.
func (c Counting) Apply(ctx context.Context, change model.Change) (CountedOutcome, error) {
	return c.count(func() (model.Outcome, error) { return c.DataPlane.Apply(ctx, change) })
}

// Converge is DataPlane.Converge.
func (c Counting) Converge(ctx context.Context) (CountedOutcome, error) {
	return c.count(func() (model.Outcome, error) { return c.DataPlane.Converge(ctx) })
}

// Verify is DataPlane.Verify.
func (c Counting) Verify(ctx context.Context) (CountedOutcome, error) {
	return c.count(func() (model.Outcome, error) { return c.DataPlane.Verify(ctx) })
}

// backendOf is the name of a route's backend, "" where it is not served.
func (d *DataPlane) backendOf(k model.RouteKey) string {
	for r, backend := range d.desired.Routes() {
		if r.Key == k {
			return backend
		}
	}
	return ""
}

// SparesOf are the proxies that go by another name and stand for a backend.
func (c Counting) SparesOf(backend string) (proxies []string) {
	for proxy, user := range c.worker.Applied.Spares.Users() {
		if user == backend {
			proxies = append(proxies, proxy)
		}
	}
	return proxies
}
