package controller

import (
	"log/slog"
	"maps"
	"slices"
	"time"

	"router/pkg/controller/admission"
	"router/pkg/controller/translate"
	"router/pkg/model"
	"router/pkg/source"
)

// reporter knows what people have been told of routes, and what they are to be
// told when.
type reporter struct {
	log *routeLog
	// lasting are routes of which a cause has not lasted long enough to be shown,
	// aging those with a certificate whose time begins or ends.
	lasting, aging deadlines
	// pending are routes that HAProxy has after its next reload, rejected those
	// that it cannot serve, with the reason.
	pending  map[model.RouteKey]bool
	rejected map[model.RouteKey]string
	// withoutService are routes that lead to a service which is not there, by
	// namespace.
	withoutService map[string]map[model.RouteKey]bool
}

func newReporter(logger *slog.Logger, now func() time.Time) *reporter {
	return &reporter{
		log: newRouteLog(logger, now), pending: map[model.RouteKey]bool{}, rejected: map[model.RouteKey]string{},
		withoutService: map[string]map[model.RouteKey]bool{},
	}
}

// take takes in what became of a change, and adds to tell the routes of which
// there is something else to tell now.
func (r *reporter) take(o model.Outcome, tell map[model.RouteKey]bool) {
	pending := map[model.RouteKey]bool{}
	for _, k := range o.Pending {
		pending[k] = true
	}
	for k := range r.pending {
		if !pending[k] {
			tell[k] = true
		}
	}
	r.pending = pending
	for k, message := range o.Rejected {
		if r.rejected[k] != message {
			tell[k] = true
		}
	}
	for k := range r.rejected {
		if _, still := o.Rejected[k]; !still {
			tell[k] = true
		}
	}
	r.rejected = o.Rejected
}

// note remembers when there is something to tell of a route whose problems are
// known anew.
func (r *reporter) note(k model.RouteKey, s *served) {
	r.lasting.put(k, s.shown.due)
	until := s.verdict.Until
	if !until.IsZero() {
		until = until.Add(deadlineStep) // A certificate is valid to the end of its last second.
	}
	r.aging.put(k, until)
	missing := slices.ContainsFunc(s.problems, func(p model.Problem) bool { return p.Cause == model.ServiceNotFound })
	switch of := r.withoutService[k.Namespace]; {
	case !missing:
		r.forgetMissing(k)
	case of == nil:
		r.withoutService[k.Namespace] = map[model.RouteKey]bool{k: true}
	default:
		of[k] = true
	}
}

// forget drops what is remembered of a route that is gone.
func (r *reporter) forget(k model.RouteKey) {
	r.lasting.put(k, time.Time{})
	r.aging.put(k, time.Time{})
	r.log.forget(k)
	r.forgetMissing(k)
	delete(r.rejected, k)
}

func (r *reporter) forgetMissing(k model.RouteKey) {
	delete(r.withoutService[k.Namespace], k)
	if len(r.withoutService[k.Namespace]) == 0 {
		delete(r.withoutService, k.Namespace)
	}
}

// due is when there may be something to tell, zero for not before something
// changes.
func (r *reporter) due() time.Time {
	var next time.Time
	for _, at := range []time.Time{r.lasting.next, r.aging.next, r.log.due()} {
		if next.IsZero() || !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	return next
}

// RejectedByProxy is the reason of routes that HAProxy cannot serve.
const RejectedByProxy admission.Reason = "RejectedByProxy"

// verdict is admission's, unless HAProxy has rejected the route.
func (c *Controller) verdict(k model.RouteKey, s *served) admission.Verdict {
	v := s.verdict
	if message, rejected := c.reporter.rejected[k]; rejected {
		v.Admitted, v.Reason, v.Message = false, RejectedByProxy, message
	}
	return v
}

// report tells what became of the routes that were worked out anew, and of
// those that waited for the data plane.
func (c *Controller) report(o model.Outcome) {
	tell := c.work.dirty
	c.work.dirty = map[model.RouteKey]bool{}
	c.reporter.take(o, tell)
	c.tell(tell)
}

// tell says what became of routes, in the log and in the status of their
// objects.
func (c *Controller) tell(routes map[model.RouteKey]bool) {
	maps.Copy(c.reports.changed, routes)
	objects := map[model.RouteKey]bool{}
	for _, k := range sortedKeys(routes) {
		objects[object(k)] = true
		if s := c.routes[k]; s != nil && c.isFinal(k) {
			c.reporter.log.tell(k, c.verdict(k, s), s.shown.problems)
		}
	}
	for _, k := range sortedKeys(objects) {
		c.kinds[k.Kind].tell(k)
	}
}

// isFinal reports whether what is known of a route may be told: it may not
// while HAProxy, or the router, does not have yet what the route needs.
func (c *Controller) isFinal(k model.RouteKey) bool {
	if c.reporter.pending[k] {
		return false
	}
	tls := c.candidates.Get(k).Spec.TLS
	return tls == nil || tls.ExternalCertificate == nil || !c.watched.isPending(k.Namespace, tls.ExternalCertificate.Name)
}

// tellDue tells what has lasted by now.
func (c *Controller) tellDue() {
	now := c.opts.Now()
	lasted := map[model.RouteKey]bool{}
	for _, k := range c.reporter.lasting.take(now) {
		s := c.routes[k]
		s.shown = show(s.problems, &s.shown, now)
		c.reporter.lasting.put(k, s.shown.due)
		// What HAProxy does not have yet is told when it has it.
		if !c.work.dirty[k] {
			lasted[k] = true
		}
	}
	c.tell(lasted)
	c.reporter.log.flush()
}

// noteService looks anew at routes to a service that is not there when the one
// that they may mean comes or goes: what they are told must not depend on when
// a replica has looked. existed is whether there was such a service before.
func (c *Controller) noteService(change source.Change, existed bool) {
	if change.Key.Kind != source.KindService || existed == (change.Object != nil) {
		return
	}
	services := c.store.ServiceCount(change.Key.Namespace)
	for k := range c.reporter.withoutService[change.Key.Namespace] {
		if slices.ContainsFunc(c.routes[k].problems, func(p model.Problem) bool {
			return p.Cause == model.ServiceNotFound && translate.MayMean(p.Service, change.Key.Name, services)
		}) {
			c.work.dirty[k] = true
		}
	}
}

// counts are how many routes there are, how many of them are admitted and how
// many are not, and how many of those that are admitted are degraded.
func (c *Controller) counts() []any {
	admitted, degraded := 0, 0
	for k, s := range c.routes {
		if !c.verdict(k, s).Admitted {
			continue
		}
		admitted++
		if slices.ContainsFunc(s.shown.problems, func(p model.Problem) bool { return p.Cause != model.SettingIgnored }) {
			degraded++
		}
	}
	return []any{"routes", len(c.routes), "admitted", admitted, "rejected", len(c.routes) - admitted, "degraded", degraded}
}
