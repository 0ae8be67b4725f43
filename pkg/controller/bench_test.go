package controller

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"router/pkg/controller/admission"
	"router/pkg/controller/status"
	"router/pkg/model"
	"router/pkg/source"
)

// accepting is a data plane and status writer that takes everything at once.
type accepting struct {
	*neighbours
	changes, told int
}

// Apply implements DataPlane.
func (a *accepting) Apply(context.Context, model.Change) (model.Outcome, error) {
	a.changes++
	return model.Outcome{}, nil
}

// Set implements StatusWriter.
func (a *accepting) Set(status.Desired) { a.told++ }

// crowded is a controller that serves n routes, each with a service, a slice
// and a host of its own, ten in each namespace and all under one domain.
func crowded(b testing.TB, n int) (*Controller, *accepting) {
	b.Helper()
	a := &accepting{neighbours: &neighbours{queue: source.NewQueue(time.Now)}}
	c := New(Options{
		Queue: a.queue, DataPlane: a, Status: a, Selection: source.Selection{},
		Admission: admission.Options{Validate: true, Now: time.Now}, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	for i := range n {
		a.queue.Push(change(source.KindRoute, numbered(i, fmt.Sprint("r", i))))
		a.queue.Push(change(source.KindService, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprint("n", i/10), Name: fmt.Sprint("r", i)}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
		}))
		a.queue.Push(change(source.KindEndpointSlice, endpoints(i, "192.0.2.1")))
	}
	a.queue.MarkSynced()
	c.once(b)
	if a.told != n || len(c.routes) != n {
		b.Fatalf("%d routes, %d told", len(c.routes), a.told)
	}
	return c, a
}

// once makes one turn of the loop.
func (c *Controller) once(b testing.TB) {
	b.Helper()
	o, err := c.reconcile(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	c.report(o)
	c.markReady()
	c.publishReports()
}

func numbered(i int, host string) *routev1.Route {
	name := fmt.Sprint("r", i)
	return &routev1.Route{
		ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprint("n", i/10), Name: name, UID: types.UID(name), CreationTimestamp: metav1.Unix(int64(i), 0)},
		Spec: routev1.RouteSpec{
			Host: host + ".apps.example.org", WildcardPolicy: routev1.WildcardPolicyNone, To: routev1.RouteTargetReference{Kind: "Service", Name: name},
		},
	}
}

func endpoints(i int, address string) *discoveryv1.EndpointSlice {
	name, port := fmt.Sprint("r", i), int32(8080)
	return &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: fmt.Sprint("n", i/10), Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Port: &port}},
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{address}}},
	}
}

// BenchmarkTurn changes one object beside many routes. Its cost must not
// follow the number of routes.
func BenchmarkTurn(b *testing.B) {
	for _, what := range []struct {
		name string
		// made is the change of the i-th turn.
		made func(n, i int) source.Change
		// changes is how many of two turns reach the data plane.
		changes int
	}{
		{"endpoints", func(n, i int) source.Change {
			return change(source.KindEndpointSlice, endpoints(n/2, fmt.Sprintf("192.0.2.%d", 2+i%2)))
		}, 2},
		{"host", func(n, i int) source.Change {
			return change(source.KindRoute, numbered(n/2, []string{"moved", "back"}[i%2]))
		}, 2},
		{"host that is taken", func(n, i int) source.Change {
			return change(source.KindRoute, numbered(n/2, []string{"r0", "back"}[i%2]))
		}, 2},
		{"come and gone", func(n, i int) source.Change {
			c := change(source.KindRoute, numbered(n, "new"))
			if i%2 == 1 {
				c.Object = nil
			}
			return c
		}, 2},
		{"status alone", func(n, i int) source.Change {
			r := numbered(n/2, fmt.Sprint("r", n/2))
			r.Status.Ingress = []routev1.RouteIngress{{RouterName: fmt.Sprint(i % 2)}}
			return change(source.KindRoute, r)
		}, 0},
	} {
		for _, n := range []int{100, 10000, 50000} {
			b.Run(fmt.Sprintf("%s/routes=%d", what.name, n), func(b *testing.B) {
				c, a := crowded(b, n)
				before := a.changes
				i := 0
				for ; b.Loop(); i++ {
					a.queue.Push(what.made(n, i))
					c.once(b)
				}
				if want := i * what.changes / 2; a.changes-before < want-1 || a.changes-before > want+1 {
					b.Fatalf("%d changes in %d turns, want %d", a.changes-before, i, want)
				}
			})
		}
	}
}

// TestTheCostOfATurnFollowsTheChange compares what one change of endpoints
// allocates beside few routes and beside many.
func TestTheCostOfATurnFollowsTheChange(t *testing.T) {
	allocated := func(n int) float64 {
		c, a := crowded(t, n)
		i := 0
		return testing.AllocsPerRun(200, func() {
			i++
			a.queue.Push(change(source.KindEndpointSlice, endpoints(n/2, fmt.Sprintf("192.0.2.%d", 2+i%2))))
			c.once(t)
		})
	}
	const most = 1.3
	if few, many := allocated(100), allocated(10000); many > most*few {
		t.Errorf("beside 10,000 routes %.0f allocations, beside 100 %.0f", many, few)
	}
}
