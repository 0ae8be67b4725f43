package source

import (
	"sync"
	"time"
)

// Queue carries changes from sources to the controller. It is unbounded, so
// that no informer ever waits, and keeps only the latest change of an object.
// All methods may be called from any goroutine.
type Queue struct {
	now   func() time.Time
	ready chan struct{}

	mu     sync.Mutex
	order  []Key
	latest map[Key]Change
	synced bool
	first  time.Time
}

// Batch is what a queue held.
type Batch struct {
	// Changes are in the order in which their objects first changed.
	Changes []Change
	// Synced is whether all objects that there were at the start have been
	// handed out, this batch included.
	Synced bool
	// First is when the oldest change arrived; zero without changes.
	First time.Time
}

// NewQueue makes a queue that tells the time by now.
func NewQueue(now func() time.Time) *Queue {
	return &Queue{now: now, ready: make(chan struct{}, 1), latest: map[Key]Change{}}
}

// Push adds changes.
func (q *Queue) Push(changes ...Change) {
	if len(changes) == 0 {
		return
	}
	q.mu.Lock()
	if len(q.order) == 0 {
		q.first = q.now()
	}
	for _, c := range changes {
		if _, waiting := q.latest[c.Key]; !waiting {
			q.order = append(q.order, c.Key)
		}
		q.latest[c.Key] = c
	}
	q.mu.Unlock()
	q.signal()
}

// MarkSynced says that all initial objects have been pushed.
func (q *Queue) MarkSynced() {
	q.mu.Lock()
	q.synced = true
	q.mu.Unlock()
	q.signal()
}

func (q *Queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// Ready receives when there is something to drain.
func (q *Queue) Ready() <-chan struct{} { return q.ready }

// Drain takes all changes out.
func (q *Queue) Drain() Batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := Batch{Synced: q.synced, First: q.first}
	for _, k := range q.order {
		b.Changes = append(b.Changes, q.latest[k])
	}
	q.order, q.first = nil, time.Time{}
	clear(q.latest)
	return b
}
