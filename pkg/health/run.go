package health

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

// burst is how many checks may follow one another at once, so that the clock
// need not be asked for each.
const burst = 4

// Run checks endpoints until ctx ends, and returns when the last check has.
func (c *Checker) Run(ctx context.Context) {
	limiter := rate.NewLimiter(rate.Limit(c.opts.Rate), burst)
	pending := make(chan struct{}, maxPending)
	defer func() {
		for range maxPending {
			pending <- struct{}{}
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if limiter.Wait(ctx) != nil {
			return
		}
		e := c.await(ctx, timer)
		if e == nil {
			return
		}
		select {
		case pending <- struct{}{}:
		case <-ctx.Done():
			return
		}
		go func() {
			defer func() { <-pending }()
			c.check(ctx, e)
		}()
	}
}

// await waits for an endpoint that is due; it is nil if ctx has ended.
func (c *Checker) await(ctx context.Context, timer *time.Timer) *endpoint {
	for {
		c.mu.Lock()
		e, wait := c.due.next(time.Now())
		c.mu.Unlock()
		if e != nil {
			return e
		}
		if wait < 0 {
			wait = time.Hour // Until wake says that there is one.
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-c.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// check checks one endpoint.
func (c *Checker) check(ctx context.Context, e *endpoint) {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err := c.opts.Connect(ctx, e.address)
	took := time.Since(started)
	late := took > checkTimeout+lateAfter
	c.count(err, late)
	c.judge(e, err, took, late)
}
