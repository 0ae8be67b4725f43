package status_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"

	"router/pkg/controller/admission"
	"router/pkg/controller/routes"
	"router/pkg/controller/status"
	"router/pkg/model"
	"router/pkg/source"
	"router/pkg/source/kube"
	"router/test/kubetest"
)

// network is a router's way to the API server. It counts, and can be cut.
type network struct {
	inner http.RoundTripper
	// writes are status updates that were accepted, late ones those that came
	// after another's.
	writes, late atomic.Int64
	cut          atomic.Bool
}

// RoundTrip implements http.RoundTripper.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	if n.cut.Load() {
		return nil, errors.New("the network is cut")
	}
	response, err := n.inner.RoundTrip(r)
	if err == nil && r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/status") {
		switch response.StatusCode {
		case http.StatusOK:
			n.writes.Add(1)
		case http.StatusConflict:
			n.late.Add(1)
		}
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

// Replicas are one of these users. Both have what OpenShift's ingress operator
// gives its routers, and the like for Ingresses; there is no "get" among it.
const (
	// user may use leases in the namespace home as well.
	user = "router"
	// bareUser may not.
	bareUser = "bare-router"
	home     = "routers"
)

// as is how a user reaches the API server.
func as(c *kubetest.Cluster, user string) *rest.Config {
	config := rest.CopyConfig(c.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user}
	return config
}

// grant gives replicas their permissions.
func (l *lab) grant() {
	l.t.Helper()
	watch := []string{"list", "watch"}
	rules := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"endpoints", "namespaces", "services"}, Verbs: watch},
		{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: watch},
		{APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"tokenreviews"}, Verbs: []string{"create"}},
		{APIGroups: []string{"authorization.k8s.io"}, Resources: []string{"subjectaccessreviews"}, Verbs: []string{"create"}},
		{APIGroups: []string{"route.openshift.io"}, Resources: []string{"routes"}, Verbs: watch},
		{APIGroups: []string{"route.openshift.io"}, Resources: []string{"routes/status"}, Verbs: []string{"update"}},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingresses", "ingressclasses"}, Verbs: watch},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingresses/status"}, Verbs: []string{"update"}},
	}
	subject := func(name string) rbacv1.Subject {
		return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
	}
	meta := metav1.ObjectMeta{Name: user}
	_, err := l.client.RbacV1().ClusterRoles().Create(l.t.Context(), &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
	if err == nil {
		_, err = l.client.RbacV1().ClusterRoleBindings().Create(l.t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user}, Subjects: []rbacv1.Subject{subject(user), subject(bareUser)},
		}, metav1.CreateOptions{})
	}
	if err != nil {
		l.t.Fatal(err)
	}
	l.namespace(home)
	_, err = l.client.RbacV1().Roles(home).Create(l.t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "create", "update"}},
	}}, metav1.CreateOptions{})
	if err == nil {
		_, err = l.client.RbacV1().RoleBindings(home).Create(l.t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user}, Subjects: []rbacv1.Subject{subject(user)},
		}, metav1.CreateOptions{})
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// newReplica returns a replica, and how its writer reaches the API server.
func newReplica(c *kubetest.Cluster, user string) (*replica, *rest.Config) {
	r := &replica{network: &network{}}
	config := as(c, user)
	config.Wrap(func(inner http.RoundTripper) http.RoundTripper {
		r.inner = inner
		return r.network
	})
	return r, config
}

// run starts what writes, and a watch whose changes are taken, until the end of
// the test.
func (r *replica) run(t *testing.T, o kube.Options, take func([]source.Change), write ...func(context.Context)) {
	t.Helper()
	o.Queue, o.Logger = source.NewQueue(time.Now), discard()
	watch, err := kube.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	for _, w := range write {
		r.done.Go(func() { w(ctx) })
	}
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

// elect is how a replica competes for the lease of a router.
func elect(t *testing.T, config *rest.Config, router, name string, logger *slog.Logger, changed func(status.Role)) func(context.Context) {
	t.Helper()
	leases, err := coordinationclient.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	changed(status.Following)
	return status.Election{Client: leases, Namespace: home, RouterName: router, Replica: name, Logger: logger, Changed: changed}.Run
}

// setup is what a replica is started with.
type setup struct {
	// user, name and router default to those that may use leases, "replica" and
	// "public".
	user, name, router string
	// labels select routes.
	labels string
	// indexFor finds the index of a namespace.
	indexFor func(namespace string) *admission.Index
	// alone leaves the election out.
	alone  bool
	logger *slog.Logger
	// word changes what the replica says.
	word func(*status.Desired)
}

// router is a replica that decides about routes.
type router struct {
	*replica
	setup
	writer *status.Writer

	mu     sync.Mutex
	routes map[model.RouteKey]*routev1.Route
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// start runs a replica.
func start(t *testing.T, c *kubetest.Cluster, s setup) *router {
	t.Helper()
	s.user, s.name, s.router = cmp.Or(s.user, user), cmp.Or(s.name, "replica"), cmp.Or(s.router, "public")
	s.logger = cmp.Or(s.logger, discard())
	base, config := newReplica(c, s.user)
	r := &router{replica: base, setup: s, routes: map[model.RouteKey]*routev1.Route{}}
	routes, err := routeclient.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	selector, err := labels.Parse(s.labels)
	if err != nil {
		t.Fatal(err)
	}
	client := status.ClusterClient{Routes: routes.RouteV1()}
	r.writer = status.New(status.Options{
		Client: client, RouterName: s.router, CanonicalHostname: "router.example.org", Logger: s.logger, Metrics: status.NewMetrics(nil),
		Sweep: &status.Sweep{List: client.List, Selected: func(r *routev1.Route) bool { return selector.Matches(labels.Set(r.Labels)) }},
	})
	write := []func(context.Context){r.writer.Run}
	if !s.alone {
		write = append(write, elect(t, config, s.router, s.name, s.logger, r.writer.SetRole))
	}
	r.run(t, kube.Options{Config: as(c, s.user), Selection: source.Selection{Labels: selector}}, r.take, write...)
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
	d := status.Desired{
		Key: k, UID: route.UID, Host: v.FullHost, WildcardPolicy: route.Spec.WildcardPolicy,
		Admitted: v.Admitted, Reason: string(v.Reason), Message: v.Message,
	}
	if r.word != nil {
		r.word(&d)
	}
	r.writer.Set(d)
}

// lab is a cluster and what is done to it.
type lab struct {
	*kubetest.Cluster
	t      *testing.T
	client kubernetes.Interface
	routes routeclient.Interface
	// created counts routes.
	created int
	// shard is the label of routes that are made, router the name of the router
	// whose entry is looked at.
	shard, router string
}

// notApplied marks routes without the annotation of kubectl apply.
const notApplied = "not-applied"

func newLab(t *testing.T) *lab {
	t.Helper()
	c := kubetest.Start(t, kubetest.Options{})
	l := &lab{Cluster: c, t: t, client: kubernetes.NewForConfigOrDie(c.Config), routes: routeclient.NewForConfigOrDie(c.Config), shard: "one", router: "public"}
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
		ObjectMeta: metav1.ObjectMeta{Name: k.Name, Labels: map[string]string{"shard": l.shard}, Annotations: annotations},
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

// entry is a router's entry in a route's status, and its condition Admitted.
func entry(r *routev1.Route, router string) (*routev1.RouteIngress, *routev1.RouteIngressCondition) {
	for i := range r.Status.Ingress {
		if e := &r.Status.Ingress[i]; e.RouterName == router {
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

func (l *lab) route(k model.RouteKey) *routev1.Route {
	l.t.Helper()
	r, err := l.routes.RouteV1().Routes(k.Namespace).Get(l.t.Context(), k.Name, metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

// says complains unless a route's status has the host and the reason; the
// reason "" stands for an admitted route.
func (l *lab) says(k model.RouteKey, host, reason string) string {
	l.t.Helper()
	r := l.route(k)
	e, admitted := entry(r, l.router)
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
