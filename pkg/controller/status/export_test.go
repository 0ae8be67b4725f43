package status

import "time"

// Pending is how many objects are known whose status is not as desired.
func (w *writer) Pending() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.records {
		if r.desired != nil && (r.desired.removes() && w.role != Following || !r.desired.removes() && (r.latest == nil || r.desired.change(r.latest, time.Now()) != nil)) {
			n++
		}
	}
	return n
}

// Role is the replica's part.
func (w *writer) Role() Role {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.role
}
