package status

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"router/pkg/model"
)

var routeResource = schema.GroupResource{Group: "route.openshift.io", Resource: "routes"}

// cluster is an API server of routes with the real one's rule about versions.
// Its watches deliver late.
type cluster struct {
	t        *testing.T
	mu       sync.Mutex
	version  int
	routes   map[model.RouteKey]*routev1.Route
	writes   int
	reads    int
	attempts int
	// written is what the last update was asked with.
	written *routev1.Route
	// latency is how long an update takes.
	latency time.Duration
	// loses makes updates succeed without an effect.
	loses bool
	// fail, if not nil, may refuse a request of a replica.
	fail     func(replica, verb string) error
	replicas []*replica
}

type delivery struct {
	at    time.Time
	key   model.RouteKey
	route *routev1.Route // nil for a deletion
}

// replica is a router that watches the cluster.
type replica struct {
	name   string
	writer *Writer
	lag    time.Duration
	inbox  chan delivery
	stop   func()
	api    *cluster

	mu sync.Mutex
	// opinion is what the replica says of a route; nil says nothing.
	opinion func(*routev1.Route) *Desired
}

// inCluster runs a test in a bubble of its own time.
func inCluster(t *testing.T, test func(*testing.T, *cluster)) {
	synctest.Test(t, func(t *testing.T) {
		test(t, &cluster{t: t, routes: map[model.RouteKey]*routev1.Route{}})
	})
}

// admit is the opinion that a route is as it should be.
func admit(r *routev1.Route) *Desired {
	return &Desired{
		Key: model.RouteKey{Namespace: r.Namespace, Name: r.Name}, UID: r.UID, Host: r.Spec.Host,
		WildcardPolicy: routev1.WildcardPolicyNone, Admitted: true,
	}
}

func nothing(*routev1.Route) *Desired { return nil }

// join starts a replica that writes alone.
func (c *cluster) join(name, canonical string, lag time.Duration) *replica {
	return c.joinAs(Alone, name, canonical, lag, admit)
}

// joinAs starts a replica with a role, and with what it says of routes.
func (c *cluster) joinAs(role Role, name, canonical string, lag time.Duration, opinion func(*routev1.Route) *Desired) *replica {
	p := &replica{name: name, lag: lag, opinion: opinion, api: c, inbox: make(chan delivery, 1e5)}
	p.writer = New(Options{
		Client: p, RouterName: "public", CanonicalHostname: canonical, Logger: slog.New(slog.DiscardHandler), Metrics: NewMetrics(nil),
	})
	p.writer.SetRole(role)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { p.writer.Run(ctx) })
	running.Go(func() { p.watch(ctx) })
	p.stop = func() {
		cancel()
		running.Wait()
	}
	c.t.Cleanup(p.stop)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replicas = append(c.replicas, p)
	for k, r := range c.routes {
		p.inbox <- delivery{time.Now().Add(lag), k, r}
	}
	return p
}

// setPace is how long the replica waits before it writes alone.
func (p *replica) setPace(d time.Duration) {
	p.writer.mu.Lock()
	defer p.writer.mu.Unlock()
	p.writer.pace = d
}

// lead makes one replica the leader, and the others followers.
func (c *cluster) lead(leader *replica) {
	for _, p := range c.replicas {
		if p != leader {
			p.writer.SetRole(Following)
		}
	}
	leader.writer.SetRole(Leading)
}

// Read implements Client.
func (p *replica) Read(_ context.Context, k model.RouteKey) (*routev1.Route, error) {
	c := p.api
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads++
	if c.fail != nil {
		if err := c.fail(p.name, "read"); err != nil {
			return nil, err
		}
	}
	if r := c.routes[k]; r != nil {
		return r, nil
	}
	return nil, apierrors.NewNotFound(routeResource, k.Name)
}

// UpdateStatus implements Client.
func (p *replica) UpdateStatus(_ context.Context, r *routev1.Route) (*routev1.Route, error) {
	c := p.api
	time.Sleep(c.latency)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempts++
	if c.fail != nil {
		if err := c.fail(p.name, "update"); err != nil {
			return nil, err
		}
	}
	k := model.RouteKey{Namespace: r.Namespace, Name: r.Name}
	old := c.routes[k]
	switch {
	case old == nil:
		return nil, apierrors.NewNotFound(routeResource, k.Name)
	case old.ResourceVersion != r.ResourceVersion:
		return nil, apierrors.NewConflict(routeResource, k.Name, errors.New("the object has been modified"))
	}
	c.writes++
	c.written = r
	updated := old.DeepCopy()
	// What is no text becomes another on the way.
	text, err := json.Marshal(r.Status)
	if c.loses {
		text = []byte("{}")
	}
	updated.Status = routev1.RouteStatus{}
	if err = errors.Join(err, json.Unmarshal(text, &updated.Status)); err != nil {
		return nil, err
	}
	return c.put(updated), nil
}

// put stores an object and tells the watches.
func (c *cluster) put(r *routev1.Route) *routev1.Route {
	c.version++
	r.ResourceVersion = strconv.Itoa(c.version)
	k := model.RouteKey{Namespace: r.Namespace, Name: r.Name}
	c.routes[k] = r
	c.tell(k, r)
	return r
}

func (c *cluster) tell(k model.RouteKey, r *routev1.Route) {
	for _, p := range c.replicas {
		p.inbox <- delivery{time.Now().Add(p.lag), k, r}
	}
}

func (c *cluster) create(name, host string) *routev1.Route {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.put(&routev1.Route{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name + strconv.Itoa(c.version))},
		Spec:       routev1.RouteSpec{Host: host},
	})
}

func (c *cluster) edit(k model.RouteKey, change func(*routev1.Route)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.editLocked(k, change)
}

// editLocked is edit for who is in the middle of a request.
func (c *cluster) editLocked(k model.RouteKey, change func(*routev1.Route)) {
	r := c.routes[k].DeepCopy()
	change(r)
	c.put(r)
}

func (c *cluster) remove(k model.RouteKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.routes, k)
	c.tell(k, nil)
}

// route is an object as the API server has it.
func (c *cluster) route(k model.RouteKey) *routev1.Route {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.routes[k]
}

func (c *cluster) keys() (list []model.RouteKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.routes {
		list = append(list, k)
	}
	return list
}

// requests are what there was so far.
type requests struct{ writes, attempts, reads int }

func (c *cluster) requests() requests {
	c.mu.Lock()
	defer c.mu.Unlock()
	return requests{c.writes, c.attempts, c.reads}
}

func (c *cluster) writesSoFar() int { return c.requests().writes }

// run lets time pass.
func (c *cluster) run(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// watch delivers what happens, in order and late.
func (p *replica) watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-p.inbox:
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Until(m.at)):
			}
			p.receive(m)
		}
	}
}

// receive is what the router does with an event of its watch.
func (p *replica) receive(m delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.route == nil {
		p.writer.Remove(m.key, nil)
		return
	}
	p.writer.Observe(m.route)
	if d := p.opinion(m.route); d != nil {
		p.writer.Set(*d)
	}
}

// again shows the replica what there is, as a resync does.
func (p *replica) again(k model.RouteKey) { p.receive(delivery{key: k, route: p.api.route(k)}) }

// says makes the replica decide anew about all routes.
func (p *replica) says(opinion func(*routev1.Route) *Desired) {
	p.mu.Lock()
	p.opinion = opinion
	p.mu.Unlock()
	for _, k := range p.api.keys() {
		p.again(k)
	}
}

// known is how many objects the replica remembers.
func (p *replica) known() int {
	p.writer.mu.Lock()
	defer p.writer.mu.Unlock()
	return len(p.writer.records)
}

func key(name string) model.RouteKey { return model.RouteKey{Namespace: "shop", Name: name} }

// entry returns the router's entry of a route; nil if it has none.
func (c *cluster) entry(name string) *routev1.RouteIngress {
	c.t.Helper()
	r := c.route(key(name))
	n := 0
	for _, e := range r.Status.Ingress {
		if e.RouterName == "public" {
			n++
		}
	}
	if n > 1 {
		c.t.Fatalf("%d entries", n)
	}
	return identity{name: "public"}.entry(r)
}

func (c *cluster) admitted(name string) *routev1.RouteIngressCondition {
	c.t.Helper()
	return condition(c.entry(name), routev1.RouteAdmitted)
}

// value is that of a counter.
func value(t *testing.T, c prometheus.Counter) int {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return int(m.GetCounter().GetValue())
}
