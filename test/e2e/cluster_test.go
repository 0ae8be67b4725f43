package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	routeclient "github.com/openshift/client-go/route/clientset/versioned"
	routetyped "github.com/openshift/client-go/route/clientset/versioned/typed/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"router/test/haproxies"
	"router/test/kubetest"
	"router/test/netns"
	"router/test/pods"
)

// cluster is a control plane, with pods in a network namespace.
type cluster struct {
	*kubetest.Cluster
	t      *testing.T
	net    *netns.Namespace
	client kubernetes.Interface
	routes routetyped.RouteInterface
}

const namespace = "default"

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, net: netns.New(t), Cluster: kubetest.Start(t, kubetest.Options{Controllers: true})}
	c.client = kubernetes.NewForConfigOrDie(c.Config)
	c.routes = routeclient.NewForConfigOrDie(c.Config).RouteV1().Routes(namespace)
	return c
}

// podPort is where every pod answers.
const podPort = 8080

// pod makes a pod of an app that answers, and that the control plane knows.
func (c *cluster) pod(app, name string, config *tls.Config) *pods.Server {
	c.t.Helper()
	l := c.net.Listen(c.t, podPort)
	s := pods.Serve(l, name, config)
	c.t.Cleanup(s.Close)
	host, _, _ := net.SplitHostPort(l.Addr().String())
	if err := c.MakePod(c.t.Context(), namespace, name, map[string]string{"app": app}, host); err != nil {
		c.t.Fatal(err)
	}
	return s
}

// service makes a service of an app's pods.
func (c *cluster) service(app string) {
	c.t.Helper()
	_, err := c.client.CoreV1().Services(namespace).Create(c.t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: app},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": app},
			Ports:    []corev1.ServicePort{{Name: "main", Port: 80, TargetPort: intstr.FromInt32(podPort)}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
}

// route makes a route to a service.
func (c *cluster) route(name, host, service string, config *routev1.TLSConfig) {
	c.t.Helper()
	_, err := c.routes.Create(c.t.Context(), &routev1.Route{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       routev1.RouteSpec{Host: host, To: routev1.RouteTargetReference{Kind: "Service", Name: service}, TLS: config},
	}, metav1.CreateOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
}

// olderThanNow waits until a route that is made now is younger than one that
// there is: creation times are whole seconds, and among routes of one second
// the winner is not the first.
func (c *cluster) olderThanNow(name string) {
	c.t.Helper()
	older, err := c.routes.Get(c.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	eventually(c.t, "a second passes", func() error {
		if !time.Now().Truncate(time.Second).After(older.CreationTimestamp.Time) {
			return fmt.Errorf("it is still the second of %s", older.CreationTimestamp)
		}
		return nil
	})
}

// edit changes a route.
func (c *cluster) edit(name string, change func(*routev1.Route)) {
	c.t.Helper()
	eventually(c.t, "editing route "+name, func() error {
		r, err := c.routes.Get(c.t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(r)
		_, err = c.routes.Update(c.t.Context(), r, metav1.UpdateOptions{})
		return err
	})
}

// admitted is an error unless the route's status says so, or says why not.
func (c *cluster) admitted(name string, want corev1.ConditionStatus, reason string) error {
	r, err := c.routes.Get(c.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, i := range r.Status.Ingress {
		for _, cond := range i.Conditions {
			if i.RouterName == "public" && cond.Type == routev1.RouteAdmitted && cond.Status == want && cond.Reason == reason && i.Host == r.Spec.Host {
				return nil
			}
		}
	}
	return fmt.Errorf("status of %s is %+v", name, r.Status)
}

// TestCluster has all tests on a cluster one after the other: their routers
// serve all of it, and some stop the API server.
func TestCluster(t *testing.T) {
	c := newCluster(t)
	ca := authority(t)
	config := serverTLS(t, ca, "pass.test", "re.test")
	c.service("plain")
	c.service("secure")
	c.service("next")
	c.pod("plain", "plain-1", nil)
	c.pod("secure", "secure-1", config)
	c.pod("next", "next-1", nil)
	// The routers of all versions share the cluster, one after the other.
	each := func(test func(t *testing.T, c cluster, r *router)) {
		for _, b := range haproxies.All(t) {
			t.Run(b.Name, func(t *testing.T) {
				c := *c
				c.t = t
				test(t, c, start(t, b.Path, "--config", c.Kubeconfig, "--enable-ingress", "--router-canonical-hostname", canonicalHostname))
			})
		}
	}
	each(func(t *testing.T, c cluster, r *router) {
		t.Run("routes", func(t *testing.T) { c.t = t; c.testRoutes(r, ca.PEM) })
		t.Run("tokens", func(t *testing.T) { c.testTokens(t, r) })
		t.Run("objects", func(t *testing.T) { c.t = t; c.testObjects(r) })
		t.Run("ingresses", func(t *testing.T) { c.t = t; c.testIngresses(r) })
		t.Run("runners-up", func(t *testing.T) { c.t = t; c.testRunnersUp(r) })
	})
	// What follows is not about fractions of a second, and runs beside other
	// tests.
	t.Parallel()
	each(func(t *testing.T, c cluster, r *router) {
		t.Run("scaling", func(t *testing.T) { c.t = t; c.testScaling(r) })
		t.Run("reloads under load", func(t *testing.T) { c.t = t; c.testReloads(r) })
		t.Run("no API server", func(t *testing.T) { c.t = t; c.testUnreachable(r) })
	})
	// What follows is about the cluster, not about HAProxy.
	haproxy := haproxies.All(t)[0].Path
	t.Run("who may ask", c.testAuthorization)
	t.Run("a start beside many routes", func(t *testing.T) { c := *c; c.t = t; c.testStart(haproxy) })
	t.Run("secrets", func(t *testing.T) { c := *c; c.t = t; c.testSecrets(haproxy) })
	t.Run("secrets of ingresses", func(t *testing.T) { c := *c; c.t = t; c.testSecretsOfIngresses(haproxy) })
	t.Run("messages", func(t *testing.T) { c := *c; c.t = t; c.testMessages(haproxy) })
	t.Run("what is wrong", func(t *testing.T) { c := *c; c.t = t; c.testTold(haproxy) })
	t.Run("selection", func(t *testing.T) { c := *c; c.t = t; c.testSelection(haproxy) })
}

// testRoutes makes, changes and deletes routes of all four terminations.
func (c *cluster) testRoutes(r *router, ca string) {
	t := c.t
	kinds := []struct {
		name, url, service string
		tls                *routev1.TLSConfig
	}{
		{"http", "http://http.test/", "plain", nil},
		{"edge", "https://edge.test/", "plain", &routev1.TLSConfig{Termination: routev1.TLSTerminationEdge}},
		{"pass", "https://pass.test/", "secure", &routev1.TLSConfig{Termination: routev1.TLSTerminationPassthrough}},
		{"re", "https://re.test/", "secure", &routev1.TLSConfig{Termination: routev1.TLSTerminationReencrypt, DestinationCACertificate: ca}},
	}
	for _, k := range kinds {
		c.route(k.name, k.name+".test", k.service, k.tls)
	}
	for _, k := range kinds {
		eventually(t, k.name+" is served", func() error { return r.servedBy(k.url, k.service+"-1") })
		eventually(t, k.name+" is admitted", func() error { return c.admitted(k.name, corev1.ConditionTrue, "") })
	}
	// Another route for a host that is taken is told so.
	c.olderThanNow("http")
	c.route("late", "http.test", "next", nil)
	eventually(t, "a late route is refused", func() error { return c.admitted("late", corev1.ConditionFalse, "HostAlreadyClaimed") })
	// Another host, another service, another policy.
	for _, k := range kinds {
		c.edit(k.name, func(route *routev1.Route) { route.Spec.Host = "new-" + route.Spec.Host })
	}
	for _, k := range kinds {
		moved := strings.Replace(k.url, "//", "//new-", 1)
		eventually(t, k.name+" is served under its new host", func() error { return r.servedBy(moved, k.service+"-1") })
	}
	eventually(t, "the late route has its host", func() error { return r.servedBy("http://http.test/", "next-1") })
	eventually(t, "and is admitted", func() error { return c.admitted("late", corev1.ConditionTrue, "") })
	c.edit("edge", func(route *routev1.Route) {
		route.Spec.To.Name = "next"
		route.Spec.TLS.InsecureEdgeTerminationPolicy = routev1.InsecureEdgeTerminationPolicyAllow
	})
	eventually(t, "the edge route's new service", func() error { return r.servedBy("https://new-edge.test/", "next-1") })
	eventually(t, "the edge route in clear", func() error { return r.servedBy("http://new-edge.test/", "next-1") })
	for _, name := range []string{"http", "edge", "pass", "re", "late"} {
		if err := c.routes.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range kinds {
		eventually(t, k.name+" is gone", func() error { return r.status(strings.Replace(k.url, "//", "//new-", 1), 503) })
	}
}

// testObjects makes a route before its service and its slices, and changes
// those by hand.
func (c *cluster) testObjects(r *router) {
	t := c.t
	ctx := t.Context()
	c.route("manual", "manual.test", "manual", nil)
	eventually(t, "a route without a service answers 503", func() error { return c.admitted("manual", corev1.ConditionTrue, "") })
	if err := r.status("http://manual.test/", 503); err != nil {
		t.Error(err)
	}
	l := c.net.Listen(t, podPort)
	defer pods.Serve(l, "manual-1", nil).Close()
	host, _, _ := net.SplitHostPort(l.Addr().String())
	port, name := int32(podPort), "main"
	if _, err := c.client.CoreV1().Services(namespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "manual"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: name, Port: 80}}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	slices := c.client.DiscoveryV1().EndpointSlices(namespace)
	slice, err := slices.Create(ctx, &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "manual-1", Labels: map[string]string{discoveryv1.LabelServiceName: "manual"}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{host}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "its endpoint serves", func() error { return r.servedBy("http://manual.test/", "manual-1") })
	no := false
	slice.Endpoints[0].Conditions.Ready = &no
	if _, err := slices.Update(ctx, slice, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an endpoint that is not ready gets nothing", func() error { return r.status("http://manual.test/", 503) })
	if err := slices.Delete(ctx, "manual-1", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.client.CoreV1().Services(namespace).Delete(ctx, "manual", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.routes.Delete(ctx, "manual", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// testScaling changes the pods of a service; the real controller makes the
// slices.
func (c *cluster) testScaling(r *router) {
	t := c.t
	c.route("scaled", "scaled.test", "plain", nil)
	defer func() { _ = c.routes.Delete(context.Background(), "scaled", metav1.DeleteOptions{}) }()
	eventually(t, "one pod serves", func() error { return r.servedBy("http://scaled.test/", "plain-1") })
	// The status comes after the reload has been counted.
	eventually(t, "its route is admitted", func() error { return c.admitted("scaled", corev1.ConditionTrue, "") })
	before, err := r.metric("router_reloads_total")
	if err != nil {
		t.Fatal(err)
	}
	serve := func(want int) error {
		seen := map[string]bool{}
		for range 30 {
			a, err := r.get("http://scaled.test/")
			if err != nil {
				return err
			}
			seen[a.echo.Pod] = true
		}
		if len(seen) != want {
			return fmt.Errorf("pods are %v", seen)
		}
		return nil
	}
	c.pod("plain", "plain-2", nil)
	c.pod("plain", "plain-3", nil)
	eventually(t, "three pods serve", func() error { return serve(3) })
	for _, name := range []string{"plain-2", "plain-3"} {
		if err := c.DeletePod(t.Context(), namespace, name); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "one pod serves again", func() error { return serve(1) })
	if after, err := r.metric("router_reloads_total"); err != nil || after != before {
		t.Errorf("scaling took %v reloads, %v", after-before, err)
	}
}

// reloads is how many reloads happen under load.
const reloads = 20

// testReloads lets settings change that take a reload, while clients of all
// kinds go on asking.
func (c *cluster) testReloads(r *router) {
	t := c.t
	c.route("load", "load.test", "plain", nil)
	c.route("loadtls", "loadtls.test", "plain", &routev1.TLSConfig{Termination: routev1.TLSTerminationEdge})
	defer func() {
		_ = c.routes.Delete(context.Background(), "load", metav1.DeleteOptions{})
		_ = c.routes.Delete(context.Background(), "loadtls", metav1.DeleteOptions{})
	}()
	urls := []string{"http://load.test/", "https://loadtls.test/"}
	for _, url := range urls {
		eventually(t, url+" is served", func() error { return r.servedBy(url, "plain-1") })
	}
	before, err := r.metric("router_reloads_total")
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var clients sync.WaitGroup
	end := sync.OnceFunc(func() {
		close(stop)
		clients.Wait()
	})
	defer end()
	var asked, failed atomic.Int64
	for _, url := range urls {
		for _, http2 := range []bool{false, true} {
			for _, keep := range []bool{true, false} {
				client := r.client(http2)
				client.Transport.(*http.Transport).DisableKeepAlives = !keep
				clients.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						a, err := ask(client, url)
						asked.Add(1)
						if err != nil || a.StatusCode != http.StatusOK {
							failed.Add(1)
							t.Errorf("%s (HTTP/2 %v, keep-alive %v): %v %v", url, http2, keep, a.Response, err)
							return
						}
					}
				})
			}
		}
	}
	n := 0
	within(t, 3*time.Minute, "the reloads", func() error {
		n++
		c.edit("load", func(route *routev1.Route) {
			// A limit belongs to the route alone, so that nothing is ready for it.
			route.Annotations = map[string]string{
				"haproxy.router.openshift.io/rate-limit-connections":           "true",
				"haproxy.router.openshift.io/rate-limit-connections.rate-http": strconv.Itoa(1_000_000 + n),
			}
		})
		now, err := r.metric("router_reloads_total")
		if err == nil && now-before < reloads {
			err = fmt.Errorf("%v reloads", now-before)
		}
		return err
	})
	end()
	t.Logf("%d requests, %d failed, during %d reloads", asked.Load(), failed.Load(), reloads)
	if asked.Load() < 100*reloads {
		t.Errorf("only %d requests were made", asked.Load())
	}
}

// testUnreachable stops the API server: what was seen last is served, and
// what changes afterwards is seen.
func (c *cluster) testUnreachable(r *router) {
	t := c.t
	c.route("last", "last.test", "plain", nil)
	eventually(t, "the route is served", func() error { return r.servedBy("http://last.test/", "plain-1") })
	c.StopAPIServer()
	if _, err := c.routes.Get(t.Context(), "last", metav1.GetOptions{}); err == nil {
		t.Error("a stopped API server answers")
	}
	eventually(t, "the router notices", func() error {
		if !strings.Contains(r.Stderr.String(), "the cluster cannot be reached") {
			return fmt.Errorf("the log does not say so")
		}
		return nil
	})
	for range 20 {
		if err := r.servedBy("http://last.test/", "plain-1"); err != nil {
			t.Error(err)
		}
	}
	c.StartAPIServer()
	c.edit("last", func(route *routev1.Route) { route.Spec.Host = "after.test" })
	within(t, 2*time.Minute, "a change is served again", func() error { return r.servedBy("http://after.test/", "plain-1") })
	eventually(t, "and its status is written", func() error { return c.admitted("last", corev1.ConditionTrue, "") })
	if err := c.routes.Delete(t.Context(), "last", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}
