package controller

import (
	"slices"

	"router/pkg/controller/admission"
	"router/pkg/controller/translate"
	"router/pkg/model"
)

// served is what the controller remembers of a route.
type served struct {
	verdict admission.Verdict
	// problems are those that there are now, shown those that people are told.
	problems []model.Problem
	shown    shown
	// model is nil where the route is not admitted.
	model *model.Route
	// reserved is zero where the route is admitted, or has no host.
	reserved model.Reservation
}

// inDataPlane reports whether the data plane knows of the route.
func (s *served) inDataPlane() bool { return s.model != nil || s.reserved != model.Reservation{} }

// reservedBy is what a route reserves that is not admitted.
func reservedBy(k model.RouteKey, v admission.Verdict) model.Reservation {
	if !v.HostReserved {
		return model.Reservation{}
	}
	return model.Reservation{Key: k, HostKey: v.HostKey()}
}

// translate works the dirty routes out anew and returns what that changes.
func (c *Controller) translate() model.Change {
	change := model.Change{Files: c.work.files}
	c.work.files = nil
	if c.work.all {
		c.work.all = false
		for k := range c.routes {
			c.work.dirty[k] = true
		}
	}
	shared := translate.NewShared()
	c.countServers(shared)
	for _, k := range sortedKeys(c.work.dirty) {
		c.translateOne(k, shared, &change)
		c.reports.changed[k] = true
	}
	return change
}

// translateOne works a route out anew and adds what that changes.
func (c *Controller) translateOne(k model.RouteKey, shared *translate.Shared, change *model.Change) {
	before := c.routes[k]
	verdict, known := c.admission.Verdict(k)
	if !known {
		delete(c.routes, k)
		c.reporter.forget(k)
		if before != nil && before.inDataPlane() {
			change.Delete = append(change.Delete, k)
		}
		return
	}
	now := &served{verdict: verdict}
	if in, admitted := c.input(k, shared); admitted {
		now.model, now.problems = c.opts.Translate.Route(in)
		now.problems = append(slices.Clone(verdict.Problems), now.problems...)
		if before == nil || !now.model.Equal(before.model) {
			change.Upsert = append(change.Upsert, now.model)
		}
	} else if now.reserved = reservedBy(k, verdict); now.reserved != (model.Reservation{}) {
		if before == nil || before.reserved != now.reserved {
			change.Reserve = append(change.Reserve, now.reserved)
		}
	} else if before != nil && before.inDataPlane() {
		change.Delete = append(change.Delete, k)
	}
	if before == nil {
		now.shown = show(now.problems, nil, c.opts.Now())
	} else {
		now.shown = show(now.problems, &before.shown, c.opts.Now())
	}
	c.routes[k] = now
	c.reporter.note(k, now)
}

// input is a route as it is to be translated; false if it is not admitted.
func (c *Controller) input(k model.RouteKey, shared *translate.Shared) (translate.Input, bool) {
	v, known := c.admission.Verdict(k)
	if !known || !v.Admitted {
		return translate.Input{}, false
	}
	return translate.Input{
		Candidate: c.candidates.Get(k), Match: v.Match, Certificate: v.Certificate, DestinationCA: v.DestinationCA,
		Lookup: c.store, Shared: shared, Namespace: c.budget.of(k),
	}, true
}
