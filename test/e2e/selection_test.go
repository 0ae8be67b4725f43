package e2e

import (
	"context"
	"fmt"
	"slices"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	routeclient "github.com/openshift/client-go/route/clientset/versioned"
	routetyped "github.com/openshift/client-go/route/clientset/versioned/typed/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
)

// tenant is a namespace with routes of its own.
type tenant struct {
	*cluster
	name   string
	routes routetyped.RouteInterface
}

// tenant makes a namespace that the router of testSelection looks at.
func (c *cluster) tenant(name string) tenant {
	c.t.Helper()
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": "red"}}}
	if _, err := c.client.CoreV1().Namespaces().Create(c.t.Context(), n, metav1.CreateOptions{}); err != nil {
		c.t.Fatal(err)
	}
	return tenant{c, name, routeclient.NewForConfigOrDie(c.Config).RouteV1().Routes(name)}
}

// route makes a route that is selected.
func (n tenant) route(name string) {
	n.t.Helper()
	_, err := n.routes.Create(n.t.Context(), &routev1.Route{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"shard": "a"}},
		Spec:       routev1.RouteSpec{Host: name + "." + n.name + ".test", Path: "/in", To: routev1.RouteTargetReference{Kind: "Service", Name: "app"}},
	}, metav1.CreateOptions{})
	if err != nil {
		n.t.Fatal(err)
	}
}

// edit changes a route, against whoever writes its status.
func (n tenant) edit(name string, change func(*routev1.Route)) {
	n.t.Helper()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		r, err := n.routes.Get(n.t.Context(), name, metav1.GetOptions{})
		if err == nil {
			change(r)
			_, err = n.routes.Update(n.t.Context(), r, metav1.UpdateOptions{})
		}
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

// team gives the namespace another label.
func (n tenant) team(value string) {
	n.t.Helper()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		api := n.client.CoreV1().Namespaces()
		o, err := api.Get(n.t.Context(), n.name, metav1.GetOptions{})
		if err == nil {
			o.Labels["team"] = value
			_, err = api.Update(n.t.Context(), o, metav1.UpdateOptions{})
		}
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

// routers is an error unless these have an entry in the route's status.
func (n tenant) routers(name string, want ...string) error {
	r, err := n.routes.Get(n.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	var got []string
	for _, i := range r.Status.Ingress {
		got = append(got, i.RouterName)
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		return fmt.Errorf("route %s has entries of %v, want %v", name, got, want)
	}
	return nil
}

// leaving is how long the entry of a route that has left may stay.
const leaving = 10 * time.Second

// testSelection lets routes leave a router's selection, each in another way,
// beside a router that looks at all of them.
func (c *cluster) testSelection(haproxy string) {
	t := c.t
	red, blue := c.tenant("red"), c.tenant("blue")
	args := []string{
		"--config", c.Kubeconfig, "--name", "shard", "--labels", "shard=a", "--fields", "spec.path=/in", "--namespace-labels", "team=red",
	}
	r := start(t, haproxy, args...)
	all := start(t, haproxy, "--config", c.Kubeconfig, "--name", "all")
	red.route("one")
	red.route("two")
	blue.route("three")
	both := func(n tenant, name string) {
		t.Helper()
		eventually(t, "both routers admit route "+name, func() error { return n.routers(name, "all", "shard") })
	}
	both(red, "one")
	both(red, "two")
	both(blue, "three")
	ways := []struct {
		name         string
		leave, enter func()
	}{
		{"a label", func() { red.edit("one", label("b")) }, func() { red.edit("one", label("a")) }},
		{"a field", func() { red.edit("one", path("/out")) }, func() { red.edit("one", path("/in")) }},
		{"its namespace's label", func() { red.team("green") }, func() { red.team("red") }},
	}
	for _, way := range ways {
		way.leave()
		within(t, leaving, "the entry of a route that left by "+way.name+" is gone", func() error { return red.routers("one", "all") })
		if routes, err := r.routes(); err != nil || routes["one"].Name != "" || routes["three"].Name == "" {
			t.Errorf("routes are %v, %v", routes, err)
		}
		way.enter()
		both(red, "one")
	}
	both(red, "two")

	c.testForeignEndpoints(r, red)

	// Nobody tells a router of what left while it did not run.
	r.Stop()
	red.edit("one", label("b"))
	red.edit("two", path("/out"))
	blue.team("green")
	written, err := all.metric("router_status_writes_total")
	if err != nil || written == 0 {
		t.Fatalf("%v writes, %v", written, err)
	}
	start(t, haproxy, args...)
	within(t, leaving, "entries of routes that left meanwhile are gone", func() error {
		for _, err := range []error{red.routers("one", "all"), red.routers("two", "all"), blue.routers("three", "all")} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	if now, err := all.metric("router_status_writes_total"); err != nil || now != written {
		t.Errorf("the other router wrote %v times, %v", now-written, err)
	}
}

func label(value string) func(*routev1.Route) {
	return func(r *routev1.Route) { r.Labels["shard"] = value }
}

func path(value string) func(*routev1.Route) { return func(r *routev1.Route) { r.Spec.Path = value } }

// foreign is how many changes of foreign endpoints there are.
const foreign = 50

// testForeignEndpoints counts what the router does about endpoints in a
// namespace that it does not look at: nothing.
func (c *cluster) testForeignEndpoints(r *router, selected tenant) {
	t := c.t
	if _, err := c.client.CoreV1().Services(selected.name).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "app"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var addresses byte
	// change gives the service app of a namespace another endpoint.
	change := func(in string) string {
		addresses++
		port := int32(podPort)
		address := fmt.Sprintf("198.18.200.%d", addresses)
		slice := &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Name: "app", Labels: map[string]string{discoveryv1.LabelServiceName: "app"}},
			AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Port: &port}},
			Endpoints: []discoveryv1.Endpoint{{Addresses: []string{address}}},
		}
		slices := c.client.DiscoveryV1().EndpointSlices(in)
		_, err := slices.Update(t.Context(), slice, metav1.UpdateOptions{})
		if err != nil {
			_, err = slices.Create(t.Context(), slice, metav1.CreateOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s:%d", address, port)
	}
	total := 0.0
	// commands is how many the router has sent, since the last call, when an
	// endpoint of the selected namespace is there.
	commands := func(address string) float64 {
		before := total
		eventually(t, "endpoint "+address+" is there", func() error {
			routes, err := r.routes()
			if err == nil && (len(routes["one"].Servers) != 1 || routes["one"].Servers[0].Address != address) {
				err = fmt.Errorf("servers are %+v", routes["one"].Servers)
			}
			return err
		})
		var err error
		if total, err = r.metric("router_runtime_commands_total"); err != nil {
			t.Fatal(err)
		}
		return total - before
	}
	commands(change(selected.name))
	// A route that is not selected for its namespace alone.
	if _, err := c.routes.Create(t.Context(), &routev1.Route{
		ObjectMeta: metav1.ObjectMeta{Name: "foreign", Labels: map[string]string{"shard": "a"}},
		Spec:       routev1.RouteSpec{Host: "foreign.test", Path: "/in", To: routev1.RouteTargetReference{Kind: "Service", Name: "app"}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = c.routes.Delete(context.Background(), "foreign", metav1.DeleteOptions{})
		_ = c.client.DiscoveryV1().EndpointSlices(namespace).Delete(context.Background(), "app", metav1.DeleteOptions{})
	}()
	for range foreign {
		change(namespace)
	}
	// Events of one kind come in their order: when this one is there, those
	// before it have been seen.
	if got := commands(change(selected.name)); got == 0 || got >= foreign {
		t.Errorf("%v commands after %d foreign changes and one other", got, foreign)
	}
	if routes, err := r.routes(); err != nil || routes["foreign"].Name != "" {
		t.Errorf("routes are %v, %v", routes, err)
	}
}
