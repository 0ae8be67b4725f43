// Package dns resolves the names of services of the type ExternalName, and
// pushes their addresses into the queue when these change. HAProxy gets
// addresses only, so that each has passed the router's filter before anything
// is connected to it, and no start waits for a name server.
package dns

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"router/pkg/source"
)

// Options are what Names need.
type Options struct {
	Queue *source.Queue
	// Resolver asks the name servers of the machine; nil for Go's own. It gives
	// addresses without their time to live.
	Resolver Resolver
	// Interval is the time between two lookups of a name. Caches of name servers
	// keep to the time to live.
	Interval time.Duration
	// Metrics may be nil.
	Metrics *Metrics
	Logger  *slog.Logger
}

// Resolver asks name servers. *net.Resolver is one.
type Resolver interface {
	// LookupNetIP returns the addresses of a name; network is "ip4" or "ip6".
	LookupNetIP(ctx context.Context, network, name string) ([]netip.Addr, error)
}

const (
	// lookupTimeout bounds a lookup, retries of the resolver included.
	lookupTimeout = 5 * time.Second
	// lookups is how many names are looked up at a time of those that were
	// resolved last time or are new, and of the others.
	lookups = 64
	// absence is how long a name keeps its addresses that does not exist any
	// longer: records are also deleted to be made anew. It is as long as in
	// HAProxy ("hold nx").
	absence = 30 * time.Second
	// maxAddresses is how many addresses of a name are used.
	maxAddresses = 32
)

// Names resolves names as long as they are watched.
type Names struct {
	opts     Options
	watchers *source.Watchers
	// good are slots for lookups that are likely to be answered at once, bad for
	// those that may last: many names of dead name servers do not delay others.
	good, bad chan struct{}
}

// New returns Names that watch nothing.
func New(o Options) *Names {
	if o.Resolver == nil {
		o.Resolver = &net.Resolver{PreferGo: true}
	}
	return &Names{opts: o, watchers: source.NewWatchers(o.Queue), good: make(chan struct{}, lookups), bad: make(chan struct{}, lookups)}
}

// Watch resolves the name of a key and pushes a *source.Resolution into the
// queue, then and with every change, until Forget. It does not wait.
func (n *Names) Watch(k source.Key) {
	n.watchers.Watch(k, func(ctx context.Context, push func(source.Change)) {
		(&watchedName{Names: n, key: k, push: push}).run(ctx)
	})
}

// Forget ends what Watch began. It does not wait.
func (n *Names) Forget(k source.Key) { n.watchers.Forget(k) }

// Run ends with ctx, when nothing is under way any longer. Names are resolved
// from Watch on, also before Run.
func (n *Names) Run(ctx context.Context) {
	<-ctx.Done()
	n.watchers.Stop()
}
