// Package health checks endpoints: whether a connection to them can be made.
//
// HAProxy can do this itself, for each server of each backend. The router does
// it in its place, because then a check can never take a backend's last server
// away, an endpoint that many routes share is checked once, what is known
// outlives a reload, and all checks together keep to a number in a second. At
// 20,000 endpoints HAProxy's own checks keep a core busy, and the checks that
// come too late for it take good servers out.
package health

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"router/pkg/model"
)

// Target is an endpoint of a route that is to be checked.
type Target struct {
	Address netip.AddrPort
	// Interval is the time from the end of a check to the next, if the rate
	// allows it.
	Interval time.Duration
}

// How many checks in a row change the state of an endpoint: as many as HAProxy
// takes by default, and so the reference router.
const (
	fall = 3
	rise = 2
)

const (
	// suspectInterval is the time between checks of an endpoint that has just
	// failed one, so that a dead pod is out after seconds, however seldom
	// endpoints are checked.
	suspectInterval = time.Second
	// checkTimeout bounds one check, as "timeout check" does in the reference
	// router.
	checkTimeout = 5 * time.Second
	// maxPending bounds the checks that are under way, and so their
	// descriptors: as many as time out at 50 a second.
	maxPending = 256
	// lateAfter is how late a time-out may come to be believed: a router that
	// had no processor for so long knows nothing of the endpoint.
	lateAfter = time.Second
)

// Options are what a Checker needs.
type Options struct {
	// Rate is the number of checks in a second, of all endpoints.
	Rate int
	// Connect makes and ends a connection; nil for TCP.
	Connect  func(ctx context.Context, address netip.AddrPort) error
	Registry prometheus.Registerer
}

// Checker checks the endpoints of routes. Run is its goroutine; the other
// methods may be called from any.
type Checker struct {
	opts    Options
	checks  *prometheus.CounterVec
	changed chan struct{}
	// wake tells Run of endpoints that are new.
	wake chan struct{}

	mu        sync.Mutex
	endpoints map[netip.AddrPort]*endpoint
	routes    map[model.RouteKey][]Target
	due       schedule
	// sizes has how many endpoints the routes of each namespace have.
	sizes map[string]int
	// news are endpoints whose state has changed since the last Drain.
	news map[netip.AddrPort]bool
}

// endpoint is what is known of one address.
type endpoint struct {
	address netip.AddrPort
	// routes that have the endpoint, with the interval that each asks for.
	routes map[model.RouteKey]time.Duration
	// bad and good count checks in a row.
	bad, good int
	failing   bool
	// reason is why a check failed that made it failing.
	reason string
	// failures are all checks that failed; since is when it began to fail,
	// downtime how long it did before; took is what the last check took.
	failures int
	since    time.Time
	downtime time.Duration
	took     time.Duration
	// lane is where it waits, due until when, place where in its line, or nowhere.
	lane  *lane
	due   time.Time
	place place
}

// New makes a checker that knows of no endpoint.
func New(o Options) *Checker {
	if o.Connect == nil {
		o.Connect = connect
	}
	c := &Checker{
		opts: o, changed: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		endpoints: map[netip.AddrPort]*endpoint{}, routes: map[model.RouteKey][]Target{}, news: map[netip.AddrPort]bool{},
		due: newSchedule(), sizes: map[string]int{},
	}
	c.register()
	return c
}

// connect makes a connection and resets it, which leaves no socket waiting on
// either side.
func connect(ctx context.Context, address netip.AddrPort) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address.String())
	if err != nil {
		return err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	return conn.Close()
}

// Set says which endpoints of a route are checked, in place of those before.
func (c *Checker) Set(route model.RouteKey, targets []Target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.routes[route]
	if slices.Equal(before, targets) {
		return
	}
	if len(targets) == 0 {
		delete(c.routes, route)
	} else {
		c.routes[route] = targets
	}
	if c.sizes[route.Namespace] += len(targets) - len(before); c.sizes[route.Namespace] == 0 {
		delete(c.sizes, route.Namespace)
	}
	wanted := make(map[netip.AddrPort]bool, len(targets))
	for _, t := range targets {
		wanted[t.Address] = true
		e := c.endpoints[t.Address]
		if e == nil {
			e = &endpoint{address: t.Address, routes: map[model.RouteKey]time.Duration{}, place: nowhere}
			c.endpoints[t.Address] = e
			c.due.push(e, route.Namespace, time.Now())
		}
		_, had := e.routes[route]
		e.routes[route] = t.Interval
		due := time.Now()
		if had || !e.failing {
			due = due.Add(t.Interval)
		} // Else it may be another pod, at an address that failed before.
		c.due.hasten(e, c.namespaceOf(e), due)
	}
	for _, t := range before {
		if e := c.endpoints[t.Address]; e != nil && !wanted[t.Address] {
			delete(e.routes, route)
			if len(e.routes) == 0 {
				c.forget(e)
			}
		}
	}
	notify(c.wake)
}

// namespaceOf is the namespace in whose lane an endpoint waits: of those that
// have it, the one with the fewest, so that nobody is held up by having an
// endpoint in common with somebody who has many.
func (c *Checker) namespaceOf(e *endpoint) string {
	var least string
	for route := range e.routes {
		if n := route.Namespace; least == "" || c.sizes[n] < c.sizes[least] || c.sizes[n] == c.sizes[least] && n < least {
			least = n
		}
	}
	return least
}

// forget drops an endpoint that no route has any more.
func (c *Checker) forget(e *endpoint) {
	c.due.remove(e)
	delete(c.endpoints, e.address)
	if e.failing {
		c.tell(e.address)
	}
}

func (c *Checker) tell(address netip.AddrPort) {
	c.news[address] = true
	notify(c.changed)
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Changed has a value when Drain has something to say.
func (c *Checker) Changed() <-chan struct{} { return c.changed }

// Drain are the endpoints whose state has changed since the last call.
func (c *Checker) Drain() []model.Health {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]model.Health, 0, len(c.news))
	for address := range c.news {
		h := model.Health{Address: address}
		if e := c.endpoints[address]; e != nil {
			h.Failing, h.Error = e.failing, e.reason
			for route := range e.routes {
				h.Routes = append(h.Routes, route)
			}
			slices.SortFunc(h.Routes, model.RouteKey.Compare)
		}
		list = append(list, h)
	}
	clear(c.news)
	slices.SortFunc(list, func(a, b model.Health) int { return a.Address.Compare(b.Address) })
	return list
}

// Report is what is known of an endpoint.
type Report struct {
	// Failures is how many checks have failed since the endpoint is known.
	Failures int
	// Downtime is for how long it has been failing, all in all; Duration is that
	// of the last check.
	Downtime, Duration time.Duration
}

// Report says what is known of an endpoint: nothing if it is not checked.
func (c *Checker) Report(address netip.AddrPort) Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.endpoints[address]
	if e == nil {
		return Report{}
	}
	r := Report{Failures: e.failures, Downtime: e.downtime, Duration: e.took}
	if e.failing {
		r.Downtime += time.Since(e.since)
	}
	return r
}

// judge takes the result of a check in, and says when the next is due.
func (c *Checker) judge(e *endpoint, err error, took time.Duration, late bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.endpoints[e.address] != e {
		return // Nobody has it any more.
	}
	now := time.Now()
	e.took = took
	switch {
	case err == nil:
		e.good, e.bad = e.good+1, 0
		if e.failing && e.good >= rise {
			e.failing, e.reason = false, ""
			e.downtime += now.Sub(e.since)
			c.tell(e.address)
		}
	case late: // Nothing is known.
	default:
		e.good, e.bad, e.failures = 0, e.bad+1, e.failures+1
		if !e.failing && e.bad >= fall {
			e.failing, e.since, e.reason = true, now, err.Error()
			c.tell(e.address)
		}
	}
	c.due.push(e, c.namespaceOf(e), now.Add(e.pause()))
	notify(c.wake) // It may be due before all others.
}

// pause is the time until an endpoint is checked again.
func (e *endpoint) pause() time.Duration {
	var least time.Duration
	for _, interval := range e.routes {
		if least == 0 || interval < least {
			least = interval
		}
	}
	if e.suspect() {
		least = min(least, suspectInterval)
	}
	return least
}

// suspect is whether the last check contradicts the state of the endpoint.
func (e *endpoint) suspect() bool { return !e.failing && e.bad > 0 || e.failing && e.good > 0 }
