package status_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	networkingclient "k8s.io/client-go/kubernetes/typed/networking/v1"

	"router/pkg/controller/routes"
	"router/pkg/controller/status"
	"router/pkg/model"
	"router/pkg/source"
	"router/pkg/source/kube"
	"router/test/kubetest"
)

// ingressRouter is a replica that serves Ingresses, without a data plane.
type ingressRouter struct {
	*replica
	writer *status.IngressWriter
}

// startIngress runs a replica that is reached by a host name.
func startIngress(t *testing.T, c *kubetest.Cluster, name, hostname string) *ingressRouter {
	t.Helper()
	base, config := newReplica(c, user)
	r := &ingressRouter{replica: base}
	client, err := networkingclient.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	r.writer = status.NewIngress(status.IngressOptions{
		Client: client, Hostname: hostname, Addresses: []string{"192.0.2.1"}, Logger: discard(), Metrics: status.NewMetrics(nil),
	})
	store := source.NewStore(source.Selection{})
	owned := map[model.RouteKey]bool{}
	take := func(changes []source.Change) {
		for _, change := range changes {
			store.Apply(change)
			if change.Key.Kind == source.KindIngress {
				r.look(owned, store, model.RouteKey{Namespace: change.Key.Namespace, Name: change.Key.Name})
			}
		}
	}
	r.run(t, kube.Options{Config: as(c, user), Ingress: true}, take, r.writer.Run, elect(t, config, "public", name, discard(), r.writer.SetRole))
	return r
}

// look is what the router's loop does for an Ingress.
func (r *ingressRouter) look(owned map[model.RouteKey]bool, store *source.Store, k model.RouteKey) {
	i, before := store.Ingress(k.Namespace, k.Name), owned[k]
	switch owned[k] = i != nil && (routes.Class{Name: "router"}).Owns(i, store); {
	case owned[k]:
		r.writer.Observe(i)
		r.writer.Set(k, i.UID)
	case before:
		r.writer.Remove(k)
	}
}

// points says where an Ingress is served.
func (l *lab) points(name string) []networkingv1.IngressLoadBalancerIngress {
	l.t.Helper()
	i, err := l.client.NetworkingV1().Ingresses("default").Get(l.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	return i.Status.LoadBalancer.Ingress
}

func (l *lab) editIngress(name string, change func(*networkingv1.Ingress)) {
	l.t.Helper()
	l.eventually("editing an Ingress", 10*time.Second, func() string {
		ingresses := l.client.NetworkingV1().Ingresses("default")
		i, err := ingresses.Get(l.t.Context(), name, metav1.GetOptions{})
		if err == nil {
			change(i)
			_, err = ingresses.Update(l.t.Context(), i, metav1.UpdateOptions{})
		}
		if err != nil {
			return err.Error()
		}
		return ""
	})
}

func TestFiveReplicasWriteWhereAnIngressIsServed(t *testing.T) {
	l := newLab(t)
	const hostname, count = "router.example.org", 20
	var rs []*ingressRouter
	writes := func() (n int64) {
		for _, r := range rs {
			n += r.writes.Load()
		}
		return n
	}
	calm := func(what string, before, want int64) {
		t.Helper()
		l.eventually(what+": calm", 30*time.Second, func() string {
			for _, r := range rs {
				if n := r.writer.Pending(); n > 0 {
					return fmt.Sprintf("%d are pending", n)
				}
			}
			return ""
		})
		if got := writes() - before; got != want {
			t.Errorf("%s: %d writes, want %d", what, got, want)
		}
	}
	says := func(name string, want ...networkingv1.IngressLoadBalancerIngress) {
		t.Helper()
		l.eventually("the status of "+name, 30*time.Second, func() string {
			if got := l.points(name); !slices.EqualFunc(got, want, func(a, b networkingv1.IngressLoadBalancerIngress) bool {
				return a.Hostname == b.Hostname && a.IP == b.IP
			}) {
				return fmt.Sprintf("is %+v, want %+v", got, want)
			}
			return ""
		})
	}
	ours := networkingv1.IngressLoadBalancerIngress{Hostname: hostname}
	for i := range 5 {
		rs = append(rs, startIngress(t, l.Cluster, fmt.Sprint("replica-", i), hostname))
	}
	class, foreign := "router", "nginx"
	name := func(i int) string { return fmt.Sprint("i", i) }
	for i := range count + 1 {
		in := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: name(i)}}
		if i%2 == 0 {
			in.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: "{}"}
		}
		in.Spec.IngressClassName = &class
		if i == count {
			in.Spec.IngressClassName = &foreign
		}
		in.Spec.DefaultBackend = &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "app", Port: networkingv1.ServiceBackendPort{Number: 80}}}
		if _, err := l.client.NetworkingV1().Ingresses("default").Create(t.Context(), in, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range count {
		says(name(i), ours)
	}
	calm("new Ingresses", 0, count)
	for i := range count {
		in, err := l.client.NetworkingV1().Ingresses("default").Get(t.Context(), name(i), metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if kept := in.Annotations[corev1.LastAppliedConfigAnnotation] == "{}"; kept != (i%2 == 0) {
			t.Errorf("annotations of %s are %v", name(i), in.Annotations)
		}
	}
	if got := l.points(name(count)); len(got) > 0 {
		t.Errorf("another router's Ingress says %+v", got)
	}

	// An edit that changes nothing about where it is served, and a replica
	// that comes later.
	before := writes()
	l.editIngress(name(0), func(i *networkingv1.Ingress) { i.Spec.DefaultBackend.Service.Name = "other" })
	rs = append(rs, startIngress(t, l.Cluster, "replica-5", hostname))
	l.editIngress(name(1), func(i *networkingv1.Ingress) { i.Annotations = map[string]string{"a": "b"} })
	calm("edits", before, 0)

	// What somebody takes away is put back, once.
	before = writes()
	i, err := l.client.NetworkingV1().Ingresses("default").Get(t.Context(), name(2), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	i.Status.LoadBalancer.Ingress = nil
	if _, err := l.client.NetworkingV1().Ingresses("default").UpdateStatus(t.Context(), i, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	says(name(2), ours)
	calm("what was taken away", before, 1)

	// One that leaves loses the address, and only that.
	before = writes()
	l.editIngress(name(3), func(i *networkingv1.Ingress) { i.Spec.IngressClassName = &foreign })
	says(name(3))
	calm("one that left", before, 1)
	before = writes()
	l.editIngress(name(3), func(i *networkingv1.Ingress) { i.Spec.IngressClassName = &class })
	says(name(3), ours)
	calm("one that came back", before, 1)
	if err := l.client.NetworkingV1().Ingresses("default").Delete(t.Context(), name(4), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	calm("one that was deleted", before, 1)
}
