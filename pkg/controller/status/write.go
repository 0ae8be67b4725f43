package status

import (
	"context"
	"errors"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	"k8s.io/apimachinery/pkg/api/equality"
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
	o, seen := r.opinion, r.latest
	proceed := o != nil && (!r.overwritten || w.mayStrike(r, w.o.Now()))
	w.mu.Unlock()
	var updated *routev1.Route
	var err error
	wrote := false
	if proceed {
		updated, wrote, err = w.attempt(ctx, o, r.key, seen)
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

var (
	errOtherObject = errors.New("another object has the name of the route")
	errUnseen      = errors.New("the route has been edited since it was decided about")
)

// attempt brings a route's status to the opinion, unless the route is not the
// one that was seen and decided about. It returns the newest object known, and
// whether it was necessary to write.
//
// The object is read before it is written: what informers keep has parts cut
// out, and some API servers take those parts, too, from an update of the
// status.
func (w *Writer) attempt(ctx context.Context, o *opinion, k model.RouteKey, seen *routev1.Route) (_ *routev1.Route, wrote bool, _ error) {
	reading, cancel := context.WithTimeout(ctx, w.o.Timeout)
	defer cancel()
	base, err := w.o.Client.Get(reading, k)
	switch {
	case err != nil:
		return nil, false, err
	case !o.concerns(base):
		return base, false, errOtherObject
	case o.holds(w.id, base):
		return base, false, nil
	case !o.remove && seen != nil && seen.UID == base.UID && !equality.Semantic.DeepEqual(seen.Spec, base.Spec):
		return nil, false, errUnseen
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
	if err != nil {
		return nil, true, err
	}
	return updated, true, nil
}

// finish takes in the outcome of an attempt.
func (w *Writer) finish(r *record, o *opinion, updated *routev1.Route, wrote bool, err error) {
	if updated != nil && (r.latest == nil || r.latest.UID != updated.UID || newer(updated, r.latest)) {
		r.latest = updated
	}
	outdated := r.opinion != o
	switch {
	case errors.Is(err, errUnseen):
		// The informer will tell, and then somebody decides again.
		w.schedule(r, w.o.Now().Add(w.o.Turn/2))
		return
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
		w.role, r.written = first, updated.ResourceVersion
	} else if !o.remove {
		w.doneByAnother(r)
	}
	r.failures = 0
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
	if kind == "conflict" {
		// Either another replica was first, which reading again will show, or
		// the route was edited between reading and writing.
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
