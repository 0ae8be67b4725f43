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

	mu      sync.Mutex
	waiting []Change
	// at is where in waiting the change of an object is.
	at     map[Key]int
	first  time.Time
	synced bool
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
	return &Queue{now: now, ready: make(chan struct{}, 1), at: map[Key]int{}}
}

// Push adds changes. It never waits for the consumer.
func (q *Queue) Push(changes ...Change) {
	if len(changes) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.first = q.now()
	}
	for _, c := range changes {
		if i, waits := q.at[c.Key]; waits {
			q.waiting[i] = c
			continue
		}
		q.at[c.Key] = len(q.waiting)
		q.waiting = append(q.waiting, c)
	}
	q.signal()
}

// MarkSynced says that all initial objects have been pushed. Only the first
// call has an effect.
func (q *Queue) MarkSynced() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.synced {
		q.synced = true
		q.signal()
	}
}

// signal is called with the lock held, so that a drain takes the signal of
// what it drains along.
func (q *Queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// Ready receives when there is something to drain: changes, or the news that
// the initial objects are complete.
func (q *Queue) Ready() <-chan struct{} { return q.ready }

// Synced reports whether MarkSynced was called. Objects pushed before may
// still be in the queue.
func (q *Queue) Synced() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.synced
}

// Drain takes all changes out. It never waits; the batch may be empty.
func (q *Queue) Drain() Batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := Batch{Changes: q.waiting, Synced: q.synced, First: q.first}
	// The map is made anew, because one that once held all objects of a large
	// cluster would keep its size.
	q.waiting, q.at, q.first = nil, map[Key]int{}, time.Time{}
	select {
	case <-q.ready:
	default:
	}
	return b
}
