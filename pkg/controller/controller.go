package controller

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"router/pkg/controller/admission"
	"router/pkg/controller/certificates"
	"router/pkg/controller/routes"
	"router/pkg/controller/translate"
	"router/pkg/model"
	"router/pkg/source"
)

// DataPlane is what serves the routes. *haproxy.DataPlane is one.
type DataPlane interface {
	Apply(context.Context, model.Change) (model.Outcome, error)
	Converge(context.Context) (model.Outcome, error)
	Verify(context.Context) (model.Outcome, error)
	Exited() <-chan struct{}
	Stop(context.Context) error
}

// Options are what a Controller needs.
type Options struct {
	Queue     *source.Queue
	Admission admission.Options
	Translate translate.Options
	// MaxServersPerNamespace bounds the servers of all routes of a namespace, 0
	// for no bound.
	MaxServersPerNamespace int
	DataPlane              DataPlane
	// ServerStates asks for the states of all servers as they are now, by backend
	// and endpoint. It is called from any goroutine; nil means that they are
	// unknown.
	ServerStates func(context.Context) (func(backend, endpoint string) string, error)
	// Status may be nil: nothing is written then.
	Status StatusWriter
	// ExternalCertificates lets routes have their certificate in a secret.
	ExternalCertificates bool
	// Secrets reads the secrets that are referred to. It may be nil: the queue
	// gets all secrets unasked then.
	Secrets ObjectWatcher
	// Names resolves the names of services of the type ExternalName. It may be
	// nil: such services have no server then.
	Names ObjectWatcher
	// Health checks the endpoints of routes. It may be nil: all are taken for
	// healthy then.
	Health HealthChecker
	// Ingress says which Ingresses are served beside Routes; nil for none.
	Ingress *routes.Class
	// IngressStatus may be nil: nothing is written then.
	IngressStatus IngressStatusWriter
	// Selection says which routes the router looks at.
	Selection source.Selection
	Logger    *slog.Logger
	Now       func() time.Time
}

// Controller owns all state. Run is its one goroutine; the other methods send
// it messages, or read what it has published, and may be called from any.
type Controller struct {
	opts  Options
	store *source.Store
	// kinds are the kinds of objects that routes come from, candidates the routes
	// that they ask for, watched the objects that are read because these lead to
	// them.
	kinds        map[model.RouteKind]objectKind
	candidates   *routes.Set
	certificates *certificates.Provider
	watched      *watchSet
	admission    *admission.Index
	// routes are what was handed to the data plane, by key, and budget is what
	// namespaces may have of servers.
	routes   map[model.RouteKey]*served
	budget   *budget
	work     work
	reporter *reporter
	reports  reports
	requests chan func()
	// synced is whether all initial objects are in the store, ready whether
	// they have been served.
	synced bool
	ready  chan struct{}
	// failures counts the data plane's failures in a row.
	failures int
}

// work is what the next turn does beside taking in changes of objects.
type work struct {
	// dirty are routes that are to be worked out anew; all means every one.
	dirty map[model.RouteKey]bool
	all   bool
	// files are TLS files that are new to the data plane; nil if they have not
	// changed.
	files *model.TLSFiles
}

// New returns a controller that has seen nothing.
func New(o Options) *Controller {
	c := &Controller{
		opts: o, store: source.NewStore(o.Selection), requests: make(chan func()),
		candidates: routes.NewSet(), admission: admission.NewIndex(o.Admission),
		watched: newWatchSet(map[source.Kind]ObjectWatcher{source.KindSecret: o.Secrets, source.KindExternalName: o.Names}),
		routes:  map[model.RouteKey]*served{}, budget: newBudget(o.MaxServersPerNamespace),
		work: work{dirty: map[model.RouteKey]bool{}}, reporter: newReporter(o.Logger, o.Now),
		reports: reports{changed: map[model.RouteKey]bool{}}, ready: make(chan struct{}),
	}
	c.kinds = c.objectKinds()
	c.certificates = certificates.New(certificates.Options{Secrets: c.store, Pending: c.watched.isPending, Unservable: o.Admission.Unservable})
	return c
}

// Ready is closed once everything that there was at the start is served.
func (c *Controller) Ready() <-chan struct{} { return c.ready }

func (c *Controller) isReady() bool {
	select {
	case <-c.ready:
		return true
	default:
		return false
	}
}

func (c *Controller) markReady() {
	if !c.isReady() {
		close(c.ready)
		c.opts.Logger.Info("all routes that can be served are served", c.counts()...)
	}
}

// reconcile takes the changes in and hands what they change to the data plane.
func (c *Controller) reconcile(ctx context.Context) (model.Outcome, error) {
	batch := c.opts.Queue.Drain()
	c.admit(c.takeIn(batch.Changes))
	// The secrets that routes need are initial objects, too.
	if c.synced = c.synced || batch.Synced && len(c.watched.pending) == 0; !c.synced {
		return model.Outcome{}, nil
	}
	change := c.translate()
	c.checkHealth(change)
	if c.failures == 0 && change.IsEmpty() && c.isReady() {
		return model.Outcome{Rejected: c.reporter.rejected, Pending: sortedKeys(c.reporter.pending)}, nil // As it was.
	}
	return c.opts.DataPlane.Apply(ctx, change)
}

// admit decides anew about the candidates of objects, and about those of which
// a certificate's time has come.
func (c *Controller) admit(touched map[model.RouteKey]bool) {
	set, gone := c.readObjects(touched)
	for _, k := range c.reporter.aging.take(c.opts.Now()) {
		if candidate := c.candidates.Get(k); candidate != nil {
			set[k] = candidate
		}
	}
	for _, k := range c.admission.Update(slices.Collect(maps.Values(set)), gone) {
		c.work.dirty[k] = true
	}
}
