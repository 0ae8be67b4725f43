package status

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"

	"router/pkg/model"
)

const (
	// workers is how many requests are under way at once.
	workers = 4
	// timeout bounds the requests of one attempt.
	timeout = 10 * time.Second
	// spread is the time within which replicas without a leader write what they
	// all see: late ones see that it has been done. An owner is still told
	// within a second.
	spread = 500 * time.Millisecond
	// firstRetry and lastRetry bound the time between attempts after errors.
	firstRetry = 200 * time.Millisecond
	lastRetry  = time.Minute
	// removalKept is how long a follower remembers that an entry is to be
	// removed. It is longer than a leader that is gone goes unnoticed.
	removalKept = time.Minute
)

// How often a status is written over somebody else's: twice soon, for mostly the
// other has only seen a change later, and then rarely.
const (
	soonOverwrites      = 2
	soonAfter           = 2 * time.Second
	rarelyAfter         = 5 * time.Minute
	overwritesPerSecond = 1 // of all objects together
	overwritesBurst     = 20
	// emptiedAfter is how soon what was taken away is put back.
	emptiedAfter = time.Second
	// deferFor is how long the word of a replica stands that knows more: it may
	// be gone after that, and if it is not, it says so again.
	deferFor = 30 * time.Minute
)

// Role is a replica's part in writing statuses.
type Role int

const (
	// Alone is a replica that knows of no leader: it compares before it writes.
	Alone Role = iota
	// Following is a replica that leaves writing to a leader.
	Following
	// Leading is the replica that writes.
	Leading
)

// kind is how to reach the objects of one kind in a cluster.
type kind struct {
	name   string // in logs
	read   func(context.Context, model.RouteKey) (metav1.Object, error)
	update func(context.Context, metav1.Object) (metav1.Object, error)
}

// desiredStatus is an immutable statement about one object's status.
type desiredStatus interface {
	// about reports whether it is about this object, and not about another of
	// the same name.
	about(metav1.Object) bool
	// change returns the object with the desired status, nil if it has it.
	change(_ metav1.Object, now time.Time) metav1.Object
	// removes reports whether nothing of this router's is to be left.
	removes() bool
	// overwritten says what an object has in place of the desired status.
	overwritten(metav1.Object) overwrite
}

// overwrite is what somebody else has put in the place of a desired status.
type overwrite int

const (
	// emptied is nothing; it is nobody's word, and put back however often.
	emptied overwrite = iota
	// replaced is another word.
	replaced
	// better is the word of a replica that may serve what this one cannot.
	better
	// worse is the word of a replica that cannot serve what this one does; even
	// a follower contradicts it.
	worse
)

// record is what is known of one object. It belongs to the writer's mutex.
type record struct {
	// desired is nil while nobody has decided about the object.
	desired desiredStatus
	// latest is the newest object known, nil if none is. It is shared with
	// caches and never modified.
	latest metav1.Object
	// settled means that latest was as desired when last looked at.
	settled bool
	// notBefore is when to write, zero for any time.
	notBefore time.Time
	// contradicted is when somebody else's word was last found.
	contradicted time.Time
}

// writer writes the statuses of objects of one kind. All methods may be called
// from any goroutine, and none but Run waits for the network.
type writer struct {
	kind                 kind
	logger               *slog.Logger
	metrics              *Metrics
	failures, overwrites workqueue.TypedRateLimiter[model.RouteKey]
	// pace is how long this replica waits before it writes without a leader: with
	// luck there is one that is always first.
	pace time.Duration
	// gained tells that this replica writes from now on.
	gained chan struct{}

	mu      sync.Mutex
	role    Role
	records map[model.RouteKey]*record
	// queue is nil until the writer runs.
	queue workqueue.TypedDelayingInterface[model.RouteKey]
	// errorLog and contentionLog bound how much is logged.
	errorLog, contentionLog rate.Sometimes
}

func newWriter(k kind, logger *slog.Logger, metrics *Metrics) *writer {
	return &writer{
		kind: k, logger: logger.With("kind", k.name), metrics: metrics,
		failures: workqueue.NewTypedItemExponentialFailureRateLimiter[model.RouteKey](firstRetry, lastRetry),
		overwrites: workqueue.NewTypedMaxOfRateLimiter[model.RouteKey](
			workqueue.NewTypedItemFastSlowRateLimiter[model.RouteKey](soonAfter, rarelyAfter, soonOverwrites),
			&workqueue.TypedBucketRateLimiter[model.RouteKey]{Limiter: rate.NewLimiter(overwritesPerSecond, overwritesBurst)},
		),
		pace:   rand.N(spread), //nolint:gosec // it spreads the replicas
		gained: make(chan struct{}, 1), records: map[model.RouteKey]*record{},
		errorLog: rate.Sometimes{Interval: time.Minute}, contentionLog: rate.Sometimes{Interval: time.Minute},
	}
}

// SetRole changes the replica's part; it is Alone at first.
func (w *writer) SetRole(role Role) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.role != role {
		w.role = role
		w.resume()
	}
}

// resume takes up what others have left to write.
func (w *writer) resume() {
	if w.queue == nil || w.role == Following {
		return
	}
	for k, r := range w.records {
		r.notBefore = time.Time{}
		w.add(k)
	}
	select {
	case w.gained <- struct{}{}:
	default:
	}
}

// Run writes until the context ends, and returns when no request is under way
// any longer.
func (w *writer) Run(ctx context.Context) {
	q := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[model.RouteKey]{
		Queue: workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[model.RouteKey]{Queue: newTurns()}),
	})
	w.mu.Lock()
	w.queue = q
	w.resume()
	w.mu.Unlock()
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for k, ended := q.Get(); !ended; k, ended = q.Get() {
				if ctx.Err() == nil {
					w.write(ctx, k)
				}
				q.Done(k)
			}
		})
	}
	<-ctx.Done()
	q.ShutDown()
	running.Wait()
}

// add has an object looked at.
func (w *writer) add(k model.RouteKey) {
	if w.role == Alone {
		w.after(k, w.pace)
	} else {
		w.after(k, 0)
	}
}

func (w *writer) after(k model.RouteKey, wait time.Duration) {
	if w.queue != nil {
		w.queue.AddAfter(k, wait)
	}
}

func (w *writer) record(k model.RouteKey) *record {
	r := w.records[k]
	if r == nil {
		r = &record{}
		w.records[k] = r
	}
	return r
}

// drop forgets an object.
func (w *writer) drop(k model.RouteKey) {
	delete(w.records, k)
	w.failures.Forget(k)
	w.overwrites.Forget(k)
}

// set says what an object's status should be from now on.
func (w *writer) set(k model.RouteKey, d desiredStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.decide(k, w.record(k), d)
}

func (w *writer) decide(k model.RouteKey, r *record, d desiredStatus) {
	if reflect.DeepEqual(r.desired, d) {
		return
	}
	r.desired, r.settled, r.notBefore = d, false, time.Time{}
	w.failures.Forget(k)
	w.overwrites.Forget(k)
	if d.removes() {
		// What has left the selection may not be observed any longer: the object
		// that is known is not the newest, nor is its UID of any use.
		r.latest = nil
		if w.role == Following {
			r.notBefore = time.Now().Add(removalKept)
		}
	}
	w.add(k)
}

// observe takes in the newest object, as the informer has it.
func (w *writer) observe(k model.RouteKey, now metav1.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.record(k)
	if r.latest != nil && r.latest.GetUID() == now.GetUID() && newer(r.latest, now) {
		return // An informer may lag behind this router's own writes.
	}
	r.latest = now
	w.add(k)
}

// newer reports whether a is a later version than b of one object; it is not
// if the versions cannot be compared.
func newer(a, b metav1.Object) bool {
	x, errX := strconv.ParseUint(a.GetResourceVersion(), 10, 64)
	y, errY := strconv.ParseUint(b.GetResourceVersion(), 10, 64)
	return errX == nil && errY == nil && x > y
}

// write makes one attempt at an object, if there is something to write.
func (w *writer) write(ctx context.Context, k model.RouteKey) {
	w.mu.Lock()
	r := w.records[k]
	if r == nil || !w.isDue(k, r) {
		w.mu.Unlock()
		return
	}
	d, seen := r.desired, r.latest
	w.mu.Unlock()
	updated, err := w.attempt(ctx, k, d, seen)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.records[k] != r || ctx.Err() != nil {
		return
	}
	switch {
	case apierrors.IsNotFound(err), err == nil && d.removes():
		if r.desired == d && r.latest == seen {
			w.drop(k)
		}
	case err != nil:
		w.failed(k, r, err)
	default:
		if r.latest.GetUID() == updated.GetUID() && newer(updated, r.latest) {
			r.latest = updated
		}
		// What was written and is not found then has been overwritten.
		r.settled = r.desired == d
		w.add(k)
	}
}

// isDue reports whether an object's status is to be written now, and by this
// replica.
func (w *writer) isDue(k model.RouteKey, r *record) bool {
	switch {
	case r.desired == nil:
		return false
	case r.desired.removes():
	case r.latest == nil || !r.desired.about(r.latest):
		r.settled, r.notBefore = false, time.Time{}
		return false // Somebody will show it, or decide about it.
	case r.desired.change(r.latest, time.Now()) == nil:
		r.settled, r.notBefore = true, time.Time{}
		w.failures.Forget(k)
		return false
	case r.settled:
		r.settled = false
		w.contradict(k, r)
		return false
	}
	if wait := time.Until(r.notBefore); wait > 0 {
		w.after(k, wait)
		return false
	}
	switch {
	case w.role != Following:
		return true
	case r.desired.removes():
		w.drop(k)
		return false
	}
	return !r.notBefore.IsZero() && r.desired.overwritten(r.latest) == worse
}

// contradict decides when to write over what somebody else has written.
func (w *writer) contradict(k model.RouteKey, r *record) {
	what, now := r.desired.overwritten(r.latest), time.Now()
	if w.role == Following && what != worse {
		return
	}
	wait := emptiedAfter
	switch what {
	case emptied:
	case better:
		wait = deferFor
	case replaced, worse:
		if now.Sub(r.contradicted) > 2*rarelyAfter {
			w.overwrites.Forget(k)
		}
		r.contradicted = now
		if wait = w.overwrites.When(k); w.overwrites.NumRequeues(k) > soonOverwrites {
			w.metrics.contended.Inc()
			w.contentionLog.Do(func() {
				w.logger.Error("Another router of the same name writes a different status; give both the same configuration or different names",
					"namespace", k.Namespace, "name", k.Name)
			})
		}
	}
	wait += rand.N(wait) //nolint:gosec // it spreads the replicas
	r.notBefore = now.Add(wait)
	w.after(k, wait)
}

// errUnseen means that an object has been edited since it was decided about.
var errUnseen = errors.New("the watch has not shown the object's latest version yet")

// attempt brings an object's status to what is desired, and returns the object
// as it then is. What the watch has shown is written, and the API server refuses
// it if there is something newer.
func (w *writer) attempt(ctx context.Context, k model.RouteKey, d desiredStatus, seen metav1.Object) (metav1.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	base := seen
	if seen == nil || !isWhole(seen) {
		var err error
		if base, err = w.kind.read(ctx, k); err != nil {
			return nil, err
		}
		if seen != nil && seen.GetResourceVersion() != base.GetResourceVersion() {
			return nil, errUnseen
		}
	}
	changed := d.change(base, time.Now())
	if changed == nil {
		return base, nil
	}
	updated, err := w.kind.update(ctx, changed)
	if err == nil {
		w.metrics.writes.Inc()
	}
	return updated, err
}

// isWhole reports whether nothing was cut out of an object when it was kept.
// Some API servers take what is missing for deleted, also from an update of
// the status.
func isWhole(o metav1.Object) bool {
	value, there := o.GetAnnotations()[corev1.LastAppliedConfigAnnotation]
	return !there || value != ""
}

// failed schedules another attempt. After a conflict the next version, which the
// watch is about to show, is not waited with.
func (w *writer) failed(k model.RouteKey, r *record, err error) {
	wait := w.failures.When(k)
	if !errors.Is(err, errUnseen) {
		w.metrics.failures.WithLabelValues(class(err)).Inc()
	}
	if !errors.Is(err, errUnseen) && !apierrors.IsConflict(err) {
		if seconds, asked := apierrors.SuggestsClientDelay(err); asked {
			wait = max(wait, time.Duration(seconds)*time.Second)
		}
		r.notBefore = time.Now().Add(wait)
		w.errorLog.Do(func() {
			w.logger.Warn("Cannot write a status; trying again",
				"namespace", k.Namespace, "name", k.Name, "error", err, "error_kind", class(err), "attempt", w.failures.NumRequeues(k))
		})
	}
	w.after(k, wait)
}
