package controller

import (
	"slices"
	"time"

	"router/pkg/model"
)

// deadlines are when something of routes is due.
type deadlines struct {
	due map[model.RouteKey]time.Time
	// next is not after the first of them, zero if there are none.
	next time.Time
}

// deadlineStep is the time between two looks at all deadlines; many routes wait
// at once where a node is lost, and not all since the same moment.
const deadlineStep = time.Second

// put notes when a route is due; zero is never.
func (d *deadlines) put(k model.RouteKey, due time.Time) {
	if due.IsZero() {
		delete(d.due, k)
		return
	}
	if d.due == nil {
		d.due = map[model.RouteKey]time.Time{}
	}
	d.due[k] = due
	if d.next.IsZero() || due.Before(d.next) {
		d.next = due
	}
}

// isDue reports whether some may be due.
func (d *deadlines) isDue(now time.Time) bool { return !d.next.IsZero() && !now.Before(d.next) }

// take removes the routes that are due, and returns them in order.
func (d *deadlines) take(now time.Time) []model.RouteKey {
	if !d.isDue(now) {
		return nil
	}
	d.next = time.Time{}
	soonest := now.Add(deadlineStep)
	var list []model.RouteKey
	for k, due := range d.due {
		if !now.Before(due) {
			list = append(list, k)
			delete(d.due, k)
			continue
		}
		if due.Before(soonest) {
			due = soonest
		}
		if d.next.IsZero() || due.Before(d.next) {
			d.next = due
		}
	}
	slices.SortFunc(list, model.RouteKey.Compare)
	return list
}
