package dns

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"router/pkg/source"
)

// answer is what there is to tell of a name.
type answer struct {
	addresses []netip.Addr
	failure   string
}

func (a answer) equal(b answer) bool {
	return a.failure == b.failure && slices.Equal(a.addresses, b.addresses)
}

// follower follows one name.
type follower struct {
	*Names
	key  source.Key
	stop context.CancelFunc

	// known are the addresses of the last answers, by family.
	known [families][]netip.Addr
	// existed is when the name was last known to exist, failed whether the last
	// lookup ended without an answer for a family.
	existed time.Time
	failed  bool
	state   state
	// told is the last answer that was pushed, nil before the first.
	told *answer
}

func (f *follower) run(ctx context.Context) {
	defer func() { f.opts.Metrics.change(f.state, "") }()
	for {
		slots := f.good
		if f.failed {
			slots = f.bad
		}
		select {
		case <-ctx.Done():
			return
		case slots <- struct{}{}:
		}
		replies := f.lookup(ctx)
		<-slots
		if ctx.Err() != nil {
			return
		}
		f.take(replies, time.Now())
		select {
		case <-ctx.Done():
			return
		// The random part keeps names from being asked for all at once.
		case <-time.After(f.opts.Interval + rand.N(f.opts.Interval/5+1)): //nolint:gosec // spreads load
		}
	}
}

// take takes in what the name servers said of each family.
func (f *follower) take(replies [families]reply, now time.Time) {
	// Of families without a reply nothing is known: the last one holds.
	fresh, answered, kept, failure := f.known, false, false, noSuchName
	f.failed = false
	for i, r := range replies {
		switch r.failure {
		case "":
			fresh[i], answered = r.addresses, true
		case noSuchName:
			fresh[i] = nil
		default:
			f.failed, failure = true, r.failure
			kept = kept || len(fresh[i]) > 0
		}
	}
	switch {
	case answered || kept:
		f.known, f.existed = fresh, now
	case now.Sub(f.existed) > absence:
		f.known = fresh
	}
	a, next := answer{addresses: choose(f.known)}, resolved
	switch {
	case len(a.addresses) == 0:
		a.failure, next = failure, unresolved
	case !answered:
		next = stale
	}
	f.enter(next, failure)
	if f.told == nil || !f.told.equal(a) {
		f.told = &a
		f.opts.Logger.Debug("an external name is resolved anew", "name", f.key.Name, "addresses", a.addresses, "reason", a.failure)
		f.push(f, a)
	}
}

// enter notes the state of the name. What keeps a name from being resolved is
// told on its routes; that old addresses are kept, nowhere else.
func (f *follower) enter(next state, failure string) {
	if next == stale && f.state != stale {
		f.opts.Logger.Info("an external name is not resolved any longer; its last addresses are kept", "name", f.key.Name, "reason", failure)
	}
	f.opts.Metrics.change(f.state, next)
	f.state = next
}
