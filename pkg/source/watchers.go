package source

import (
	"context"
	"sync"
)

// Watchers runs a goroutine for each object that is watched one by one. Its
// methods may be called from any goroutine, and but for Stop none of them waits.
type Watchers struct {
	queue *Queue

	mu      sync.Mutex
	stopped bool
	active  map[Key]*watcher
	running sync.WaitGroup
}

type watcher struct{ stop context.CancelFunc }

// NewWatchers returns Watchers that watch nothing.
func NewWatchers(queue *Queue) *Watchers { return &Watchers{queue: queue, active: map[Key]*watcher{}} }

// Watch calls run, in a goroutine, unless the object is watched already. The
// context ends with Forget or Stop, after which what run pushes is dropped.
func (w *Watchers) Watch(k Key, run func(ctx context.Context, push func(Change))) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped || w.active[k] != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	own := &watcher{cancel}
	w.active[k] = own
	w.running.Go(func() {
		run(ctx, func(c Change) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.active[k] == own {
				w.queue.Push(c)
			}
		})
	})
}

// Forget ends what Watch began, and pushes that nobody looks at the object any
// longer.
func (w *Watchers) Forget(k Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if own := w.active[k]; own != nil {
		own.stop()
		delete(w.active, k)
		w.queue.Push(Change{Key: k, Absence: Forgotten})
	}
}

// Stop ends all, and waits until nothing is under way.
func (w *Watchers) Stop() {
	w.mu.Lock()
	w.stopped = true
	for _, own := range w.active {
		own.stop()
	}
	w.mu.Unlock()
	w.running.Wait()
}
