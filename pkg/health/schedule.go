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
	asleep sleepers
}

func newSchedule() schedule { return schedule{lanes: map[string]*lane{}} }

// lane has the endpoints of a namespace. Those about which the mind is about to
// change come first, but never more than every other time: however many pods
// die at once, the others are looked at, too.
type lane struct {
	name             string
	suspects, others line
	// turn is whether a suspect was last.
	turn bool
	// place is where the lane is among the sleepers, or nowhere.
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
	e.lane = l
	heap.Push(l.lineOf(e), waiting{e, due})
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
	if was := (*e.lane.lineOf(e))[e.place].due; was.Before(due) {
		due = was
	}
	s.remove(e)
	s.push(e, namespace, due)
}

// fix puts a lane in its place among the sleepers, after one of its endpoints
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
	for len(s.asleep) > 0 && !s.asleep[0].due().After(now) {
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
		return nil, s.asleep[0].due().Sub(now)
	}
	return nil, -1
}

func (l *lane) lineOf(e *endpoint) *line {
	if e.suspect() {
		return &l.suspects
	}
	return &l.others
}

func (l *lane) empty() bool { return len(l.suspects)+len(l.others) == 0 }

// due is when the first of the lane's endpoints is.
func (l *lane) due() time.Time {
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
	if l.turn {
		first, second = second, first
	}
	for _, from := range []*line{first, second} {
		if len(*from) > 0 && !(*from)[0].due.After(now) {
			l.turn = from == &l.suspects
			return heap.Pop(from).(waiting).endpoint
		}
	}
	return nil
}

// sleepers is a heap of lanes.
type sleepers []*lane

// Len implements heap.Interface.
func (s sleepers) Len() int { return len(s) }

// Less implements heap.Interface.
func (s sleepers) Less(i, j int) bool { return s[i].due().Before(s[j].due()) }

// Swap implements heap.Interface.
func (s sleepers) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].place, s[j].place = place(i), place(j)
}

// Push implements heap.Interface.
func (s *sleepers) Push(x any) {
	l := x.(*lane)
	l.place = place(len(*s))
	*s = append(*s, l)
}

// Pop implements heap.Interface.
func (s *sleepers) Pop() any {
	last := len(*s) - 1
	l := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	l.place = nowhere
	return l
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
