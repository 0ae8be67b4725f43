package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// succession is how long the next in line may wait for a host.
const succession = time.Second

// testRunnersUp deletes winners: who is next in line serves, and is told so,
// within a second.
func (c *cluster) testRunnersUp(r *router) {
	t := c.t
	const line = 4
	name := func(i int) string { return fmt.Sprint("line-", i) }
	for i := range line {
		// Every other one has TLS, so that the host changes hands in every way.
		var tls *routev1.TLSConfig
		if i%2 == 1 {
			tls = &routev1.TLSConfig{Termination: routev1.TLSTerminationEdge, InsecureEdgeTerminationPolicy: routev1.InsecureEdgeTerminationPolicyAllow}
		}
		c.route(name(i), "line.test", []string{"plain", "next"}[i%2], tls)
		defer func() { _ = c.routes.Delete(context.Background(), name(i), metav1.DeleteOptions{}) }()
		want, reason := corev1.ConditionTrue, ""
		if i > 0 {
			want, reason = corev1.ConditionFalse, "HostAlreadyClaimed"
		}
		eventually(t, name(i)+" has its verdict", func() error { return c.admitted(name(i), want, reason) })
		// Ages count in seconds.
		next := time.Now().Truncate(time.Second).Add(time.Second)
		eventually(t, "the next second", func() error {
			if time.Now().Before(next) {
				return fmt.Errorf("it is %s", time.Now())
			}
			return nil
		})
	}
	var served, told time.Duration
	for i := range line - 1 {
		began := time.Now()
		if err := c.routes.Delete(t.Context(), name(i), metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the pod of the next in line answers", func() error {
			return r.servedBy("http://line.test/", []string{"plain-1", "next-1"}[(i+1)%2])
		})
		served = max(served, time.Since(began))
		eventually(t, "the next in line is admitted", func() error { return c.admitted(name(i+1), corev1.ConditionTrue, "") })
		told = max(told, time.Since(began))
		for j := i + 2; j < line; j++ {
			eventually(t, "the others are told whom they wait for", func() error {
				return c.says(name(j), routev1.RouteAdmitted, corev1.ConditionFalse, "HostAlreadyClaimed", "route "+name(i+1)+" already exposes line.test and is older")
			})
		}
	}
	t.Logf("of %d runners-up, the slowest served after %v and was told after %v", line-1, served, told)
	if max(served, told) > succession {
		t.Errorf("a runner-up served after %v and was told after %v, want %v", served, told, succession)
	}
}

// requestCounts counts what goes to the API server, by method, resource and kind.
type requestCounts struct {
	mu     sync.Mutex
	counts map[string]int
}

// of takes a request in.
func (q *requestCounts) of(r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if i := slices.Index(parts, "namespaces"); i >= 0 && len(parts) > i+2 {
		parts = append(parts[:i:i], parts[i+2:]...)
	}
	start := 2 // api/v1/RESOURCE
	if parts[0] == "apis" {
		start = 3
	}
	what := r.Method + " " + r.URL.Path
	if len(parts) > start {
		verb := r.Method
		switch {
		case r.URL.Query().Has("watch"):
			verb = "watch"
		case r.Method == http.MethodGet && len(parts) == start+1:
			verb = "list"
		}
		what = verb + " " + parts[start]
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.counts[what]++
}

// all are the counts, and their sum.
func (q *requestCounts) all() (counts map[string]int, sum int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	counts = map[string]int{}
	for what, n := range q.counts {
		counts[what] = n
		sum += n
	}
	return counts, sum
}

// counted is a way to the API server that counts requests, as a kubeconfig
// file.
func (c *cluster) counted() (kubeconfig string, q *requestCounts) {
	c.t.Helper()
	target, err := url.Parse(c.Config.Host)
	if err != nil {
		c.t.Fatal(err)
	}
	transport, err := rest.TransportFor(c.Config)
	if err != nil {
		c.t.Fatal(err)
	}
	q = &requestCounts{counts: map[string]int{}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			q.of(r.In)
			r.SetURL(target)
		},
		Transport: transport, FlushInterval: -1,
	}
	server := httptest.NewServer(proxy)
	c.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	kubeconfig = filepath.Join(c.t.TempDir(), "kubeconfig")
	err = clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{"test": {Server: server.URL}},
		Contexts: map[string]*clientcmdapi.Context{"test": {Cluster: "test"}}, CurrentContext: "test",
	}, kubeconfig)
	if err != nil {
		c.t.Fatal(err)
	}
	return kubeconfig, q
}

// testStart starts a router beside routes whose status is right already, few
// and many: it asks for each kind of objects once, and for no route.
func (c *cluster) testStart(haproxy string) {
	t := c.t
	const few, many = 10, 200
	made := 0
	upTo := func(n int) {
		t.Helper()
		for ; made < n; made++ {
			// Every tenth has a host that is taken.
			_, err := c.routes.Create(t.Context(), &routev1.Route{
				ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("start-", made), Labels: map[string]string{"test": "start"}},
				Spec: routev1.RouteSpec{
					Host: fmt.Sprintf("start-%d.test", made-made%10/9*9), To: routev1.RouteTargetReference{Kind: "Service", Name: "plain"},
				},
			}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	defer func() {
		_ = c.routes.DeleteCollection(context.Background(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "test=start"})
	}()
	// written is an error unless all routes have a status.
	written := func() error {
		list, err := c.routes.List(t.Context(), metav1.ListOptions{LabelSelector: "test=start"})
		if err != nil {
			return err
		}
		rejected := 0
		for _, r := range list.Items {
			if len(r.Status.Ingress) != 1 {
				return fmt.Errorf("route %s has no status", r.Name)
			}
			if r.Status.Ingress[0].Conditions[0].Status == corev1.ConditionFalse {
				rejected++
			}
		}
		if rejected != made/10 {
			return fmt.Errorf("%d routes are rejected, want %d", rejected, made/10)
		}
		return nil
	}
	var sums []int
	for _, n := range []int{few, many} {
		upTo(n)
		first := start(t, haproxy, "--config", c.Kubeconfig, "--enable-ingress", "--router-canonical-hostname", canonicalHostname)
		within(t, time.Minute, "all routes have their status", written)
		first.Stop()

		kubeconfig, q := c.counted()
		second := start(t, haproxy, "--config", kubeconfig, "--enable-ingress", "--router-canonical-hostname", canonicalHostname)
		counts, sum := q.all()
		sums = append(sums, sum)
		t.Logf("a start beside %d routes: %v", n, counts)
		for what, n := range counts {
			if verb, _, _ := strings.Cut(what, " "); verb != "list" && verb != "watch" {
				t.Errorf("%d requests: %s", n, what)
			}
		}
		if counts["watch routes"] == 0 {
			t.Error("the routes' watch was not counted")
		}
		// A write that had been put off at the start would be due before this
		// one, and is counted.
		c.edit("start-0", func(r *routev1.Route) { r.Spec.Host = fmt.Sprintf("moved-%d.test", n) })
		eventually(t, "an edit is told", func() error { return c.admitted("start-0", corev1.ConditionTrue, "") })
		eventually(t, "and served", func() error { return second.servedBy(fmt.Sprintf("http://moved-%d.test/", n), "plain-1") })
		if writes, err := second.metric("router_status_writes_total"); err != nil || writes < 1 || writes > 2 {
			t.Errorf("%v writes, %v, want those of the edited route and of who gets its host", writes, err)
		}
		second.Stop()
		c.edit("start-0", func(r *routev1.Route) { r.Spec.Host = "start-0.test" })
	}
	if sums[0] != sums[1] {
		t.Errorf("%d requests beside %d routes, %d beside %d", sums[0], few, sums[1], many)
	}
}
