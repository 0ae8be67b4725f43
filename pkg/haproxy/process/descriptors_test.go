package process

import "testing"

func TestConnectionsFitTheLimitOfOpenFiles(t *testing.T) {
	for _, c := range []struct {
		limit                 uint64
		wanted, threads, want int
	}{
		{1 << 20, 50000, 4, 50000},
		{100116, 50000, 4, 50000},
		{100115, 50000, 4, 49999},
		{20000, 50000, 2, 9946},
		{512, 2000, 4, 198},
		{512, 150, 4, 150},
		{130, 50000, 4, 10},
		{20, 50000, 64, 10},
		{20, 5, 1, 5},
	} {
		if got := connectionsWithin(c.limit, c.wanted, c.threads); got != c.want {
			t.Errorf("within %d descriptors, %d connections and %d threads: %d, want %d", c.limit, c.wanted, c.threads, got, c.want)
		}
	}
}
