package health

import (
	"container/heap"
	"time"
)

// schedule has the endpoints in the order in which they are to be checked.
// Those about which the mind is about to change come first, but never more
// than every other time: however many pods die at once, the others are looked
// at, too.
type schedule struct {
	suspects, others line
	// turn is whether a suspect was last.
	turn bool
}

// place is where an endpoint is in its line, or nowhere.
type place int

const nowhere place = -1

func (s *schedule) lineOf(e *endpoint) *line {
	if e.suspect() {
		return &s.suspects
	}
	return &s.others
}

// push puts an endpoint in its line. It must be in none.
func (s *schedule) push(e *endpoint, due time.Time) {
	heap.Push(s.lineOf(e), waiting{e, due})
}

// remove takes an endpoint out of its line, if it is in one.
func (s *schedule) remove(e *endpoint) {
	if e.place != nowhere {
		heap.Remove(s.lineOf(e), int(e.place))
	}
}

// hasten brings an endpoint forward, if it is in a line and due later: it may
// wait for an interval of days, for which another route has asked.
func (s *schedule) hasten(e *endpoint, due time.Time) {
	if e.place == nowhere {
		return
	}
	l := s.lineOf(e)
	if w := &(*l)[e.place]; due.Before(w.due) {
		w.due = due
		heap.Fix(l, int(e.place))
	}
}

// next takes the endpoint out that is to be checked now, or says how long
// there is nothing to do: for good if wait is less than 0.
func (s *schedule) next(now time.Time) (e *endpoint, wait time.Duration) {
	first, second := &s.suspects, &s.others
	if s.turn {
		first, second = second, first
	}
	wait = -1
	for _, l := range []*line{first, second} {
		if len(*l) == 0 {
			continue
		}
		left := (*l)[0].due.Sub(now)
		if left <= 0 {
			s.turn = l == &s.suspects
			return heap.Pop(l).(waiting).endpoint, 0
		}
		if wait < 0 || left < wait {
			wait = left
		}
	}
	return nil, wait
}

// waiting is an endpoint with the time at which it is due.
type waiting struct {
	endpoint *endpoint
	due      time.Time
}

// line is a heap, the endpoint that is due first in front.
type line []waiting

// Len implements heap.Interface.
func (l line) Len() int { return len(l) }

// Less implements heap.Interface.
func (l line) Less(i, j int) bool { return l[i].due.Before(l[j].due) }

// Swap implements heap.Interface.
func (l line) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].endpoint.place, l[j].endpoint.place = place(i), place(j)
}

// Push implements heap.Interface.
func (l *line) Push(x any) {
	w := x.(waiting)
	w.endpoint.place = place(len(*l))
	*l = append(*l, w)
}

// Pop implements heap.Interface.
func (l *line) Pop() any {
	last := len(*l) - 1
	w := (*l)[last]
	(*l)[last] = waiting{}
	*l = (*l)[:last]
	w.endpoint.place = nowhere
	return w
}
