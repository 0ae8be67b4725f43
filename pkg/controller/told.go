package controller

import (
	"cmp"
	"slices"
	"strings"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/controller/translate"
	"router/pkg/model"
	"router/pkg/source"
)

// The conditions beside those of the reference router.
const (
	// SettingsIgnored is for settings that are not applied as they are written.
	SettingsIgnored routev1.RouteIngressConditionType = "SettingsIgnored"
	// Degraded is for what is wrong with what a route leads to. Its reason is
	// the worst cause.
	Degraded routev1.RouteIngressConditionType = "Degraded"
)

// invalidSettings is the reason of SettingsIgnored.
const invalidSettings = "InvalidSettings"

// lastsFor is how long a service must be without endpoints, or without ready
// ones, before that is told. A rollout or the restart of a single pod leaves a
// gap of some seconds; it is no news, and must not cost writes.
const lastsFor = 10 * time.Second

// told is what is told of a route's problems. A problem whose cause comes and
// goes with pods is told once it has lasted.
type told struct {
	// problems are those that are told.
	problems []model.Problem
	// since is when the causes that come and go began.
	since map[passing]time.Time
	// due is when the next of them has lasted, zero if none is waited for.
	due time.Time
	// unsettled means that a cause is waited for, and that nothing else has
	// happened since: a condition that stands in the status may be right.
	unsettled bool
}

// passing is a cause that comes and goes, of a service.
type passing struct {
	service string
	cause   model.Cause
}

// settled decides what is told of problems now; before is nil for a route that
// is looked at for the first time.
func settled(problems []model.Problem, before *told, now time.Time) told {
	first := before == nil
	if first {
		before = &told{}
	}
	var t told
	waits := map[string]bool{}
	for _, p := range problems {
		if p.Cause.Passing() {
			k := passing{p.Service, p.Cause}
			began, known := before.since[k]
			if !known {
				began = now
			}
			if t.since == nil {
				t.since = map[passing]time.Time{}
			}
			t.since[k] = began
			if due := began.Add(lastsFor); now.Before(due) {
				waits[p.Service] = true
				if t.due.IsZero() || due.Before(t.due) {
					t.due = due
				}
				continue
			}
		}
		t.problems = append(t.problems, p)
	}
	if len(waits) == 0 {
		return t
	}
	for _, p := range before.problems {
		// A service whose endpoints were of no use before has not become better.
		if waits[p.Service] && p.Cause.OfEndpoints() && !slices.Contains(t.problems, p) {
			t.problems = append(t.problems, p)
		}
	}
	same := slices.Equal(causesOf(before.problems), causesOf(t.problems))
	t.unsettled = first || same && (before.due.IsZero() || before.unsettled)
	return t
}

// causesOf are the problems that make a route degraded, the worst first.
func causesOf(problems []model.Problem) []model.Problem {
	list := slices.DeleteFunc(slices.Clone(problems), func(p model.Problem) bool { return p.Cause == model.SettingIgnored })
	slices.SortStableFunc(list, func(a, b model.Problem) int { return a.Cause.Compare(b.Cause) })
	return list
}

// conditions say what is told in a status.
func conditions(problems []model.Problem) []routev1.RouteIngressCondition {
	problems = slices.DeleteFunc(slices.Clone(problems), func(p model.Problem) bool { return p.Local })
	causes := causesOf(problems)
	settings := slices.DeleteFunc(slices.Clone(problems), func(p model.Problem) bool { return p.Cause != model.SettingIgnored })
	var list []routev1.RouteIngressCondition
	for kind, told := range map[routev1.RouteIngressConditionType][]model.Problem{Degraded: causes, SettingsIgnored: settings} {
		if len(told) == 0 {
			continue
		}
		texts := make([]string, len(told))
		for i, p := range told {
			texts[i] = p.Text()
		}
		list = append(list, routev1.RouteIngressCondition{
			Type: kind, Status: corev1.ConditionTrue, Reason: reasonOf(told[0]), Message: strings.Join(texts, "; "),
		})
	}
	slices.SortFunc(list, func(a, b routev1.RouteIngressCondition) int { return cmp.Compare(a.Type, b.Type) })
	return list
}

// reasonOf is the one word for a problem.
func reasonOf(p model.Problem) string { return cmp.Or(string(p.Cause), invalidSettings) }

// unsettledCondition is the condition that is still being decided about.
func (t *told) unsettledCondition() routev1.RouteIngressConditionType {
	if t.unsettled {
		return Degraded
	}
	return ""
}

// settle decides what is told of a route whose problems are known anew.
func (c *Controller) settle(k model.RouteKey, before *served) {
	s := c.routes[k]
	if before == nil {
		s.told = settled(s.problems, nil, c.opts.Now())
	} else {
		s.told = settled(s.problems, &before.told, c.opts.Now())
	}
	c.waiting.put(k, s.told.due)
	if until := s.verdict.Until; until.IsZero() {
		c.aging.put(k, until)
	} else {
		c.aging.put(k, until.Add(waitStep)) // A certificate is valid to the end of its last second.
	}
	missing := slices.ContainsFunc(s.problems, func(p model.Problem) bool { return p.Cause == model.ServiceNotFound })
	switch of := c.absent[k.Namespace]; {
	case !missing:
		c.forgetAbsent(k)
	case of == nil:
		c.absent[k.Namespace] = map[model.RouteKey]bool{k: true}
	default:
		of[k] = true
	}
}

// forgetTold drops what is remembered of a route that is gone.
func (c *Controller) forgetTold(k model.RouteKey) {
	c.waiting.put(k, time.Time{})
	c.aging.put(k, time.Time{})
	c.news.forget(k)
	c.forgetAbsent(k)
}

func (c *Controller) forgetAbsent(k model.RouteKey) {
	delete(c.absent[k.Namespace], k)
	if len(c.absent[k.Namespace]) == 0 {
		delete(c.absent, k.Namespace)
	}
}

// noteService looks anew at routes to a service that is not there when the one
// that they may mean comes or goes: what they are told must not depend on when
// a replica has looked. old is what there was before the change.
func (c *Controller) noteService(change source.Change, old metav1.Object) {
	if change.Key.Kind != source.KindService || (old == nil) == (change.Object == nil) {
		return
	}
	services := c.store.ServiceCount(change.Key.Namespace)
	for k := range c.absent[change.Key.Namespace] {
		if slices.ContainsFunc(c.routes[k].problems, func(p model.Problem) bool {
			return p.Cause == model.ServiceNotFound && translate.MayMean(p.Service, change.Key.Name, services)
		}) {
			c.dirty[k] = true
		}
	}
}

// tellLasting tells what has lasted by now.
func (c *Controller) tellLasting() {
	now := c.opts.Now()
	lasted := map[model.RouteKey]bool{}
	for _, k := range c.waiting.take(now) {
		s := c.routes[k]
		s.told = settled(s.problems, &s.told, now)
		c.waiting.put(k, s.told.due)
		// What HAProxy does not have yet is told when it has it.
		if !c.dirty[k] {
			lasted[k] = true
		}
	}
	c.tell(lasted)
	c.news.flush()
}

// wakeToTell sets a timer to when there may be something to tell.
func (c *Controller) wakeToTell(timer *time.Timer) {
	var next time.Time
	for _, at := range []time.Time{c.waiting.next, c.aging.next, c.news.due()} {
		if next.IsZero() || !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	if next.IsZero() {
		timer.Stop()
		return
	}
	timer.Reset(max(0, next.Sub(c.opts.Now())))
}

// waiting is when something of routes is due.
type waiting struct {
	due map[model.RouteKey]time.Time
	// next is not after the first of them, zero if there are none.
	next time.Time
}

// waitStep is the time between two looks at all that wait; many routes wait at
// once where a node is lost, and not all since the same moment.
const waitStep = time.Second

// put notes when a route is due; zero is never.
func (w *waiting) put(k model.RouteKey, due time.Time) {
	if due.IsZero() {
		delete(w.due, k)
		return
	}
	if w.due == nil {
		w.due = map[model.RouteKey]time.Time{}
	}
	w.due[k] = due
	if w.next.IsZero() || due.Before(w.next) {
		w.next = due
	}
}

// isDue reports whether some may be due.
func (w *waiting) isDue(now time.Time) bool { return !w.next.IsZero() && !now.Before(w.next) }

// take removes the routes that are due, and returns them in order.
func (w *waiting) take(now time.Time) []model.RouteKey {
	if !w.isDue(now) {
		return nil
	}
	w.next = time.Time{}
	soonest := now.Add(waitStep)
	var list []model.RouteKey
	for k, due := range w.due {
		if !now.Before(due) {
			list = append(list, k)
			delete(w.due, k)
			continue
		}
		if due.Before(soonest) {
			due = soonest
		}
		if w.next.IsZero() || due.Before(w.next) {
			w.next = due
		}
	}
	slices.SortFunc(list, model.RouteKey.Compare)
	return list
}
