package health

import (
	"container/heap"
	"time"
)

// schedule has the endpoints in the order in which they are to be checked. Each
// namespace has a lane, and lanes with something to do take turns: however many
// endpoints a namespace has, and however long their checks take, those of the
// others are looked at as often.
type schedule struct {
	lanes map[string]*lane
	// queue are lanes that had something to do when they were looked at, asleep
	// the others, the one that wakes first in front.
	queue  []*lane
	asleep byDue[*lane]
}

func newSchedule() schedule { return schedule{lanes: map[string]*lane{}} }

// lane has the endpoints of a namespace. Suspects come first, but never more than
// every other time: however many pods die at once, the others are checked, too.
type lane struct {
	name             string
	suspects, others byDue[*endpoint]
	// suspectWasLast is whether the last one that was taken out was a suspect.
	suspectWasLast bool
	// place is where the lane is among those asleep, or nowhere.
	place place
}

// place is where something is in a heap, or nowhere.
type place int

const nowhere place = -1

// push puts an endpoint into the lane of a namespace. It must be in none.
func (s *schedule) push(e *endpoint, namespace string, due time.Time) {
	l := s.lanes[namespace]
	isNew := l == nil
	if isNew {
		l = &lane{name: namespace, place: nowhere}
		s.lanes[namespace] = l
	}
	e.lane, e.due = l, due
	heap.Push(l.lineOf(e), e)
	if isNew {
		heap.Push(&s.asleep, l)
	} else {
		s.fix(l)
	}
}

// remove takes an endpoint out of its line, if it is in one.
func (s *schedule) remove(e *endpoint) {
	if e.place != nowhere {
		heap.Remove(e.lane.lineOf(e), int(e.place))
		s.fix(e.lane)
	}
}

// hasten brings an endpoint forward, if it is in a line and due later: it may
// wait for an interval of days, for which another route has asked.
func (s *schedule) hasten(e *endpoint, namespace string, due time.Time) {
	if e.place == nowhere {
		return
	}
	if e.due.Before(due) {
		due = e.due
	}
	s.remove(e)
	s.push(e, namespace, due)
}

// fix puts a lane in its place among those asleep, after one of its endpoints
// came or went. One in the queue is looked at when its turn comes.
func (s *schedule) fix(l *lane) {
	switch {
	case l.place == nowhere:
	case l.empty():
		heap.Remove(&s.asleep, int(l.place))
		delete(s.lanes, l.name)
	default:
		heap.Fix(&s.asleep, int(l.place))
	}
}

// next takes the endpoint out that is to be checked now, or says how long
// there is nothing to do: for good if wait is less than 0.
func (s *schedule) next(now time.Time) (e *endpoint, wait time.Duration) {
	for len(s.asleep) > 0 && !s.asleep[0].dueAt().After(now) {
		s.queue = append(s.queue, heap.Pop(&s.asleep).(*lane))
	}
	for len(s.queue) > 0 && e == nil {
		l := s.queue[0]
		s.queue = s.queue[1:]
		e = l.next(now)
		if l.empty() {
			delete(s.lanes, l.name)
		} else {
			heap.Push(&s.asleep, l)
		}
	}
	switch {
	case e != nil:
		return e, 0
	case len(s.asleep) > 0:
		return nil, s.asleep[0].dueAt().Sub(now)
	}
	return nil, -1
}

func (l *lane) lineOf(e *endpoint) *byDue[*endpoint] {
	if e.suspect() {
		return &l.suspects
	}
	return &l.others
}

func (l *lane) empty() bool { return len(l.suspects)+len(l.others) == 0 }

// dueAt is when the first of the lane's endpoints is due.
func (l *lane) dueAt() time.Time {
	switch {
	case len(l.suspects) == 0:
		return l.others[0].due
	case len(l.others) == 0 || l.suspects[0].due.Before(l.others[0].due):
		return l.suspects[0].due
	}
	return l.others[0].due
}

// next takes an endpoint out that is due, nil if none is.
func (l *lane) next(now time.Time) *endpoint {
	first, second := &l.suspects, &l.others
	if l.suspectWasLast {
		first, second = second, first
	}
	for _, from := range []*byDue[*endpoint]{first, second} {
		if len(*from) > 0 && !(*from)[0].due.After(now) {
			l.suspectWasLast = from == &l.suspects
			return heap.Pop(from).(*endpoint)
		}
	}
	return nil
}

// item is what can wait in a heap.
type item interface {
	dueAt() time.Time
	moved(place)
}

func (l *lane) moved(p place)        { l.place = p }
func (e *endpoint) dueAt() time.Time { return e.due }
func (e *endpoint) moved(p place)    { e.place = p }

// byDue is a heap, the item that is due first in front.
type byDue[T item] []T

// Len implements heap.Interface.
func (h byDue[T]) Len() int { return len(h) }

// Less implements heap.Interface.
func (h byDue[T]) Less(i, j int) bool { return h[i].dueAt().Before(h[j].dueAt()) }

// Swap implements heap.Interface.
func (h byDue[T]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].moved(place(i))
	h[j].moved(place(j))
}

// Push implements heap.Interface.
func (h *byDue[T]) Push(x any) {
	x.(T).moved(place(len(*h)))
	*h = append(*h, x.(T))
}

// Pop implements heap.Interface.
func (h *byDue[T]) Pop() any {
	last := (*h)[len(*h)-1]
	clear((*h)[len(*h)-1:])
	*h = (*h)[:len(*h)-1]
	last.moved(nowhere)
	return last
}
