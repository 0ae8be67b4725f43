package health_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"router/pkg/health"
	"router/pkg/model"
)

// pods answers checks without a network: those that are dead refuse, those that
// are silent never answer.
type pods struct {
	mu           sync.Mutex
	dead, silent map[netip.AddrPort]bool
	checks       map[netip.AddrPort]int
	total        int
}

func newPods() *pods {
	return &pods{dead: map[netip.AddrPort]bool{}, silent: map[netip.AddrPort]bool{}, checks: map[netip.AddrPort]int{}}
}

func (p *pods) connect(ctx context.Context, address netip.AddrPort) error {
	p.mu.Lock()
	p.checks[address]++
	p.total++
	dead, silent := p.dead[address], p.silent[address]
	p.mu.Unlock()
	switch {
	case dead:
		return errors.New("refused")
	case silent:
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (p *pods) set(in map[netip.AddrPort]bool, address netip.AddrPort, is bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	in[address] = is
}

func (p *pods) count(address netip.AddrPort) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.checks[address]
}

func (p *pods) all() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total
}

func address(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i / 250), byte(i%250 + 1)}), 8080)
}

func targets(interval time.Duration, numbers ...int) []health.Target {
	var list []health.Target
	for _, i := range numbers {
		list = append(list, health.Target{Address: address(i), Interval: interval})
	}
	return list
}

func key(name string) model.RouteKey { return model.RouteKey{Namespace: "ns", Name: name} }

// run runs a test in a bubble of time beside a running checker.
func run(t *testing.T, rate int, test func(t *testing.T, c *health.Checker, p *pods)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPods()
		c := health.New(health.Options{Rate: rate, Connect: p.connect, Registry: prometheus.NewRegistry()})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c.Run(ctx)
		}()
		test(t, c, p)
		cancel()
		<-ended
	})
}

// after is what has changed once some time has passed.
func after(c *health.Checker, d time.Duration) map[netip.AddrPort]bool {
	time.Sleep(d) // The bubble's time.
	synctest.Wait()
	changes := map[netip.AddrPort]bool{}
	for _, h := range c.Drain() {
		changes[h.Address] = h.Failing
	}
	return changes
}

func TestThreeFailuresTakeAnEndpointOutAndTwoSuccessesBringItBack(t *testing.T) {
	run(t, 100, func(t *testing.T, c *health.Checker, p *pods) {
		c.Set(key("a"), targets(5*time.Second, 1, 2))
		if changes := after(c, 20*time.Second); len(changes) > 0 {
			t.Fatalf("healthy endpoints: %v", changes)
		}
		p.set(p.dead, address(1), true)
		before := p.count(address(1))
		// Within an interval it is seen, and within two seconds more believed.
		if changes := after(c, 8*time.Second); len(changes) != 1 || !changes[address(1)] {
			t.Fatalf("a dead endpoint: %v", changes)
		}
		if n := p.count(address(1)) - before; n < 3 || n > 5 {
			t.Errorf("%d checks of a dead endpoint", n)
		}
		if r := c.Report(address(1)); r.Failures < 3 || r.Downtime <= 0 {
			t.Errorf("the report of a dead endpoint: %+v", r)
		}
		p.set(p.dead, address(1), false)
		if changes := after(c, 8*time.Second); len(changes) != 1 || changes[address(1)] {
			t.Fatalf("an endpoint that is back: %v", changes)
		}
		if changes := after(c, time.Minute); len(changes) > 0 {
			t.Errorf("afterwards: %v", changes)
		}
	})
}

func TestASingleFailureChangesNothing(t *testing.T) {
	run(t, 100, func(t *testing.T, c *health.Checker, p *pods) {
		c.Set(key("a"), targets(5*time.Second, 1))
		_ = after(c, time.Second)
		p.set(p.dead, address(1), true)
		for n := p.count(address(1)); p.count(address(1)) == n; {
			_ = after(c, 100*time.Millisecond)
		}
		p.set(p.dead, address(1), false)
		if changes := after(c, time.Minute); len(changes) > 0 {
			t.Errorf("%v", changes)
		}
	})
}

func TestAnEndpointOfManyRoutesIsCheckedOnceAtTheLeastInterval(t *testing.T) {
	run(t, 1000, func(t *testing.T, c *health.Checker, p *pods) {
		for i := range 50 {
			c.Set(key(strconv.Itoa(i)), targets(10*time.Second, 1))
		}
		c.Set(key("often"), targets(2*time.Second, 1))
		_ = after(c, time.Minute)
		if n := p.count(address(1)); n < 28 || n > 31 {
			t.Errorf("%d checks in a minute, every 2 s", n)
		}
		c.Set(key("often"), nil)
		before := p.count(address(1))
		_ = after(c, time.Minute)
		if n := p.count(address(1)) - before; n < 5 || n > 7 {
			t.Errorf("%d checks in a minute, every 10 s", n)
		}
		p.set(p.dead, address(1), true)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		changes := c.Drain()
		if len(changes) != 1 || len(changes[0].Routes) != 50 || changes[0].Error != "refused" {
			t.Errorf("a change is not told for all routes: %+v", changes)
		}
	})
}

func TestAllChecksTogetherKeepToTheRate(t *testing.T) {
	const rate, endpoints = 50, 2000
	run(t, rate, func(t *testing.T, c *health.Checker, p *pods) {
		for i := range endpoints {
			c.Set(key(strconv.Itoa(i)), targets(time.Second, i))
		}
		_ = after(c, time.Minute)
		before := p.all()
		_ = after(c, 100*time.Second)
		if n := p.all() - before; n > 101*rate || n < 95*rate {
			t.Errorf("%d checks in 100 s at a rate of %d", n, rate)
		}
		// All take their turn.
		seen := map[int]int{}
		for i := range endpoints {
			seen[p.count(address(i))]++
		}
		if seen[0] > 0 {
			t.Errorf("%d endpoints were never checked", seen[0])
		}
		// One that dies is out soon after it was seen, however long the others wait.
		for i := range endpoints / 4 {
			p.set(p.dead, address(i*4), true)
		}
		changes := after(c, 3*endpoints/rate*time.Second)
		if len(changes) != endpoints/4 {
			t.Errorf("%d of %d dead endpoints are known", len(changes), endpoints/4)
		}
	})
}

func TestARouteDoesNotWaitForTheIntervalOfAnother(t *testing.T) {
	const never = 24 * 24 * time.Hour
	run(t, 100, func(t *testing.T, c *health.Checker, p *pods) {
		p.set(p.dead, address(1), true)
		c.Set(key("seldom"), targets(never, 1, 2))
		if changes := after(c, 10*time.Second); len(changes) != 1 || !changes[address(1)] {
			t.Fatalf("an address where nobody listens: %v", changes)
		}
		// A pod begins at that address, and belongs to another route.
		p.set(p.dead, address(1), false)
		c.Set(key("often"), targets(5*time.Second, 1, 2))
		if changes := after(c, 3*time.Second); len(changes) != 1 || changes[address(1)] {
			t.Errorf("the new pod: %v", changes)
		}
		p.set(p.dead, address(2), true)
		if changes := after(c, 15*time.Second); len(changes) != 1 || !changes[address(2)] {
			t.Errorf("a pod that died: %v", changes)
		}
	})
}

func TestAShorterIntervalCountsAtOnce(t *testing.T) {
	run(t, 100, func(t *testing.T, c *health.Checker, p *pods) {
		c.Set(key("a"), targets(time.Hour, 1))
		_ = after(c, time.Second)
		c.Set(key("a"), targets(2*time.Second, 1))
		_ = after(c, time.Minute)
		if n := p.count(address(1)); n < 28 || n > 32 {
			t.Errorf("%d checks in a minute, every 2 s", n)
		}
	})
}

func TestSilentEndpointsDoNotHoldTheOthersUp(t *testing.T) {
	run(t, 200, func(t *testing.T, c *health.Checker, p *pods) {
		for i := range 500 {
			p.set(p.silent, address(i), i < 100)
			c.Set(key(strconv.Itoa(i)), targets(5*time.Second, i))
		}
		changes := after(c, 2*time.Minute)
		if len(changes) != 100 {
			t.Errorf("%d of 100 silent endpoints are known", len(changes))
		}
		for a, failing := range changes {
			if !failing || !p.silent[a] {
				t.Errorf("%s: failing %t", a, failing)
			}
		}
		if n := p.count(address(400)); n < 10 {
			t.Errorf("a good endpoint was checked %d times in 2 min", n)
		}
	})
}

func TestAnEndpointThatNobodyHasIsForgotten(t *testing.T) {
	run(t, 100, func(t *testing.T, c *health.Checker, p *pods) {
		p.set(p.dead, address(1), true)
		c.Set(key("a"), targets(time.Second, 1))
		if changes := after(c, 10*time.Second); !changes[address(1)] {
			t.Fatalf("a dead endpoint: %v", changes)
		}
		c.Set(key("a"), nil)
		if changes := after(c, time.Second); len(changes) != 1 || changes[address(1)] {
			t.Errorf("what failed and is gone is not taken back: %v", changes)
		}
		before := p.count(address(1))
		if _ = after(c, time.Minute); p.count(address(1)) != before {
			t.Error("it is still checked")
		}
		if r := c.Report(address(1)); r != (health.Report{}) {
			t.Error("it is still reported")
		}
	})
}

func TestChecksConnectAndReset(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			_, err = conn.Read(make([]byte, 1))
			_ = conn.Close()
		}
		accepted <- err
	}()
	c := health.New(health.Options{Rate: 100, Registry: prometheus.NewRegistry()})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Run(ctx)
	}()
	at := netip.MustParseAddrPort(l.Addr().String())
	c.Set(key("a"), []health.Target{{Address: at, Interval: time.Hour}})
	select {
	case err := <-accepted:
		if err == nil {
			t.Error("a check sends something")
		}
	case <-time.After(30 * time.Second):
		t.Error("nobody came")
	}
	cancel()
	<-ended
}

// TestNamespacesTakeTurns: a namespace with as many silent endpoints as it may
// have, checked as often as possible, costs the others none of their checks.
func TestNamespacesTakeTurns(t *testing.T) {
	const hostile = 10_000
	run(t, 200, func(t *testing.T, c *health.Checker, p *pods) {
		victim := model.RouteKey{Namespace: "victim", Name: "a"}
		shared := 0 // An endpoint that the other namespace has, too.
		for i := range hostile {
			p.set(p.silent, address(i), i != shared)
			c.Set(key(strconv.Itoa(i)), targets(time.Second, i))
		}
		_ = after(c, time.Minute)
		c.Set(victim, targets(5*time.Second, shared, hostile, hostile+1))
		_ = after(c, time.Minute)
		for _, i := range []int{shared, hostile, hostile + 1} {
			before := p.count(address(i))
			_ = after(c, 10*time.Minute)
			if n := p.count(address(i)) - before; n < 100 {
				t.Errorf("%d checks of endpoint %d in 10 min, every 5 s", n, i)
			}
		}
		p.set(p.dead, address(hostile), true)
		if changes := after(c, 15*time.Second); !changes[address(hostile)] {
			t.Error("a pod that is dead is not known after 15 s")
		}
		p.set(p.dead, address(hostile), false)
		if changes := after(c, 15*time.Second); changes[address(hostile)] {
			t.Error("a pod that is back is not known after 15 s")
		} else if _, told := changes[address(hostile)]; !told {
			t.Error("nothing is told of a pod that is back")
		}
	})
}
