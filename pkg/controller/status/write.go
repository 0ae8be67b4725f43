package status

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
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
	current := seen != nil && seen.GetResourceVersion() != r.refused
	proceed := o != nil && (!r.overwritten || w.mayStrike(r, w.o.Now()))
	w.mu.Unlock()
	var updated metav1.Object
	var err error
	wrote := false
	if proceed {
		updated, wrote, err = w.attempt(ctx, o, r.key, seen, current)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.release(r)
	if !proceed || w.records[r.key] != r {
		return
	}
	if apierrors.IsConflict(err) && seen != nil {
		r.refused = seen.GetResourceVersion()
	}
	if ctx.Err() == nil {
		w.finish(r, o, updated, wrote, err)
	}
}

var (
	errOtherObject = errors.New("another object has the name of the route")
	errUnseen      = errors.New("the route has been edited since it was decided about")
)

// isWhole reports whether nothing was cut out of an object when it was kept.
// Some API servers take what is missing for deleted, also from an update of
// the status.
func isWhole(o metav1.Object) bool {
	value, there := o.GetAnnotations()[corev1.LastAppliedConfigAnnotation]
	return !there || value != ""
}

// attempt brings an object's status to the opinion, unless it is not the object
// that was decided about. It returns the newest object known, and whether it
// was necessary to write.
//
// What the watch has shown is written, if current says that there may be nothing
// newer: the API server refuses it if there is. The next attempt has the newer
// object from the watch by then, or reads it.
func (w *machine) attempt(ctx context.Context, o opinion, k model.RouteKey, seen metav1.Object, current bool) (_ metav1.Object, wrote bool, _ error) {
	base := seen
	if !current || !isWhole(seen) || !o.concerns(seen) {
		reading, cancel := context.WithTimeout(ctx, w.o.Timeout)
		defer cancel()
		now, err := w.o.Objects.read(reading, k)
		if err != nil {
			return nil, false, err
		}
		base = now
	}
	switch {
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
		// Either another replica was first or the route was edited, which the
		// watch will show soon.
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
