package controller

import (
	"context"
	"net/netip"
	"time"

	"router/pkg/model"
)

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

// timers are what the loop waits for beside events.
type timers struct {
	// hold ends the hold-off, look is when something of the data plane is due,
	// and tell when there is something to tell of routes.
	hold, look, tell *time.Timer
	holding          bool
	verify           *time.Ticker
}

func newTimers() *timers {
	t := &timers{hold: time.NewTimer(holdOff), look: time.NewTimer(time.Hour), tell: time.NewTimer(time.Hour), verify: time.NewTicker(verifyInterval)}
	for _, timer := range []*time.Timer{t.hold, t.look, t.tell} {
		timer.Stop()
	}
	return t
}

// reconcileSoon lets a turn come when the hold-off ends.
func (t *timers) reconcileSoon() {
	if !t.holding {
		t.holding = true
		t.hold.Reset(holdOff)
	}
}

// tellAt sets the time to tell something, zero for never.
func (t *timers) tellAt(at, now time.Time) {
	if at.IsZero() {
		t.tell.Stop()
	} else {
		t.tell.Reset(max(0, at.Sub(now)))
	}
}

// Run is the loop. It ends with ctx; stopping the data plane is up to the
// caller.
func (c *Controller) Run(ctx context.Context) error {
	t := newTimers()
	defer t.verify.Stop()
	for {
		act := c.next(ctx, t)
		if ctx.Err() != nil {
			return nil
		}
		if act != nil {
			c.act(ctx, t, act)
		}
		c.publishReports()
	}
}

// action is something that is asked of the data plane.
type action func(context.Context) (model.Outcome, error)

// next waits for one of the things that can happen, and returns what is to be
// done about it: objects changed, a turn's hold-off ended, the health of
// endpoints changed, HAProxy ended or something of it is due, it is time to
// compare, there is something to tell of a route or its certificate's time has
// come, or somebody asks. It returns nil where nothing is to be done now.
func (c *Controller) next(ctx context.Context, t *timers) action {
	select {
	case <-ctx.Done():
	case <-c.opts.Queue.Ready():
		t.reconcileSoon()
	case <-t.hold.C:
		t.holding = false
		return c.reconcile
	case <-c.healthChanged():
		return c.applyHealth
	case <-c.opts.DataPlane.Exited():
		return c.opts.DataPlane.Converge
	case <-t.look.C:
		return c.opts.DataPlane.Converge
	case <-t.verify.C:
		if c.synced {
			return c.opts.DataPlane.Verify
		}
	case <-t.tell.C:
		c.tellDue()
		if c.reporter.aging.isDue(c.opts.Now()) {
			return c.reconcile
		}
		t.tellAt(c.reporter.due(), c.opts.Now())
	case request := <-c.requests:
		request()
		t.reconcileSoon()
	}
	return nil
}

// act does what is to be done, and tells what became of it.
func (c *Controller) act(ctx context.Context, t *timers, do action) {
	outcome, err := do(ctx)
	if ctx.Err() != nil || !c.synced {
		return
	}
	if wait, due := c.nextLook(outcome, err); due {
		t.look.Reset(wait)
	}
	if err == nil {
		c.report(outcome)
		c.publishReports() // Who waits until all is ready may ask for them at once.
		c.markReady()
		t.tellAt(c.reporter.due(), c.opts.Now())
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

// request has the loop do something and reconcile soon. It returns at once when
// ctx ends.
func (c *Controller) request(ctx context.Context, do func()) {
	select {
	case c.requests <- do:
	case <-ctx.Done():
	}
}

// SetFiles hands TLS files that have changed to the data plane. It returns at
// once when ctx ends.
func (c *Controller) SetFiles(ctx context.Context, files model.TLSFiles) {
	c.request(ctx, func() { c.work.files = &files })
}

// SetOwnAddresses has all routes looked at anew with other addresses of the
// machine. It returns at once when ctx ends.
func (c *Controller) SetOwnAddresses(ctx context.Context, addresses []netip.Addr) {
	c.request(ctx, func() { c.opts.Translate.Own.Addresses, c.work.all = addresses, true })
}
