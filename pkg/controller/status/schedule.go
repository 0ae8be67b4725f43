package status

import (
	"container/heap"
	"hash/fnv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/model"
)

// record is what is known of one object: this router's opinion, the newest
// object seen, and when to act. It belongs to the machine's mutex.
type record struct {
	key model.RouteKey
	// opinion is what the status should be; nil while there is none.
	opinion opinion
	// latest is the newest object known, nil if none is. It is shared with
	// caches and never modified.
	latest metav1.Object

	// due is when to act; waiting whether to act at all. A record that a
	// worker holds is busy and not in the queue; place is -1 outside of it.
	due     time.Time
	waiting bool
	busy    bool
	place   int

	// failures counts writes in vain since the last success.
	failures int
	// satisfied means that latest was as desired when last looked at,
	// overwritten that somebody else has changed it since.
	satisfied, overwritten bool
	// written is the version that this replica's last write made, refused the
	// one that the API server found too old for a write.
	written, refused string
	fight            fight
}

// rank is a number in [0, 1) that differs among replicas and routes, and is
// always the same for one replica and one route.
func rank(replica string, k model.RouteKey) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(replica + "\x00" + k.Namespace + "\x00" + k.Name))
	// The low bits of FNV depend on all input, the high ones hardly on the
	// last bytes.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return float64(x>>11) / (1 << 53)
}

// queue is a heap of records by the time that they are due; equal times go by
// key, so that a run can be repeated.
type queue []*record

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if !q[i].due.Equal(q[j].due) {
		return q[i].due.Before(q[j].due)
	}
	return q[i].key.Compare(q[j].key) < 0
}
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	r := x.(*record)
	r.place = len(*q)
	*q = append(*q, r)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	old := *q
	r := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	r.place = -1
	return r
}

// schedule makes a record due at a time, earlier or later than it was.
func (w *machine) schedule(r *record, at time.Time) {
	r.due, r.waiting = at, true
	switch {
	case r.busy: // release puts it into the queue.
	case r.place >= 0:
		heap.Fix(&w.queue, r.place)
	default:
		heap.Push(&w.queue, r)
	}
	w.signal()
}

// unschedule takes a record out of the queue.
func (w *machine) unschedule(r *record) {
	r.waiting = false
	if r.place >= 0 {
		heap.Remove(&w.queue, r.place)
	}
}

// take hands out the record that is due, or nil and how long to wait for the
// next; a negative time means that nothing waits.
func (w *machine) take() (*record, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return nil, -1
	}
	if wait := w.queue[0].due.Sub(w.o.Now()); wait > 0 {
		return nil, wait
	}
	r := heap.Pop(&w.queue).(*record)
	r.busy, r.waiting = true, false
	if len(w.queue) > 0 {
		w.signal() // another worker may have work, too
	}
	return r, 0
}

// release takes a record back from a worker.
func (w *machine) release(r *record) {
	r.busy = false
	if r.waiting && w.records[r.key] == r {
		heap.Push(&w.queue, r)
		w.signal()
	}
}

// signal wakes one worker. A worker that takes work wakes the next.
func (w *machine) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
