package names

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
	// answered is when the name last existed, failed whether the last lookup
	// ended without an answer.
	answered time.Time
	failed   bool
	// told is the last answer that was pushed, nil before the first.
	told *answer
}

func (f *follower) run(ctx context.Context) {
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
	exists, failure := false, noSuchName
	f.failed = false
	fresh := f.known
	for i, r := range replies {
		switch {
		case r.failure == "":
			fresh[i], exists = r.addresses, true
		case r.failure == noSuchName:
			fresh[i] = nil
		default: // Of this family nothing is known; the last answer holds.
			f.failed, failure = true, r.failure
			exists = exists || len(fresh[i]) > 0
		}
	}
	switch {
	case exists:
		f.known, f.answered = fresh, now
	case now.Sub(f.answered) > absence:
		f.known = fresh
	}
	a := answer{addresses: choose(f.known)}
	if len(a.addresses) == 0 {
		a.failure = failure
	}
	if f.told != nil && f.told.equal(a) {
		return
	}
	f.told = &a
	f.opts.Logger.Debug("an external name is resolved anew", "name", f.key.Name, "addresses", a.addresses, "reason", a.failure)
	f.push(f, a)
}
