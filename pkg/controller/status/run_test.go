package status

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"

	"router/pkg/model"
)

// watched is a client that tells of each write on a channel.
type watched struct {
	Client
	written chan *routev1.Route
}

// UpdateStatus implements Client.
func (c watched) UpdateStatus(ctx context.Context, r *routev1.Route) (*routev1.Route, error) {
	updated, err := c.Client.UpdateStatus(ctx, r)
	if err == nil {
		c.written <- updated
	}
	return updated, err
}

func TestRunWritesFromManyGoroutinesAndEnds(t *testing.T) {
	c := newCluster()
	c.now = time.Now()
	const routes = 200
	written := make(chan *routev1.Route, 10*routes)
	api := c.join("api", "", 0) // only as a client
	var made []*routev1.Route
	for i := range routes {
		made = append(made, c.create(fmt.Sprint("r", i), "h.example.org"))
	}
	var writers []*Writer
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for i := range 3 {
		w := New(Options{
			Client: watched{api, written}, RouterName: "public", Replica: fmt.Sprint("replica-", i),
			Logger: slog.New(slog.DiscardHandler), Now: time.Now, Turn: 20 * time.Millisecond,
		})
		writers = append(writers, w)
		running.Go(func() { w.Run(ctx) })
	}
	for _, r := range made {
		for _, w := range writers {
			w.Observe(r)
			w.Set(*admit(r))
		}
	}
	seen := map[string]int{}
	for len(seen) < routes {
		select {
		case r := <-written:
			seen[r.Name]++
			for _, w := range writers {
				w.Observe(r)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%d of %d routes were written", len(seen), routes)
		}
	}
	cancel()
	running.Wait()
	for name, n := range seen {
		if n != 1 {
			t.Errorf("%s was written %d times", name, n)
		}
	}
}

func TestRankIsSpreadEvenly(t *testing.T) {
	var buckets [10]int
	for i := range 10000 {
		x := rank(fmt.Sprint("router-", i%7), model.RouteKey{Namespace: fmt.Sprint("n", i%13), Name: fmt.Sprint("r", i)})
		if x < 0 || x >= 1 {
			t.Fatalf("rank is %v", x)
		}
		buckets[int(x*10)]++
	}
	for i, n := range buckets {
		if n < 800 || n > 1200 {
			t.Errorf("bucket %d has %d of 10000", i, n)
		}
	}
}
