package dns

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

// watchedName is one name that is watched.
type watchedName struct {
	*Names
	key  source.Key
	push func(source.Change)

	// known are the addresses of the last answers, by family.
	known [families][]netip.Addr
	// existed is when the name was last known to exist, failed whether the last
	// lookup ended without an answer for a family.
	existed time.Time
	failed  bool
	state   state
	// pushed is the last answer that was pushed, nil before the first.
	pushed *answer
}

func (w *watchedName) run(ctx context.Context) {
	defer func() { w.opts.Metrics.change(w.state, "") }()
	for {
		slots := w.good
		if w.failed {
			slots = w.bad
		}
		select {
		case <-ctx.Done():
			return
		case slots <- struct{}{}:
		}
		replies := w.lookup(ctx)
		<-slots
		if ctx.Err() != nil {
			return
		}
		w.take(replies, time.Now())
		select {
		case <-ctx.Done():
			return
		// The random part keeps names from being asked for all at once.
		case <-time.After(w.opts.Interval + rand.N(w.opts.Interval/5+1)): //nolint:gosec // spreads load
		}
	}
}

// take takes in what the name servers said of each family.
func (w *watchedName) take(replies [families]reply, now time.Time) {
	// Of families without a reply nothing is known: the last one holds.
	fresh, answered, kept, failure := w.known, false, false, noSuchName
	w.failed = false
	for i, r := range replies {
		switch r.failure {
		case "":
			fresh[i], answered = r.addresses, true
		case noSuchName:
			fresh[i] = nil
		default:
			w.failed, failure = true, r.failure
			kept = kept || len(fresh[i]) > 0
		}
	}
	switch {
	case answered || kept:
		w.known, w.existed = fresh, now
	case now.Sub(w.existed) > absence:
		w.known = fresh
	}
	a, next := answer{addresses: choose(w.known)}, resolved
	switch {
	case len(a.addresses) == 0:
		a.failure, next = failure, unresolved
	case !answered:
		next = stale
	}
	w.enter(next, failure)
	if w.pushed == nil || !w.pushed.equal(a) {
		w.pushed = &a
		w.opts.Logger.Debug("an external name is resolved anew", "name", w.key.Name, "addresses", a.addresses, "reason", a.failure)
		w.push(source.Change{Key: w.key, Object: &source.Resolution{
			ObjectMeta: metav1.ObjectMeta{Name: w.key.Name}, Addresses: a.addresses, Failure: a.failure,
		}})
	}
}

// enter notes the state of the name. What keeps a name from being resolved is
// told on its routes; that old addresses are kept, nowhere else.
func (w *watchedName) enter(next state, failure string) {
	if next == stale && w.state != stale {
		w.opts.Logger.Info("an external name is not resolved any longer; its last addresses are kept", "name", w.key.Name, "reason", failure)
	}
	w.opts.Metrics.change(w.state, next)
	w.state = next
}
