package status_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	routeclient "github.com/openshift/client-go/route/clientset/versioned"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"router/pkg/controller/admission"
	"router/pkg/controller/routes"
	"router/pkg/controller/status"
	"router/pkg/model"
	"router/pkg/source"
	"router/pkg/source/kube"
	"router/test/kubetest"
)

// network is a router's way to the API server. It counts, and fails on
// request.
type network struct {
	inner http.RoundTripper
	// writes are status updates that were accepted, late ones those that came
	// after another's.
	writes, late atomic.Int64
	// broken is "", "forbidden" or "hanging", for status updates.
	broken atomic.Value
}

// RoundTrip implements http.RoundTripper.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, "/status") {
		return n.inner.RoundTrip(r)
	}
	switch n.broken.Load() {
	case "forbidden":
		body := `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`
		return &http.Response{
			StatusCode: http.StatusForbidden, Request: r, Body: io.NopCloser(bytes.NewBufferString(body)),
			Header: http.Header{"Content-Type": {"application/json"}},
		}, nil
	case "hanging":
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	response, err := n.inner.RoundTrip(r)
	if err == nil && response.StatusCode == http.StatusOK {
		n.writes.Add(1)
	} else if err == nil && response.StatusCode == http.StatusConflict {
		n.late.Add(1)
	}
	return response, err
}

// replica is what runs of a router without a data plane: it watches, and
// somebody takes what it sees and writes.
type replica struct {
	*network
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// user is who replicas are.
const user = "router"

// restricted is how replicas reach the API server.
func restricted(c *kubetest.Cluster) *rest.Config {
	config := rest.CopyConfig(c.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user}
	return config
}

// grant gives replicas the permissions that OpenShift's ingress operator gives
// its routers, and the like for Ingresses; there is no "get" among them.
func (l *lab) grant() {
	l.t.Helper()
	watch := []string{"list", "watch"}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: user}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"endpoints", "namespaces", "services"}, Verbs: watch},
		{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: watch},
		{APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"tokenreviews"}, Verbs: []string{"create"}},
		{APIGroups: []string{"authorization.k8s.io"}, Resources: []string{"subjectaccessreviews"}, Verbs: []string{"create"}},
		{APIGroups: []string{"route.openshift.io"}, Resources: []string{"routes"}, Verbs: watch},
		{APIGroups: []string{"route.openshift.io"}, Resources: []string{"routes/status"}, Verbs: []string{"update"}},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingresses", "ingressclasses"}, Verbs: watch},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingresses/status"}, Verbs: []string{"update"}},
	}}
	_, err := l.client.RbacV1().ClusterRoles().Create(l.t.Context(), role, metav1.CreateOptions{})
	if err == nil {
		_, err = l.client.RbacV1().ClusterRoleBindings().Create(l.t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: user}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		}, metav1.CreateOptions{})
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// newReplica returns a replica, and how its writer reaches the API server.
func newReplica(c *kubetest.Cluster) (*replica, *rest.Config) {
	r := &replica{network: &network{}}
	r.broken.Store("")
	config := restricted(c)
	config.Wrap(func(inner http.RoundTripper) http.RoundTripper {
		r.inner = inner
		return r.network
	})
	return r, config
}

// run starts a writer, and a watch whose changes are taken, until the end of
// the test.
func (r *replica) run(t *testing.T, write func(context.Context), o kube.Options, take func([]source.Change)) {
	t.Helper()
	o.Queue, o.Logger = source.NewQueue(time.Now), discard()
	watch, err := kube.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.done.Go(func() { write(ctx) })
	r.done.Go(func() {
		if err := watch.Run(ctx); err != nil {
			t.Errorf("watching: %v", err)
		}
	})
	r.done.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-o.Queue.Ready():
				take(o.Queue.Drain().Changes)
			}
		}
	})
	t.Cleanup(r.stop)
}

func (r *replica) stop() {
	r.cancel()
	r.done.Wait()
}

// router is a replica that decides about routes.
type router struct {
	*replica
	writer *status.Writer

	mu     sync.Mutex
	routes map[model.RouteKey]*routev1.Route
	// indexFor finds the index of a namespace.
	indexFor func(namespace string) *admission.Index
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// start runs a replica that selects routes by labels.
func start(t *testing.T, c *kubetest.Cluster, name, selector string, indexFor func(string) *admission.Index) *router {
	t.Helper()
	base, config := newReplica(c)
	r := &router{replica: base, routes: map[model.RouteKey]*routev1.Route{}, indexFor: indexFor}
	client, err := routeclient.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	r.writer = status.New(status.Options{
		Client: status.ClusterClient{Routes: client.RouteV1()}, RouterName: "public", CanonicalHostname: "router.example.org",
		Replica: name, Logger: discard(), Now: time.Now, Timeout: 2 * time.Second,
	})
	selected, err := labels.Parse(selector)
	if err != nil {
		t.Fatal(err)
	}
	r.run(t, r.writer.Run, kube.Options{Config: restricted(c), Selection: source.Selection{Labels: selected}}, r.take)
	return r
}

// take is a turn of the router's loop.
func (r *router) take(changes []source.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range changes {
		if c.Key.Kind != source.KindRoute {
			continue
		}
		k := model.RouteKey{Namespace: c.Key.Namespace, Name: c.Key.Name}
		index := r.indexFor(k.Namespace)
		var touched []model.RouteKey
		if route, ok := c.Object.(*routev1.Route); ok {
			r.routes[k] = route
			r.writer.Observe(route)
			touched = index.Update([]*routes.Candidate{routes.FromRoute(route)}, nil)
		} else {
			delete(r.routes, k)
			touched = index.Update(nil, []model.RouteKey{k})
		}
		for _, k := range touched {
			r.tell(k, index)
		}
	}
}

func (r *router) tell(k model.RouteKey, index *admission.Index) {
	v, known := index.Verdict(k)
	if !known {
		r.writer.Remove(k, nil)
		return
	}
	route := r.routes[k]
	r.writer.Set(status.Desired{
		Key: k, UID: route.UID, Host: v.FullHost, WildcardPolicy: route.Spec.WildcardPolicy,
		Admitted: v.Admitted, Reason: string(v.Reason), Message: v.Message,
	})
}

// lab is a cluster and what is done to it.
type lab struct {
	*kubetest.Cluster
	t      *testing.T
	client kubernetes.Interface
	routes routeclient.Interface
	// created counts routes.
	created int
}

// notApplied marks routes without the annotation of kubectl apply.
const notApplied = "not-applied"

func newLab(t *testing.T) *lab {
	t.Helper()
	c := kubetest.Start(t, kubetest.Options{})
	l := &lab{Cluster: c, t: t, client: kubernetes.NewForConfigOrDie(c.Config), routes: routeclient.NewForConfigOrDie(c.Config)}
	l.grant()
	return l
}

func (l *lab) namespace(name string) {
	l.t.Helper()
	_, err := l.client.CoreV1().Namespaces().Create(l.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
}

// create makes a route; every other one as kubectl apply does, which notes all
// of it in an annotation that informers do not keep.
func (l *lab) create(k model.RouteKey, spec routev1.RouteSpec) (*routev1.Route, error) {
	annotations := map[string]string{corev1.LastAppliedConfigAnnotation: "{}"}
	if l.created++; l.created%2 == 0 {
		annotations = map[string]string{notApplied: "yes"}
	}
	spec.To = routev1.RouteTargetReference{Kind: "Service", Name: "app"}
	return l.routes.RouteV1().Routes(k.Namespace).Create(l.t.Context(), &routev1.Route{
		ObjectMeta: metav1.ObjectMeta{Name: k.Name, Labels: map[string]string{"shard": "one"}, Annotations: annotations},
		Spec:       spec,
	}, metav1.CreateOptions{})
}

// edit changes a route until nobody has changed it meanwhile.
func (l *lab) edit(k model.RouteKey, change func(*routev1.Route)) {
	l.t.Helper()
	routes := l.routes.RouteV1().Routes(k.Namespace)
	for {
		r, err := routes.Get(l.t.Context(), k.Name, metav1.GetOptions{})
		if err != nil {
			l.t.Fatal(err)
		}
		change(r)
		if _, err = routes.Update(l.t.Context(), r, metav1.UpdateOptions{}); err == nil {
			return
		}
		if !apierrors.IsConflict(err) {
			l.t.Fatal(err)
		}
	}
}

func (l *lab) remove(k model.RouteKey) {
	l.t.Helper()
	if err := l.routes.RouteV1().Routes(k.Namespace).Delete(l.t.Context(), k.Name, metav1.DeleteOptions{}); err != nil {
		l.t.Fatal(err)
	}
}

// nextSecond waits until the API server dates objects by a later second than
// those that it has made before.
func (l *lab) nextSecond() {
	l.t.Helper()
	var first time.Time
	l.eventually("a later second", 10*time.Second, func() string {
		m, err := l.client.CoreV1().ConfigMaps("default").Create(l.t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "time-"}}, metav1.CreateOptions{})
		if err != nil {
			return err.Error()
		}
		if first.IsZero() {
			first = m.CreationTimestamp.Time
		}
		if !m.CreationTimestamp.After(first) {
			return "the same second"
		}
		return ""
	})
}

// eventually tries until there is nothing to complain of.
func (l *lab) eventually(what string, within time.Duration, complaint func() string) time.Duration {
	l.t.Helper()
	began := time.Now()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		c := complaint()
		if c == "" {
			return time.Since(began)
		}
		if time.Since(began) > within {
			l.t.Fatalf("%s: not within %s: %s", what, within, c)
		}
		<-ticker.C
	}
}

// entry is the router's entry in a route's status, and its condition Admitted.
func entry(r *routev1.Route) (*routev1.RouteIngress, *routev1.RouteIngressCondition) {
	for i := range r.Status.Ingress {
		if e := &r.Status.Ingress[i]; e.RouterName == "public" {
			for j := range e.Conditions {
				if e.Conditions[j].Type == routev1.RouteAdmitted {
					return e, &e.Conditions[j]
				}
			}
			return e, nil
		}
	}
	return nil, nil
}

// says complains unless a route's status has the host and the reason; the
// reason "" stands for an admitted route.
func (l *lab) says(k model.RouteKey, host, reason string) string {
	l.t.Helper()
	r, err := l.routes.RouteV1().Routes(k.Namespace).Get(l.t.Context(), k.Name, metav1.GetOptions{})
	if err != nil {
		return err.Error()
	}
	e, admitted := entry(r)
	if admitted == nil || e.Host != host || admitted.Reason != reason || (admitted.Status == corev1.ConditionTrue) != (reason == "") {
		return fmt.Sprintf("%s has %+v", k, r.Status.Ingress)
	}
	if e.RouterCanonicalHostname != "router.example.org" || e.WildcardPolicy != routev1.WildcardPolicyNone || admitted.LastTransitionTime == nil {
		return fmt.Sprintf("%s lacks something: %+v", k, e)
	}
	if r.Annotations[corev1.LastAppliedConfigAnnotation] == "" && r.Annotations[notApplied] == "" {
		return fmt.Sprintf("%s has lost an annotation", k)
	}
	return ""
}
