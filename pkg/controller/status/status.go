package status

import (
	"cmp"
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	routev1 "github.com/openshift/api/route/v1"

	"router/pkg/model"
)

// Options are what a Writer needs. Client, RouterName, Logger and Now have no
// defaults.
type Options struct {
	Client Client
	// RouterName and CanonicalHostname are written into the entry; the name
	// is what tells it from the entries of other routers.
	RouterName, CanonicalHostname string
	// Replica tells this process from others of the same router, such as the
	// name of its pod. It spreads the replicas' attempts in time.
	Replica string
	Logger  *slog.Logger
	Now     func() time.Time
	// Workers is how many writes may be under way at once; 0 means 4.
	Workers int
	// Timeout bounds one request; 0 means 10 s.
	Timeout time.Duration
	// Turn is how long one replica's write takes to be seen by the others, with
	// room to spare; 0 means 1 s. A replica that leaves the first attempt to
	// another waits between one and three turns.
	Turn time.Duration
	// ContentionWindow is how long a route rests about whose status routers of
	// one name disagree; 0 means 3 min.
	ContentionWindow time.Duration
	Metrics          Metrics
}

// Counter is a counter of metrics.
type Counter interface{ Inc() }

// Metrics are counted where they are not nil.
type Metrics struct {
	// Writes counts status updates that the API server accepted.
	Writes Counter
	// Contended counts decisions to leave a route's status to a router of the
	// same name that disagrees.
	Contended Counter
	// Failures returns the counter of failed requests of one kind: conflict,
	// not_found, forbidden, invalid, too_many_requests, timeout or other.
	Failures func(kind string) Counter
}

// role is what a replica has learned about its turn.
type role int

const (
	// undecided replicas write in the order of their rank, within one turn.
	undecided role = iota
	// first replicas write at once: their writes have succeeded.
	first
	// later replicas have seen their work done by another.
	later
)

// Writer writes the status of routes. All methods may be called from any
// goroutine, and none but Run waits for the network.
type Writer struct {
	o    Options
	id   identity
	wake chan struct{}

	mu      sync.Mutex
	records map[model.RouteKey]*record
	queue   queue
	role    role
	fights  fights
	// told is when an error of a kind was last logged.
	told map[string]time.Time
}

// New returns a Writer; it writes once Run is called.
func New(o Options) *Writer {
	o.Workers = cmp.Or(o.Workers, 4)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	o.Turn = cmp.Or(o.Turn, time.Second)
	o.ContentionWindow = cmp.Or(o.ContentionWindow, 3*time.Minute)
	if o.Metrics.Failures == nil {
		o.Metrics.Failures = func(string) Counter { return nil }
	}
	return &Writer{
		o: o, id: identity{o.RouterName, o.CanonicalHostname}, wake: make(chan struct{}, 1),
		records: map[model.RouteKey]*record{}, told: map[string]time.Time{},
	}
}

func count(c Counter) {
	if c != nil {
		c.Inc()
	}
}

func (w *Writer) record(k model.RouteKey) *record {
	r := w.records[k]
	if r == nil {
		r = &record{key: k, place: -1}
		w.records[k] = r
	}
	return r
}

// Set says what a route's status should be from now on. A newer call takes
// the place of an older one that has not been carried out yet.
func (w *Writer) Set(d Desired) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.record(d.Key)
	if r.opinion != nil && !r.opinion.remove && r.opinion.desired.equal(&d) {
		return
	}
	w.decide(r, &opinion{desired: d})
}

// Remove says that a route is none of this router's business any longer: its
// entry is taken out of the status. The route may be one that was deleted, or
// one that is not watched any more. Where it is, known is its latest object,
// else nil: a route that never had an entry costs no request.
func (w *Writer) Remove(k model.RouteKey, known *routev1.Route) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.record(k)
	switch {
	case r.opinion != nil && r.opinion.remove:
		return
	case r.opinion == nil && known != nil && !w.id.has(known):
		w.drop(r)
		return
	}
	w.remove(r)
}

// remove wants no entry from now on.
func (w *Writer) remove(r *record) {
	// What has left the selection may not be observed any longer: the object
	// that is known is not the newest, nor is its UID of any use.
	r.latest = nil
	w.decide(r, &opinion{desired: Desired{Key: r.key}, remove: true})
}

// Forget drops what is known of a route that was deleted.
func (w *Writer) Forget(k model.RouteKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.records[k]; r != nil {
		w.drop(r)
	}
}

func (w *Writer) drop(r *record) {
	r.opinion = nil
	w.unschedule(r)
	delete(w.records, r.key)
}

// decide takes in a new opinion.
func (w *Writer) decide(r *record, o *opinion) {
	r.opinion = o
	r.failures, r.satisfied, r.overwritten = 0, false, false
	r.fight.pausedUntil = time.Time{}
	if r.latest != nil && !r.busy && o.concerns(r.latest) && o.holds(w.id, r.latest) {
		r.satisfied = true
		w.unschedule(r)
		return
	}
	w.schedule(r, w.o.Now().Add(w.turn(r)))
}

// Observe takes in the newest object of a route, as the informer has it.
// Status that others have written is noticed here.
func (w *Writer) Observe(route *routev1.Route) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.record(model.RouteKey{Namespace: route.Namespace, Name: route.Name})
	if r.latest != nil && r.latest.UID == route.UID && newer(r.latest, route) {
		return // An informer may lag behind this router's own writes.
	}
	same := r.latest != nil && r.latest.UID == route.UID
	r.latest = route
	switch {
	case r.opinion == nil:
	case !r.opinion.concerns(route):
		// Another object of the same name; somebody will decide about it.
		r.satisfied, r.overwritten = false, false
		w.unschedule(r)
	case r.opinion.holds(w.id, route):
		if r.waiting && !r.busy {
			w.doneByAnother(r)
		}
		r.satisfied, r.overwritten, r.failures = true, false, 0
		w.unschedule(r)
	case same && r.satisfied && !r.busy:
		r.satisfied, r.overwritten = false, w.disputed(r)
		w.schedule(r, w.o.Now().Add(w.behind(r)))
	case !r.waiting && !r.busy:
		w.schedule(r, w.o.Now().Add(w.turn(r)))
	}
}

// doneByAnother notes that what was due here was done before, unless this
// replica did it itself: whoever did will be earlier the next time, too.
func (w *Writer) doneByAnother(r *record) {
	if r.latest.ResourceVersion != r.written {
		w.role = later
	}
}

// turn is how long to wait with a write of this router's own.
func (w *Writer) turn(r *record) time.Duration {
	switch w.role {
	case first:
		return 0
	case later:
		return w.behind(r)
	}
	return w.share(r, w.o.Turn)
}

// behind is how long to wait for another to do it.
func (w *Writer) behind(r *record) time.Duration { return w.o.Turn + w.share(r, 2*w.o.Turn) }

// share is this replica's part of a stretch of time.
func (w *Writer) share(r *record, of time.Duration) time.Duration {
	return time.Duration(rank(w.o.Replica, r.key) * float64(of))
}

// newer reports whether a is a later version than b of one object; it is not
// if the versions cannot be compared.
func newer(a, b *routev1.Route) bool {
	x, errX := strconv.ParseUint(a.ResourceVersion, 10, 64)
	y, errY := strconv.ParseUint(b.ResourceVersion, 10, 64)
	return errX == nil && errY == nil && x > y
}

// Stats describe a Writer at one moment.
type Stats struct {
	// Pending is the number of routes whose status is not as it should be.
	Pending int
	// Contended is the number of routes that are left to another router of
	// the same name.
	Contended int
}

// Stats counts what there is to do.
func (w *Writer) Stats() Stats {
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
func (w *Writer) Run(ctx context.Context) {
	var workers sync.WaitGroup
	for range w.o.Workers {
		workers.Go(func() { w.work(ctx) })
	}
	workers.Wait()
}

func (w *Writer) work(ctx context.Context) {
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
