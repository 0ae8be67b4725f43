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
	"router/pkg/haproxy"
	"router/pkg/model"
	"router/pkg/source"
)

// DataPlane is what serves the routes. *haproxy.DataPlane is one.
type DataPlane interface {
	Apply(context.Context, model.Change) (model.Outcome, error)
	Converge(context.Context) (model.Outcome, error)
	Verify(context.Context) (model.Outcome, error)
	Exited() <-chan struct{}
	Reports(context.Context) map[model.RouteKey]haproxy.Report
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
	// Status may be nil: nothing is written then.
	Status StatusWriter
	// ExternalCertificates lets routes have their certificate in a secret.
	ExternalCertificates bool
	// Secrets reads the secrets that are referred to. It may be nil: the queue
	// gets all secrets unasked then.
	Secrets Follower
	// Names resolves the names of services of the type ExternalName. It may be
	// nil: such services have no server then.
	Names Follower
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

// The rhythm of the loop.
const (
	// holdOff is how long a turn waits after the first event for others that
	// belong to it, such as the slices of a rolling update.
	holdOff = 20 * time.Millisecond
	// verifyInterval is the time between comparisons with the live state.
	verifyInterval = 30 * time.Second
	// retryAfter is the pause after a data plane that could not be reached or
	// started; it doubles up to maxRetry.
	retryAfter = 100 * time.Millisecond
	maxRetry   = 10 * time.Second
)

// Controller owns all state. Run is its one goroutine; the other methods send
// it messages and may be called from any.
type Controller struct {
	opts     Options
	store    *source.Store
	index    *admission.Index
	requests chan func(context.Context)
	// kinds are the kinds of objects that routes come from, candidates the routes
	// that they ask for.
	kinds        map[model.RouteKind]objectKind
	candidates   *routes.Set
	certificates *certificates.Provider
	watched      *watchSet

	// routes are what was handed to the data plane, by key.
	routes map[model.RouteKey]*served
	// budget is what namespaces may have of servers.
	budget *budget
	// dirty are routes that the next turn looks at.
	dirty map[model.RouteKey]bool
	// synced is whether all initial objects are in the store, ready whether
	// they have been served.
	synced bool
	ready  chan struct{}
	// failures counts the data plane's failures in a row.
	failures int
	pending  map[model.RouteKey]bool
	refused  map[model.RouteKey]string
	// waiting are routes of which a cause has not lasted yet, aging those with a
	// certificate whose time begins or ends; absent are those that lead to a
	// service which is not there, by namespace.
	waiting, aging waiting
	absent         map[string]map[model.RouteKey]bool
	news           *news
	// files are TLS files that the next turn hands to the data plane; nil if
	// they have not changed.
	files *model.TLSFiles
	// allDirty makes the next turn look at all routes.
	allDirty bool
}

// served is what the controller remembers of a route.
type served struct {
	verdict admission.Verdict
	// problems are those that there are now, told those that are told.
	problems []model.Problem
	told     told
	// model is nil where the route is not admitted.
	model *model.Route
	// held is zero where the route is admitted, or has no host.
	held model.Reservation
}

// inDataPlane reports whether the data plane knows of the route.
func (s *served) inDataPlane() bool { return s.model != nil || s.held != model.Reservation{} }

// heldBy is what a route holds that is not admitted.
func heldBy(k model.RouteKey, v admission.Verdict) model.Reservation {
	if !v.HostReserved {
		return model.Reservation{}
	}
	return model.Reservation{Key: k, HostKey: v.HostKey()}
}

// New returns a controller that has seen nothing.
func New(o Options) *Controller {
	c := &Controller{
		opts: o, store: source.NewStore(o.Selection), requests: make(chan func(context.Context)),
		candidates: routes.NewSet(),
		watched:    newWatchSet(map[source.Kind]Follower{source.KindSecret: o.Secrets, source.KindName: o.Names}),
		budget:     newBudget(o.MaxServersPerNamespace),
		routes:     map[model.RouteKey]*served{}, dirty: map[model.RouteKey]bool{},
		pending: map[model.RouteKey]bool{}, refused: map[model.RouteKey]string{},
		absent: map[string]map[model.RouteKey]bool{}, news: newNews(o.Logger, o.Now),
		ready: make(chan struct{}),
	}
	c.kinds = c.objectKinds()
	c.certificates = certificates.New(certificates.Options{Secrets: c.store, Pending: c.watched.isPending, Unservable: o.Admission.Unservable})
	c.index = admission.NewIndex(o.Admission)
	return c
}

// Ready is closed once everything that there was at the start is served.
func (c *Controller) Ready() <-chan struct{} { return c.ready }

// Run is the loop. It ends with ctx; stopping the data plane is up to the
// caller.
func (c *Controller) Run(ctx context.Context) error {
	hold, wake, lasted := time.NewTimer(holdOff), time.NewTimer(time.Hour), time.NewTimer(time.Hour)
	hold.Stop()
	wake.Stop()
	lasted.Stop()
	verify := time.NewTicker(verifyInterval)
	defer verify.Stop()
	holding := false
	for {
		// Seven things can happen: objects changed, a turn's hold-off ended, the
		// health of endpoints changed, HAProxy ended or something of it is due, it
		// is time to compare, what is wrong with a route has lasted or its
		// certificate's time has come, or somebody asks (the watch of the TLS
		// files, too).
		var outcome model.Outcome
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-c.opts.Queue.Ready():
			if !holding {
				holding = true
				hold.Reset(holdOff)
			}
			continue
		case <-hold.C:
			holding = false
			if outcome, err = c.turn(ctx); !c.synced {
				continue
			}
		case <-c.healthChanged():
			changed := c.opts.Health.Drain()
			c.news.health(changed)
			outcome, err = c.opts.DataPlane.Apply(ctx, model.Change{Health: changed})
		case <-c.opts.DataPlane.Exited():
			outcome, err = c.opts.DataPlane.Converge(ctx)
		case <-wake.C:
			outcome, err = c.opts.DataPlane.Converge(ctx)
		case <-verify.C:
			if !c.synced {
				continue
			}
			outcome, err = c.opts.DataPlane.Verify(ctx)
		case <-lasted.C:
			c.tellLasting()
			if !c.aging.isDue(c.opts.Now()) {
				c.wakeToTell(lasted)
				continue
			}
			if outcome, err = c.turn(ctx); !c.synced {
				continue
			}
		case request := <-c.requests:
			request(ctx)
			if (c.files != nil || c.allDirty) && !holding {
				holding = true
				hold.Reset(holdOff)
			}
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if wait, due := c.nextLook(outcome, err); due {
			wake.Reset(wait)
		}
		if err == nil {
			c.report(outcome)
			c.markReady()
			c.wakeToTell(lasted)
		}
	}
}

// nextLook says when the data plane is to be looked at again.
func (c *Controller) nextLook(o model.Outcome, err error) (time.Duration, bool) {
	if err != nil {
		pause := min(retryAfter<<min(c.failures, 10), maxRetry)
		c.failures++
		c.opts.Logger.Error("haproxy is not as it should be; trying again", "error", err, "pause", pause)
		return pause, true
	}
	c.failures = 0
	if o.Next.IsZero() {
		return 0, false
	}
	return max(0, o.Next.Sub(c.opts.Now())), true
}

func (c *Controller) markReady() {
	select {
	case <-c.ready:
	default:
		close(c.ready)
		c.opts.Logger.Info("all routes that can be served are served", c.counts()...)
	}
}

// turn takes the changes in and hands what they touch to the data plane.
func (c *Controller) turn(ctx context.Context) (model.Outcome, error) {
	batch := c.opts.Queue.Drain()
	if c.allDirty {
		c.allDirty = false
		for k := range c.routes {
			c.dirty[k] = true
		}
	}
	set, gone := c.readObjects(c.takeIn(batch.Changes))
	for _, k := range c.aging.take(c.opts.Now()) {
		if candidate := c.candidates.Get(k); candidate != nil {
			set[k] = candidate
		}
	}
	for _, k := range c.index.Update(slices.Collect(maps.Values(set)), gone) {
		c.dirty[k] = true
	}
	// The secrets that routes need are initial objects, too.
	if c.synced = c.synced || batch.Synced && len(c.watched.pending) == 0; !c.synced {
		return model.Outcome{}, nil
	}
	change := c.translate()
	c.followHealth(change)
	if c.failures > 0 || !change.IsEmpty() || !c.isReady() {
		return c.opts.DataPlane.Apply(ctx, change)
	}
	return model.Outcome{Rejected: c.refused, Pending: sortedKeys(c.pending)}, nil // Nothing has become of it.
}

func (c *Controller) isReady() bool {
	select {
	case <-c.ready:
		return true
	default:
		return false
	}
}

// translate works the dirty routes out anew and returns what that changes.
func (c *Controller) translate() model.Change {
	change := model.Change{Files: c.files}
	c.files = nil
	shared := translate.NewShared()
	c.countServers(shared)
	for _, k := range sortedKeys(c.dirty) {
		verdict, known := c.index.Verdict(k)
		before := c.routes[k]
		if !known {
			delete(c.routes, k)
			delete(c.refused, k)
			c.forgetTold(k)
			if before != nil && before.inDataPlane() {
				change.Delete = append(change.Delete, k)
			}
			continue
		}
		now := &served{verdict: verdict}
		if in, admitted := c.input(k, shared); admitted {
			now.model, now.problems = c.opts.Translate.Route(in)
			now.problems = append(slices.Clone(verdict.Problems), now.problems...)
			if before == nil || !now.model.Equal(before.model) {
				change.Upsert = append(change.Upsert, now.model)
			}
		} else if now.held = heldBy(k, verdict); now.held != (model.Reservation{}) {
			if before == nil || before.held != now.held {
				change.Reserve = append(change.Reserve, now.held)
			}
		} else if before != nil && before.inDataPlane() {
			change.Delete = append(change.Delete, k)
		}
		c.routes[k] = now
		c.settle(k, before)
	}
	return change
}

func sortedKeys(set map[model.RouteKey]bool) []model.RouteKey {
	keys := make([]model.RouteKey, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, model.RouteKey.Compare)
	return keys
}

// report tells the status of the routes that the turn touched, and of those
// that waited for the data plane.
func (c *Controller) report(o model.Outcome) {
	pending := map[model.RouteKey]bool{}
	for _, k := range o.Pending {
		pending[k] = true
	}
	tell := c.dirty
	c.dirty = map[model.RouteKey]bool{}
	for k := range c.pending {
		if !pending[k] {
			tell[k] = true
		}
	}
	c.pending = pending
	for k, message := range o.Rejected {
		if c.refused[k] != message {
			tell[k] = true
		}
	}
	for k := range c.refused {
		if _, still := o.Rejected[k]; !still {
			tell[k] = true
		}
	}
	c.refused = o.Rejected
	c.tell(tell)
}

// tell says what became of routes, in the log and in the status of their
// objects.
func (c *Controller) tell(routes map[model.RouteKey]bool) {
	objects := map[model.RouteKey]bool{}
	for _, k := range sortedKeys(routes) {
		objects[object(k)] = true
		if s := c.routes[k]; s != nil && c.isFinal(k) {
			c.news.tell(k, c.verdict(k, s), s.told.problems)
		}
	}
	for _, k := range sortedKeys(objects) {
		c.kinds[k.Kind].tell(k)
	}
}

// RejectedByProxy is the reason of routes that HAProxy cannot serve.
const RejectedByProxy admission.Reason = "RejectedByProxy"

// verdict is admission's, unless HAProxy has refused the route.
func (c *Controller) verdict(k model.RouteKey, s *served) admission.Verdict {
	v := s.verdict
	if message, refused := c.refused[k]; refused {
		v.Admitted, v.Reason, v.Message = false, RejectedByProxy, message
	}
	return v
}
