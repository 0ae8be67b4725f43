package controller

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"router/pkg/controller/admission"
	"router/pkg/controller/routes"
	"router/pkg/controller/status"
	"router/pkg/model"
	"router/pkg/source"
)

// fleet is an API server of routes, and replicas of a router that watch it.
type fleet struct {
	mu       sync.Mutex
	version  int
	routes   map[model.RouteKey]*routev1.Route
	writes   int
	objects  map[source.Key]source.Change
	replicas []*replica
}

// replica is a router with a data plane that takes everything. What happens
// reaches it after its lag.
type replica struct {
	*neighbours
	lag  time.Duration
	stop func()
}

func newFleet() *fleet {
	return &fleet{routes: map[model.RouteKey]*routev1.Route{}, objects: map[source.Key]source.Change{}}
}

// written is how many writes there were.
func (f *fleet) written() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes
}

// restart ends a replica, and starts another in its place.
func (f *fleet) restart(t *testing.T, i int) {
	t.Helper()
	f.replicas[i].stop()
	again := f.join(t, f.replicas[i].lag)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replicas[i] = again
	f.replicas = f.replicas[:len(f.replicas)-1]
}

// join starts a replica that knows what there is.
func (f *fleet) join(t *testing.T, lag time.Duration) *replica {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &replica{neighbours: &neighbours{queue: source.NewQueue(time.Now)}, lag: lag}
	w := status.New(status.Options{
		Client: f, RouterName: "public", Logger: slog.New(slog.DiscardHandler), Metrics: status.NewMetrics(nil),
	})
	c := New(Options{
		Queue: r.queue, DataPlane: r, Status: w, Names: r, Admission: admission.Options{Validate: true, Now: time.Now}, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	for _, change := range f.objects {
		r.queue.Push(change)
	}
	r.queue.MarkSynced()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	running.Go(func() { _ = c.Run(ctx) })
	r.stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(r.stop)
	f.replicas = append(f.replicas, r)
	return r
}

// push makes changes, and tells the replicas.
func (f *fleet) push(changes ...source.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, change := range changes {
		if r, ok := change.Object.(*routev1.Route); ok {
			f.version++
			r.ResourceVersion = strconv.Itoa(f.version)
			f.routes[routes.KeyOf(r)] = r
		}
		f.tell(change)
	}
}

func (f *fleet) tell(change source.Change) {
	f.objects[change.Key] = change
	for _, r := range f.replicas {
		time.AfterFunc(r.lag, func() { r.queue.Push(change) })
	}
}

// Read implements status.Client.
func (f *fleet) Read(_ context.Context, k model.RouteKey) (*routev1.Route, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.routes[k], nil
}

// UpdateStatus implements status.Client.
func (f *fleet) UpdateStatus(_ context.Context, r *routev1.Route) (*routev1.Route, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := routes.KeyOf(r)
	if f.routes[k].ResourceVersion != r.ResourceVersion {
		return nil, apierrors.NewConflict(schema.GroupResource{Resource: "routes"}, k.Name, errors.New("the object has been modified"))
	}
	f.writes++
	f.version++
	now := f.routes[k].DeepCopy()
	now.Status, now.ResourceVersion = r.Status, strconv.Itoa(f.version)
	f.routes[k] = now
	f.tell(change(source.KindRoute, now))
	return now, nil
}

// message is that of the condition Degraded in the status, "" without it.
func (f *fleet) message(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.routes[model.RouteKey{Namespace: "n", Name: name}].Status.Ingress {
		for _, c := range i.Conditions {
			if c.Type == Degraded {
				return c.Message
			}
		}
	}
	return ""
}

// TestReplicasAgreeAboutWhatIsWrong: one write for each thing that is told, and
// none for what is not, whoever starts when.
func TestReplicasAgreeAboutWhatIsWrong(t *testing.T) {
	const (
		none    = "spec.to.name: service hello has no endpoints"
		absent  = "spec.to.name: there is no service hello in n"
		nearest = absent + "; did you mean hallo?"
	)
	up, down := pods("hello", true, "192.0.2.1"), pods("hello", true)
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.push(service("hello"), up, route("r", "hello"))
		for i := range 3 {
			f.join(t, time.Duration(10+200*i)*time.Millisecond)
		}
		// step waits, and says how many writes that is to have cost, and what is
		// to stand in the status.
		step := func(what string, wait time.Duration, writes int, want string) {
			t.Helper()
			before := f.written()
			time.Sleep(wait)
			synctest.Wait()
			if cost := f.written() - before; cost != writes || f.message("r") != want {
				t.Errorf("%s: %d writes, want %d; the status says %q, want %q", what, cost, writes, f.message("r"), want)
			}
		}
		restart := func(i int) { f.restart(t, i) }
		step("the start", time.Minute, 1, "")
		for range 10 {
			f.push(down)
			step("a blip", 7*time.Second, 0, "")
			f.push(up)
			step("is over", time.Second, 0, "")
		}
		f.push(down)
		step("a blip that lasts", 15*time.Second, 1, none)
		step("an hour of it", time.Hour, 0, none)
		for i := range f.replicas {
			restart(i)
			step("a restart", 7*time.Second, 0, none)
			step("has seen enough", time.Minute, 0, none)
		}
		for i := range f.replicas {
			restart(i)
		}
		step("all restart at once", time.Hour, 0, none)
		f.push(up)
		step("endpoints are back", time.Minute, 1, "")
		f.push(down)
		step("a blip with a restart", 5*time.Second, 0, "")
		restart(1)
		step("is told by those who have seen it", 7*time.Second, 1, none)
		step("and by the others in time", time.Minute, 0, none)
		f.push(gone(service("hello")))
		step("no service", 5*time.Second, 1, absent)
		f.push(service("hallo"))
		step("one of another name", 5*time.Second, 1, nearest)
		restart(2)
		step("a restart beside it", time.Minute, 0, nearest)
		f.push(gone(service("hallo")))
		step("which goes again", 5*time.Second, 1, absent)
		f.push(service("hello"), up)
		step("the service is there", 5*time.Second, 1, "")
		f.push(externalService("hello", "db.example"), gone(up))
		step("a name that does not answer", 30*time.Second, 1, "service hello spec.externalName: cannot be resolved: the name servers have not answered yet")
		restart(0)
		step("a restart beside it", time.Hour, 0, "service hello spec.externalName: cannot be resolved: the name servers have not answered yet")
	})
}
