package status

import "time"

// Routers that share a name and disagree, such as two deployments with
// different canonical host names, would overwrite each other's entries for
// ever. Whoever sees its satisfied opinion overwritten, waits a while, and
// still disagrees, strikes back at most twice; then the route rests for a
// window, after which one write a window tries whether the other is gone.
// When many routes strike at once it is not about them: all of them rest.
//
// A new opinion, which a real change brings, is always written once.

const (
	// strikesOfRoute is how often one route's entry is written over somebody
	// else's within two windows.
	strikesOfRoute = 2
	// strikesOfAll is the same for all routes together, within one window.
	strikesOfAll = 20
)

// fight is the contention about one route.
type fight struct {
	strikes     int
	last        time.Time
	pausedUntil time.Time
}

// fights is the contention about all routes.
type fights struct {
	strikes int
	since   time.Time
	told    time.Time
}

// mayStrike reports whether an entry that somebody else has written may be
// written over now; if not, the route is scheduled for when it may.
func (w *machine) mayStrike(r *record, now time.Time) bool {
	window := w.o.ContentionWindow
	if now.Sub(w.fights.since) >= window {
		w.fights.strikes, w.fights.since = 0, now
	}
	if now.Sub(r.fight.last) > 2*window {
		r.fight.strikes = 0
	}
	rested := !r.fight.pausedUntil.IsZero()
	if rested && now.Before(r.fight.pausedUntil) {
		w.schedule(r, r.fight.pausedUntil)
		return false
	}
	r.fight.pausedUntil = time.Time{}
	if w.fights.strikes < strikesOfAll && (rested || r.fight.strikes < strikesOfRoute) {
		r.fight.strikes++
		r.fight.last = now
		w.fights.strikes++
		return true
	}
	r.fight.pausedUntil = now.Add(window + w.share(r, window/4))
	w.schedule(r, r.fight.pausedUntil)
	count(w.o.Metrics.Contended)
	if now.Sub(w.fights.told) >= window {
		w.fights.told = now
		attrs := append([]any{"kind", w.o.Kind, "namespace", r.key.Namespace, "name", r.key.Name}, r.opinion.against(r.latest)...)
		w.o.Logger.Error("Another router of the same name writes a different status; give both the same configuration or different names", attrs...)
	}
	return false
}

// windowsOfYielding is for how many windows a replica leaves an entry alone
// that another has put there who may know more.
const windowsOfYielding = 10

// yield leaves an entry to the replica that wrote it, for a time: after that,
// the other may not be there any longer, and if it is, it says so again.
func (w *machine) yield(r *record) {
	r.satisfied, r.overwritten = true, false
	if !r.waiting {
		rest := windowsOfYielding * w.o.ContentionWindow
		w.schedule(r, w.o.Now().Add(rest+w.share(r, rest)))
	}
}
