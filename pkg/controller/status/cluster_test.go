package status

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"router/pkg/model"
)

var routeResource = schema.GroupResource{Group: "route.openshift.io", Resource: "routes"}

// cluster is an API server of routes with the real one's rule about versions,
// and a clock. Its watches deliver late; nothing happens but in its run.
type cluster struct {
	mu       sync.Mutex
	now      time.Time
	version  int
	routes   map[model.RouteKey]*routev1.Route
	writes   int
	reads    int
	attempts int
	// written is what the last update was asked with.
	written *routev1.Route
	// fail, if not nil, may refuse a request of a replica.
	fail     func(replica, verb string) error
	replicas []*replica
	pending  []delivery
}

type delivery struct {
	at    time.Time
	to    *replica
	key   model.RouteKey
	route *routev1.Route // nil for a deletion
}

// replica is a router that watches the cluster.
type replica struct {
	name   string
	writer *Writer
	lag    time.Duration
	// opinion is what the replica says of a route; nil says nothing.
	opinion func(*routev1.Route) *Desired
	dead    bool
	api     *cluster
}

func newCluster() *cluster {
	return &cluster{now: time.Unix(1e9, 0), routes: map[model.RouteKey]*routev1.Route{}}
}

// admit is the opinion that a route is as it should be.
func admit(r *routev1.Route) *Desired {
	return &Desired{
		Key: model.RouteKey{Namespace: r.Namespace, Name: r.Name}, UID: r.UID, Host: r.Spec.Host,
		WildcardPolicy: routev1.WildcardPolicyNone, Admitted: true,
	}
}

// join starts a replica.
func (c *cluster) join(name, canonical string, lag time.Duration) *replica {
	p := &replica{name: name, lag: lag, opinion: admit, api: c}
	p.writer = New(Options{
		Client: p, RouterName: "public", CanonicalHostname: canonical, Replica: name,
		Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return c.now },
	})
	c.replicas = append(c.replicas, p)
	for k, r := range c.routes {
		c.pending = append(c.pending, delivery{c.now.Add(lag), p, k, r})
	}
	return p
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
	for _, p := range c.replicas {
		c.pending = append(c.pending, delivery{c.now.Add(p.lag), p, k, r})
	}
	return r
}

func (c *cluster) create(name, host string) *routev1.Route {
	return c.put(&routev1.Route{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name + strconv.Itoa(c.version))},
		Spec:       routev1.RouteSpec{Host: host},
	})
}

func (c *cluster) edit(k model.RouteKey, change func(*routev1.Route)) {
	r := c.routes[k].DeepCopy()
	change(r)
	c.put(r)
}

func (c *cluster) remove(k model.RouteKey) {
	delete(c.routes, k)
	for _, p := range c.replicas {
		c.pending = append(c.pending, delivery{c.now.Add(p.lag), p, k, nil})
	}
}

// run lets time pass: deliveries and due writes happen in their order.
func (c *cluster) run(t *testing.T, d time.Duration) {
	t.Helper()
	for end := c.now.Add(d); ; {
		next, act := end, func() {}
		found := false
		slices.SortStableFunc(c.pending, func(a, b delivery) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
		if len(c.pending) > 0 && !c.pending[0].at.After(next) {
			m := c.pending[0]
			next, found = m.at, true
			act = func() {
				c.pending = c.pending[1:]
				m.to.receive(m)
			}
		}
		for _, p := range c.replicas {
			if due, ok := p.due(); ok && !p.dead && (due.Before(next) || !found && !due.After(next)) {
				next, found = due, true
				act = func() { p.step(t) }
			}
		}
		if !found {
			c.now = end
			return
		}
		if next.After(c.now) {
			c.now = next
		}
		act()
	}
}

// receive is what the router does with an event of its watch.
func (p *replica) receive(m delivery) {
	if p.dead {
		return
	}
	if m.route == nil {
		p.writer.Forget(m.key)
		return
	}
	p.writer.Observe(m.route)
	if d := p.opinion(m.route); d != nil {
		p.writer.Set(*d)
	}
}

func (p *replica) due() (time.Time, bool) {
	p.writer.mu.Lock()
	defer p.writer.mu.Unlock()
	if len(p.writer.queue) == 0 {
		return time.Time{}, false
	}
	return p.writer.queue[0].due, true
}

// step carries out the one attempt that is due.
func (p *replica) step(t *testing.T) {
	t.Helper()
	r, _ := p.writer.take()
	if r == nil {
		t.Fatal("nothing is due")
	}
	p.writer.write(context.Background(), r)
}

func key(name string) model.RouteKey { return model.RouteKey{Namespace: "shop", Name: name} }

// entry returns the router's entry of a route; nil if it has none.
func (c *cluster) entry(t *testing.T, name string) *routev1.RouteIngress {
	t.Helper()
	e, n := identity{name: "public"}.entries(c.routes[key(name)])
	if n > 1 {
		t.Fatalf("%d entries", n)
	}
	return e
}
