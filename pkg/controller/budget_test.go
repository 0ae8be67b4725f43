package controller

import (
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"

	"router/pkg/controller/admission"
	"router/pkg/controller/status"
	"router/pkg/controller/translate"
	"router/pkg/model"
	"router/pkg/source"
)

// budgeted is a controller whose namespaces have at most 100 servers, of which
// a route has at most 50.
func budgeted() (*Controller, *neighbours) {
	n := &neighbours{queue: source.NewQueue(time.Now), desired: map[model.RouteKey]status.Desired{}}
	n.queue.MarkSynced()
	return New(Options{
		Queue: n.queue, DataPlane: n, Status: n, Admission: admission.Options{Validate: true, Now: time.Now},
		Translate: translate.Options{MaxServersPerRoute: 50}, MaxServersPerNamespace: 100,
		Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	}), n
}

func (c *Controller) push(t *testing.T, n *neighbours, changes ...source.Change) {
	t.Helper()
	for _, change := range changes {
		n.queue.Push(change)
	}
	o, err := c.reconcile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.report(o)
}

// crowd gives the i-th route n endpoints.
func crowd(i, n int) source.Change {
	s := endpoints(i, "192.0.2.1")
	s.Endpoints = nil
	for j := range n {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{fmt.Sprintf("10.0.%d.%d", j/250, j%250)}})
	}
	return change(source.KindEndpointSlice, s)
}

// servers are how many each route has.
func (c *Controller) servers() map[string]int {
	counts := map[string]int{}
	for k, s := range c.routes {
		counts[k.Name] = len(s.model.Backend.Servers)
	}
	return counts
}

func TestTheServersOfANamespaceAreBounded(t *testing.T) {
	c, n := budgeted()
	var changes []source.Change
	for i, endpoints := range []int{60, 40, 5, 30} {
		changes = append(changes, change(source.KindRoute, numbered(i, fmt.Sprint("r", i))), crowd(i, endpoints))
	}
	// Another namespace has servers of its own.
	changes = append(changes, change(source.KindRoute, numbered(10, "r10")), crowd(10, 40))
	c.push(t, n, changes...)
	want := map[string]int{"r0": 33, "r1": 32, "r2": 5, "r3": 30, "r10": 40}
	if got := c.servers(); !maps.Equal(got, want) {
		t.Errorf("the servers are %v, want %v", got, want)
	}
	told := func(name string) string {
		var texts []string
		for _, condition := range n.desired[model.RouteKey{Namespace: "n0", Name: name}].ExtraConditions {
			texts = append(texts, condition.Message)
		}
		return strings.Join(texts, "; ")
	}
	for name, want := range map[string]string{"r0": "namespace n0 lead to more servers than the 100 there may be", "r1": "namespace n0", "r2": "", "r3": ""} {
		if got := told(name); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("of %s is told %q, want %q", name, got, want)
		}
	}
	// Neighbours get what one does not need any more.
	c.push(t, n, crowd(0, 4))
	want = map[string]int{"r0": 4, "r1": 40, "r2": 5, "r3": 30, "r10": 40}
	if got := c.servers(); !maps.Equal(got, want) {
		t.Errorf("with few of one, the servers are %v, want %v", got, want)
	}
	if got := told("r1"); got != "" {
		t.Errorf("of a route that has all its servers is told %q", got)
	}
}

// Whatever the order of events, the routes have the same servers in the end.
func TestAllReplicasUseTheSameServers(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test
		c, n := budgeted()
		last := map[string]source.Change{}
		for range 60 {
			i := random.IntN(9)
			ch := crowd(i, random.IntN(70))
			if random.IntN(2) == 0 {
				ch = change(source.KindRoute, numbered(i, fmt.Sprint("r", i)))
				if random.IntN(4) == 0 {
					ch.Object = nil
				}
			}
			last[fmt.Sprint(ch.Key)] = ch
			c.push(t, n, ch)
		}
		fresh, other := budgeted()
		all := slices.Collect(maps.Values(last))
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		fresh.push(t, other, all...)
		if got, want := c.servers(), fresh.servers(); !maps.Equal(got, want) {
			t.Fatalf("seed %d: the servers are %v, for a replica that starts now %v", seed, got, want)
		}
		sum := 0
		for k, s := range c.routes {
			sum += len(s.model.Backend.Servers)
			if !slices.Equal(s.problems, fresh.routes[k].problems) {
				t.Fatalf("seed %d: of %s is told %+v, by another %+v", seed, k, s.problems, fresh.routes[k].problems)
			}
		}
		if sum > 100 {
			t.Errorf("seed %d: there are %d servers", seed, sum)
		}
	}
}
