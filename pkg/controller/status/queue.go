package status

import "router/pkg/model"

// turns is a workqueue.Queue that gives each namespace its turn: a namespace
// with many changes does not hold up the others.
type turns struct {
	// order has the namespaces with keys, the next one first.
	order []string
	keys  map[string][]model.RouteKey
	n     int
}

func newTurns() *turns { return &turns{keys: map[string][]model.RouteKey{}} }

// Touch implements workqueue.Queue: a key that waits keeps its place.
func (*turns) Touch(model.RouteKey) {}

// Len implements workqueue.Queue.
func (t *turns) Len() int { return t.n }

// Push implements workqueue.Queue.
func (t *turns) Push(k model.RouteKey) {
	if len(t.keys[k.Namespace]) == 0 {
		t.order = append(t.order, k.Namespace)
	}
	t.keys[k.Namespace] = append(t.keys[k.Namespace], k)
	t.n++
}

// Pop implements workqueue.Queue.
func (t *turns) Pop() model.RouteKey {
	namespace := t.order[0]
	waiting := t.keys[namespace]
	t.order, t.keys[namespace] = t.order[1:], waiting[1:]
	if len(waiting) > 1 {
		t.order = append(t.order, namespace)
	} else {
		delete(t.keys, namespace)
	}
	t.n--
	return waiting[0]
}
