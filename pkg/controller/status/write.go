package status

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/model"
)

const (
	// firstRetry and lastRetry bound the time between attempts after errors.
	firstRetry = 500 * time.Millisecond
	lastRetry  = time.Minute
)

// write makes one attempt at a record that was taken from the queue.
func (w *machine) write(ctx context.Context, r *record) {
	w.mu.Lock()
	o, seen := r.opinion, r.latest
	proceed := o != nil && (!r.overwritten || w.mayStrike(r, w.o.Now()))
	w.mu.Unlock()
	var updated metav1.Object
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
func (w *machine) attempt(ctx context.Context, o opinion, k model.RouteKey, seen metav1.Object) (_ metav1.Object, wrote bool, _ error) {
	reading, cancel := context.WithTimeout(ctx, w.o.Timeout)
	defer cancel()
	base, err := w.o.Objects.get(reading, k)
	switch {
	case err != nil:
		return nil, false, err
	case !o.concerns(base):
		return base, false, errOtherObject
	case o.holds(base):
		return base, false, nil
	case !o.removes() && seen != nil && seen.GetUID() == base.GetUID() && !w.o.Objects.sameSpec(seen, base):
		return nil, false, errUnseen
	}
	writing, cancel := context.WithTimeout(ctx, w.o.Timeout)
	defer cancel()
	updated, err := w.o.Objects.updateStatus(writing, o.carriedOut(base, w.o.Now()))
	if err != nil {
		return nil, true, err
	}
	return updated, true, nil
}

// finish takes in the outcome of an attempt.
func (w *machine) finish(r *record, o opinion, updated metav1.Object, wrote bool, err error) {
	if updated != nil && (r.latest == nil || r.latest.GetUID() != updated.GetUID() || newer(updated, r.latest)) {
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
		if !outdated && (o.removes() || updated == nil) {
			w.drop(r)
		}
		return
	case err != nil:
		w.failed(r, err)
		return
	}
	if wrote {
		count(w.o.Metrics.Writes)
		w.role, r.written = first, updated.GetResourceVersion()
	} else if !o.removes() {
		w.doneByAnother(r)
	}
	r.failures = 0
	switch {
	case !r.opinion.concerns(r.latest):
	case !r.opinion.holds(r.latest):
		switch {
		case !outdated && r.opinion.yields(r.latest):
			w.yield(r)
		case !outdated:
			// The entry was changed by somebody else since the attempt.
			r.overwritten = r.opinion.disputed(r.latest)
			w.schedule(r, w.o.Now().Add(w.behind(r)))
		case !r.waiting:
			w.schedule(r, w.o.Now().Add(w.turn(r)))
		}
	case r.opinion.removes():
		w.drop(r)
	default:
		r.satisfied, r.overwritten = true, false
		w.unschedule(r)
	}
}

// failed schedules another attempt.
func (w *machine) failed(r *record, err error) {
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
		w.o.Logger.Warn("Cannot write a status; trying again", "kind", w.o.Kind, "namespace", r.key.Namespace, "name", r.key.Name, "error", err, "error_kind", kind, "attempt", r.failures)
	}
}
