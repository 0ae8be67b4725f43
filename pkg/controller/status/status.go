package status

import (
	"log/slog"
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

// Writer writes the status of routes. All methods may be called from any
// goroutine, and none but Run waits for the network.
type Writer struct {
	*machine
	id identity
}

// New returns a Writer; it writes once Run is called.
func New(o Options) *Writer {
	return &Writer{
		machine: newMachine(settings{
			Objects: routes{o.Client}, Kind: "route", Replica: o.Replica, Logger: o.Logger, Now: o.Now, Workers: o.Workers, Timeout: o.Timeout,
			Turn: o.Turn, ContentionWindow: o.ContentionWindow, Metrics: o.Metrics,
		}),
		id: identity{o.RouterName, o.CanonicalHostname},
	}
}

// Set says what a route's status should be from now on. A newer call takes
// the place of an older one that has not been carried out yet.
func (w *Writer) Set(d Desired) { w.set(d.Key, &routeOpinion{id: w.id, desired: d.writable()}) }

// Remove says that a route is none of this router's business any longer: its
// entry is taken out of the status. The route may be one that was deleted, or
// one that is not watched any more. Where it is, known is its latest object,
// else nil: a route that never had an entry costs no request.
func (w *Writer) Remove(k model.RouteKey, known *routev1.Route) {
	if known != nil && !w.id.has(known) && w.dropUndecided(k) {
		return
	}
	w.set(k, w.removal(k))
}

// removal wants no entry of this router.
func (w *Writer) removal(k model.RouteKey) *routeOpinion {
	return &routeOpinion{id: w.id, desired: Desired{Key: k}, remove: true}
}

// Observe takes in the newest object of a route, as the informer has it.
// Status that others have written is noticed here.
func (w *Writer) Observe(route *routev1.Route) { w.observe(keyOf(route), route) }

// Forget drops what is known of a route that was deleted.
func (w *Writer) Forget(k model.RouteKey) { w.forget(k) }
