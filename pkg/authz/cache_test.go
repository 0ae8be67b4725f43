package authz

import (
	"testing"
	"time"
)

func TestTheCacheForgets(t *testing.T) {
	now := time.Unix(0, 0)
	c := newCache[string, int](func() time.Time { return now }, 2)
	has := func(want map[string]bool) {
		t.Helper()
		for key, there := range want {
			if _, ok := c.get(key); ok != there {
				t.Errorf("%s is there: %v, want %v", key, ok, there)
			}
		}
	}
	c.put("a", 1, time.Second)
	c.put("b", 2, time.Minute)
	has(map[string]bool{"a": true, "b": true, "c": false})
	now = now.Add(time.Second)
	has(map[string]bool{"a": false, "b": true})
	c.put("c", 3, time.Minute) // In the place of what is old.
	has(map[string]bool{"b": true, "c": true})
	c.put("d", 4, time.Minute) // Nothing is old.
	has(map[string]bool{"b": false, "c": false, "d": true})
	if len(c.entries) != 1 {
		t.Errorf("there are %d entries", len(c.entries))
	}
}
