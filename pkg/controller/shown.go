package controller

import (
	"cmp"
	"slices"
	"strings"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"

	"router/pkg/model"
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

// shown is what people are told of a route's problems. A problem whose cause
// comes and goes with pods is told once it has lasted.
type shown struct {
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

// show decides what is told of problems now; before is nil for a route that is
// looked at for the first time.
func show(problems []model.Problem, before *shown, now time.Time) shown {
	first := before == nil
	if first {
		before = &shown{}
	}
	var t shown
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
func (t *shown) unsettledCondition() routev1.RouteIngressConditionType {
	if t.unsettled {
		return Degraded
	}
	return ""
}
