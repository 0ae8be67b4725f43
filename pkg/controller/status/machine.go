package status

import (
	"cmp"
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/model"
)

// settings are what a machine needs; see Options.
type settings struct {
	Objects objects
	// Kind is what the objects are called in logs.
	Kind                            string
	Replica                         string
	Logger                          *slog.Logger
	Now                             func() time.Time
	Workers                         int
	Timeout, Turn, ContentionWindow time.Duration
	Metrics                         Metrics
}

// objects reaches the objects of one kind in a cluster.
type objects interface {
	read(context.Context, model.RouteKey) (metav1.Object, error)
	updateStatus(context.Context, metav1.Object) (metav1.Object, error)
	// sameSpec reports whether two versions of an object ask for the same.
	sameSpec(a, b metav1.Object) bool
}

// opinion is an immutable statement about one object's status.
type opinion interface {
	// concerns reports whether the opinion is about this object, and not
	// about another of the same name.
	concerns(metav1.Object) bool
	// holds reports whether the object's status is what the opinion wants.
	holds(metav1.Object) bool
	// disputed reports whether there is something in the object's status that
	// somebody else has put there and that the opinion is against.
	disputed(metav1.Object) bool
	// yields reports whether what somebody else has put into the object's status
	// may be right, though the opinion is against it: another replica knows more.
	yields(metav1.Object) bool
	// carriedOut is the object with the status that the opinion wants.
	carriedOut(base metav1.Object, now time.Time) metav1.Object
	// removes reports whether the opinion wants nothing of this router's.
	removes() bool
	equal(opinion) bool
	// against describes what the opinion is against, for logs.
	against(metav1.Object) []any
}

// role is what a replica has learned about its turn.
type role int

const (
	// Undecided ones, which have the zero value, write in the order of their
	// rank, within three quarters of a turn.
	_ role = iota
	// first replicas write at once: their writes have succeeded.
	first
	// later replicas have seen their work done by another.
	later
)

// machine writes the status of objects of one kind, as the package's comment
// says. All methods may be called from any goroutine, and none but Run waits
// for the network.
type machine struct {
	o    settings
	wake chan struct{}

	mu      sync.Mutex
	records map[model.RouteKey]*record
	queue   queue
	role    role
	fights  fights
	// told is when an error of a kind was last logged.
	told map[string]time.Time
}

func newMachine(o settings) *machine {
	o.Workers = cmp.Or(o.Workers, 4)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	o.Turn = cmp.Or(o.Turn, time.Second)
	o.ContentionWindow = cmp.Or(o.ContentionWindow, 3*time.Minute)
	if o.Metrics.Failures == nil {
		o.Metrics.Failures = func(string) Counter { return nil }
	}
	return &machine{o: o, wake: make(chan struct{}, 1), records: map[model.RouteKey]*record{}, told: map[string]time.Time{}}
}

func count(c Counter) {
	if c != nil {
		c.Inc()
	}
}

func (w *machine) record(k model.RouteKey) *record {
	r := w.records[k]
	if r == nil {
		r = &record{key: k, place: -1}
		w.records[k] = r
	}
	return r
}

// set says what an object's status should be from now on.
func (w *machine) set(k model.RouteKey, o opinion) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.record(k)
	if r.opinion != nil && r.opinion.equal(o) {
		return
	}
	w.decide(r, o)
}

// setUndecided is set, unless somebody has decided about the object before.
func (w *machine) setUndecided(k model.RouteKey, o opinion) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.record(k); r.opinion == nil {
		w.decide(r, o)
	}
}

// dropUndecided drops what is known of an object that nobody has decided
// about; it is false where somebody has.
func (w *machine) dropUndecided(k model.RouteKey) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.records[k]
	if r != nil && r.opinion != nil {
		return false
	}
	if r != nil {
		w.drop(r)
	}
	return true
}

// forget drops what is known of an object that was deleted.
func (w *machine) forget(k model.RouteKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.records[k]; r != nil {
		w.drop(r)
	}
}

func (w *machine) drop(r *record) {
	r.opinion = nil
	w.unschedule(r)
	delete(w.records, r.key)
}

// decide takes in a new opinion.
func (w *machine) decide(r *record, o opinion) {
	r.opinion = o
	r.failures, r.satisfied, r.overwritten = 0, false, false
	if o.removes() {
		// What has left the selection may not be observed any longer: the object
		// that is known is not the newest, nor is its UID of any use.
		r.latest = nil
	}
	r.fight.pausedUntil = time.Time{}
	if r.latest != nil && !r.busy && o.concerns(r.latest) && o.holds(r.latest) {
		r.satisfied = true
		w.unschedule(r)
		return
	}
	w.schedule(r, w.o.Now().Add(w.turn(r)))
}

// observe takes in the newest object, as the informer has it. Status that
// others have written is noticed here.
func (w *machine) observe(k model.RouteKey, now metav1.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.record(k)
	same := r.latest != nil && r.latest.GetUID() == now.GetUID()
	if same && newer(r.latest, now) {
		return // An informer may lag behind this router's own writes.
	}
	r.latest = now
	switch {
	case r.opinion == nil:
	case !r.opinion.concerns(now):
		// Another object of the same name; somebody will decide about it.
		r.satisfied, r.overwritten = false, false
		w.unschedule(r)
	case r.opinion.holds(now):
		if r.waiting && !r.busy {
			w.doneByAnother(r)
		}
		r.satisfied, r.overwritten, r.failures = true, false, 0
		w.unschedule(r)
	case same && r.satisfied && !r.busy && r.opinion.yields(now):
		w.yield(r)
	case same && r.satisfied && !r.busy:
		r.satisfied, r.overwritten = false, r.opinion.disputed(r.latest)
		w.schedule(r, w.o.Now().Add(w.behind(r)))
	case !r.waiting && !r.busy:
		w.schedule(r, w.o.Now().Add(w.turn(r)))
	}
}

// doneByAnother notes that what was due here was done before, unless this
// replica did it itself: whoever did will be earlier the next time, too.
func (w *machine) doneByAnother(r *record) {
	if r.latest.GetResourceVersion() != r.written {
		w.role = later
	}
}

// turn is how long to wait with a write of this router's own.
func (w *machine) turn(r *record) time.Duration {
	switch w.role {
	case first:
		return 0
	case later:
		return w.behind(r)
	}
	// What a start brings is written within a second, hold-off and requests
	// included.
	return w.share(r, w.o.Turn*3/4)
}

// behind is how long to wait for another to do it.
func (w *machine) behind(r *record) time.Duration { return w.o.Turn + w.share(r, 2*w.o.Turn) }

// share is this replica's part of a stretch of time.
func (w *machine) share(r *record, of time.Duration) time.Duration {
	return time.Duration(rank(w.o.Replica, r.key) * float64(of))
}

// newer reports whether a is a later version than b of one object; it is not
// if the versions cannot be compared.
func newer(a, b metav1.Object) bool {
	x, errX := strconv.ParseUint(a.GetResourceVersion(), 10, 64)
	y, errY := strconv.ParseUint(b.GetResourceVersion(), 10, 64)
	return errX == nil && errY == nil && x > y
}

// Stats describe a writer at one moment.
type Stats struct {
	// Pending is the number of routes whose status is not as it should be.
	Pending int
	// Contended is the number of routes that are left to another router of
	// the same name.
	Contended int
}

// Stats counts what there is to do.
func (w *machine) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	var s Stats
	now := w.o.Now()
	for _, r := range w.records {
		if r.waiting || r.busy {
			s.Pending++
		}
		if r.fight.pausedUntil.After(now) {
			s.Contended++
		}
	}
	return s
}

// Run writes until the context ends, and returns when no request is under way
// any longer.
func (w *machine) Run(ctx context.Context) {
	var workers sync.WaitGroup
	for range w.o.Workers {
		workers.Go(func() { w.work(ctx) })
	}
	workers.Wait()
}

func (w *machine) work(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		r, wait := w.take()
		if r != nil {
			w.write(ctx, r)
			continue
		}
		if wait < 0 {
			wait = time.Hour
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-timer.C:
		}
	}
}
