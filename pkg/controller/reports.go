package controller

import (
	"context"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/tidwall/btree"

	"router/pkg/model"
	"router/pkg/template"
)

// reports are what people are shown of all routes, by namespace and name. The
// loop changes its own; readers get a copy that nothing changes any more. A
// copy shares all but what was changed since the last one.
type reports struct {
	own       btree.Map[string, *model.RouteReport]
	changed   map[model.RouteKey]bool
	published atomic.Pointer[btree.Map[string, *model.RouteReport]]
}

// statesTimeout bounds how long a reader of reports waits for HAProxy, which
// answers within milliseconds or, being stopped, not at all.
const statesTimeout = 2 * time.Second

// Routes reports all routes as they were after the last change, by namespace
// and name, with the states of their servers as HAProxy has them now: unknown
// where it does not answer. It may be called from any goroutine, and does not
// wait for the loop.
func (c *Controller) Routes(ctx context.Context) ([]model.RouteReport, error) {
	published := c.reports.published.Load()
	if published == nil {
		return nil, nil
	}
	stateOf := c.serverStates(ctx)
	list := make([]model.RouteReport, 0, published.Len())
	published.Scan(func(_ string, shared *model.RouteReport) bool {
		r := *shared
		r.Servers = make([]model.ServerReport, len(shared.Servers))
		for i, s := range shared.Servers {
			s.State = stateOf(r.Backend, s.Name)
			r.Servers[i] = s
		}
		list = append(list, r)
		return true
	})
	return list, nil
}

// serverStates asks HAProxy for the states of all servers.
func (c *Controller) serverStates(ctx context.Context) func(backend, endpoint string) string {
	unknown := func(string, string) string { return model.ServerUnknown }
	if c.opts.ServerStates == nil {
		return unknown
	}
	ctx, cancel := context.WithTimeout(ctx, statesTimeout)
	defer cancel()
	states, err := c.opts.ServerStates(ctx)
	if err != nil {
		c.opts.Logger.Debug("the states of servers are not known", "error", err)
		return unknown
	}
	return states
}

// publishReports shows readers what has changed of routes.
func (c *Controller) publishReports() {
	if len(c.reports.changed) == 0 {
		return
	}
	for k := range c.reports.changed {
		id := k.Namespace + "\x00" + k.UniqueName()
		if s := c.routes[k]; s != nil {
			c.reports.own.Set(id, c.reportOf(k, s))
		} else {
			c.reports.own.Delete(id)
		}
	}
	// A map that once held all routes would cost as much to go through for ever.
	c.reports.changed = map[model.RouteKey]bool{}
	c.reports.published.Store(c.reports.own.Copy())
}

// reportOf is what is shown of a route, without the states of its servers.
func (c *Controller) reportOf(k model.RouteKey, s *served) *model.RouteReport {
	spec, v := c.candidates.Get(k).Spec, c.verdict(k, s)
	r := &model.RouteReport{
		Namespace: k.Namespace, Name: k.UniqueName(), Match: model.Match{Host: s.verdict.FullHost, Path: spec.Path, Wildcard: s.verdict.Wildcard},
		Admitted: v.Admitted, Reason: string(v.Reason), Message: v.Message, Problems: s.shown.problems,
	}
	if k.Kind == model.KindIngress {
		r.Ingress, r.Exact, r.Host = k.Name, s.verdict.Exact, shownHost(s.verdict)
	}
	if spec.TLS != nil {
		r.Termination = model.Termination(spec.TLS.Termination)
	}
	if !v.Admitted || s.model == nil {
		return r
	}
	r.Backend = template.BackendName(s.model)
	for i := range s.model.Backend.Servers {
		server := &s.model.Backend.Servers[i]
		r.Servers = append(r.Servers, model.ServerReport{
			Name: server.ID, Address: net.JoinHostPort(server.Address, strconv.Itoa(server.Port)), Weight: server.Weight,
			Service: server.Service, Pod: server.Pod,
		})
	}
	return r
}
