package authz

import (
	"sync"
	"time"
)

// cache keeps answers for a while, and no more than a number of them: when it
// is full and nothing in it is old, it begins anew.
type cache[K comparable, V any] struct {
	now  func() time.Time
	size int

	mu      sync.Mutex
	entries map[K]entry[V]
}

type entry[V any] struct {
	value V
	until time.Time
}

func newCache[K comparable, V any](now func() time.Time, size int) *cache[K, V] {
	return &cache[K, V]{now: now, size: size, entries: map[K]entry[V]{}}
}

func (c *cache[K, V]) get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok || !c.now().Before(e.until) {
		var none V
		return none, false
	}
	return e.value, true
}

func (c *cache[K, V]) put(key K, value V, age time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if len(c.entries) >= c.size {
		for k, e := range c.entries {
			if !now.Before(e.until) {
				delete(c.entries, k)
			}
		}
		if len(c.entries) >= c.size {
			clear(c.entries)
		}
	}
	c.entries[key] = entry[V]{value: value, until: now.Add(age)}
}
