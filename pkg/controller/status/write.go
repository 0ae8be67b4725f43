package status

import (
	"context"
	"errors"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"router/pkg/model"
)

const (
	// firstRetry and lastRetry bound the time between attempts after errors.
	firstRetry = 500 * time.Millisecond
	lastRetry  = time.Minute
)

// write makes one attempt at a record that was taken from the queue.
func (w *Writer) write(ctx context.Context, r *record) {
	w.mu.Lock()
	o, base := r.opinion, r.latest
	if base != nil && r.stale {
		base = nil
	}
	proceed := o != nil && (!r.overwritten || w.mayStrike(r, w.o.Now()))
	w.mu.Unlock()
	var updated *routev1.Route
	var err error
	wrote := false
	if proceed {
		updated, wrote, err = w.attempt(ctx, o, r.key, base)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.release(r)
	if !proceed || w.records[r.key] != r {
		return
	}
	if ctx.Err() == nil {
		w.finish(r, o, updated, wrote, err)
	}
}

var errOtherObject = errors.New("another object has the name of the route")

// attempt brings a route's status to the opinion, based on an object, or on
// the one that the API server has where base is nil. It returns the newest
// object known, and whether it was necessary to write.
func (w *Writer) attempt(ctx context.Context, o *opinion, k model.RouteKey, base *routev1.Route) (_ *routev1.Route, wrote bool, _ error) {
	if base == nil {
		reading, cancel := context.WithTimeout(ctx, w.o.Timeout)
		defer cancel()
		var err error
		if base, err = w.o.Client.Get(reading, k); err != nil {
			return nil, false, err
		}
	}
	if !o.concerns(base) {
		return base, false, errOtherObject
	}
	if o.holds(w.id, base) {
		return base, false, nil
	}
	changed := *base
	if o.remove {
		changed.Status.Ingress = w.id.without(base)
	} else {
		changed.Status.Ingress = w.id.with(base, &o.desired, w.o.Now())
	}
	writing, cancel := context.WithTimeout(ctx, w.o.Timeout)
	defer cancel()
	updated, err := w.o.Client.UpdateStatus(writing, &changed)
	return updated, true, err
}

// finish takes in the outcome of an attempt.
func (w *Writer) finish(r *record, o *opinion, updated *routev1.Route, wrote bool, err error) {
	if updated != nil && (r.latest == nil || r.latest.UID != updated.UID || newer(updated, r.latest) || r.stale) {
		r.latest, r.stale = updated, false
	}
	outdated := r.opinion != o
	switch {
	case errors.Is(err, errOtherObject), apierrors.IsNotFound(err):
		// A deletion that the informer has not told yet, or a removal of what
		// is gone; the opinion about another object waits for that object.
		if !outdated && (o.remove || updated == nil) {
			w.drop(r)
		}
		return
	case err != nil:
		w.failed(r, err)
		return
	}
	if wrote {
		count(w.o.Metrics.Writes)
		w.role = first
	} else if r.conflicted {
		w.doneByAnother(r)
	}
	r.failures, r.conflicted = 0, false
	switch {
	case !r.opinion.concerns(r.latest):
	case !r.opinion.holds(w.id, r.latest):
		if !outdated {
			// The entry was changed by somebody else since the attempt.
			r.overwritten = w.disputed(r)
			w.schedule(r, w.o.Now().Add(w.behind(r)))
		} else if !r.waiting {
			w.schedule(r, w.o.Now().Add(w.turn(r)))
		}
	case r.opinion.remove:
		w.drop(r)
	default:
		r.satisfied, r.overwritten = true, false
		w.unschedule(r)
	}
}

// failed schedules another attempt.
func (w *Writer) failed(r *record, err error) {
	kind := class(err)
	count(w.o.Metrics.Failures(kind))
	now := w.o.Now()
	r.stale = true
	if kind == "conflict" {
		// Either another replica was first, which reading again will show, or
		// the route was edited meanwhile.
		r.conflicted = true
		w.schedule(r, now.Add(w.o.Turn/20+w.share(r, w.o.Turn/5)))
		return
	}
	r.failures++
	wait := firstRetry << min(r.failures-1, 10)
	if wait > lastRetry {
		wait = lastRetry
	}
	wait += w.share(r, wait/2)
	if seconds, asked := apierrors.SuggestsClientDelay(err); asked {
		wait = max(wait, time.Duration(seconds)*time.Second)
	}
	if kind != "invalid" {
		// Whose requests fail leaves the first attempt to others.
		w.role = later
	}
	w.schedule(r, now.Add(wait))
	if now.Sub(w.told[kind]) >= time.Minute {
		w.told[kind] = now
		w.o.Logger.Warn("Cannot write the status of a route; trying again", "namespace", r.key.Namespace, "name", r.key.Name, "error", err, "kind", kind, "attempt", r.failures)
	}
}
