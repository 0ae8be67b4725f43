package status

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	networkingclient "k8s.io/client-go/kubernetes/typed/networking/v1"

	"router/pkg/model"
)

// IngressOptions are what an IngressWriter needs.
type IngressOptions struct {
	Client networkingclient.IngressesGetter
	// Hostname is where clients reach the router; the IP Addresses are used
	// where it is "". Without either nothing is written.
	Hostname  string
	Addresses []string
	Logger    *slog.Logger
	Metrics   *Metrics
}

// IngressWriter writes into the status of Ingresses where the router serves
// them (status.loadBalancer). All methods may be called from any goroutine,
// and none but Run waits for the network.
//
// An Ingress is of one class and its status one router's, so the whole list
// is written. Only what the router itself would write is ever removed.
type IngressWriter struct {
	*writer
	points points
}

// NewIngress returns an IngressWriter; it writes once Run is called.
func NewIngress(o IngressOptions) *IngressWriter {
	read := func(ctx context.Context, k model.RouteKey) (metav1.Object, error) {
		list, err := o.Client.Ingresses(k.Namespace).List(ctx, named(k.Name))
		if err != nil || len(list.Items) == 0 {
			return nil, cmp.Or(err, error(apierrors.NewNotFound(networkingv1.Resource("ingresses"), k.Name)))
		}
		return &list.Items[0], nil
	}
	update := func(ctx context.Context, i metav1.Object) (metav1.Object, error) {
		return o.Client.Ingresses(i.GetNamespace()).UpdateStatus(ctx, i.(*networkingv1.Ingress), metav1.UpdateOptions{})
	}
	w := &IngressWriter{writer: newWriter(kind{"ingress", read, update}, o.Logger, o.Metrics)}
	if o.Hostname != "" {
		w.points = points{{Hostname: o.Hostname}}
		return w
	}
	for _, address := range o.Addresses {
		w.points = append(w.points, networkingv1.IngressLoadBalancerIngress{IP: address})
	}
	return w
}

// Set says that the router serves an Ingress.
func (w *IngressWriter) Set(k model.RouteKey, uid types.UID) {
	if len(w.points) > 0 {
		w.set(k, &ingressStatus{points: w.points, uid: uid})
	}
}

// Remove says that the router does not serve an Ingress, or not any longer.
// It may be one that was deleted.
func (w *IngressWriter) Remove(k model.RouteKey) {
	if len(w.points) > 0 {
		w.set(k, &ingressStatus{points: w.points, remove: true})
	}
}

// Observe takes in the newest object of an Ingress, as the informer has it.
func (w *IngressWriter) Observe(i *networkingv1.Ingress) {
	if len(w.points) > 0 {
		w.observe(keyOf(i), i)
	}
}

// points are where an Ingress is served.
type points []networkingv1.IngressLoadBalancerIngress

func (p points) has(point networkingv1.IngressLoadBalancerIngress) bool {
	return slices.ContainsFunc(p, func(q networkingv1.IngressLoadBalancerIngress) bool { return equality.Semantic.DeepEqual(point, q) })
}

// ingressStatus is what the status of an Ingress should be.
type ingressStatus struct {
	points points
	uid    types.UID
	// remove wants no point of this router.
	remove bool
}

func (d *ingressStatus) about(i metav1.Object) bool { return d.remove || d.uid == i.GetUID() }

func (d *ingressStatus) removes() bool { return d.remove }

func (d *ingressStatus) change(object metav1.Object, _ time.Time) metav1.Object {
	i := object.(*networkingv1.Ingress)
	list := d.points
	if d.remove {
		list = slices.DeleteFunc(slices.Clone(i.Status.LoadBalancer.Ingress), d.points.has)
	}
	if equality.Semantic.DeepEqual([]networkingv1.IngressLoadBalancerIngress(list), i.Status.LoadBalancer.Ingress) {
		return nil
	}
	changed := *i
	changed.Status.LoadBalancer.Ingress = list
	return &changed
}

func (d *ingressStatus) overwritten(i metav1.Object) overwrite {
	if len(i.(*networkingv1.Ingress).Status.LoadBalancer.Ingress) == 0 {
		return emptied
	}
	return replaced
}

// OnlyIngressStatusChanged is OnlyStatusChanged for an Ingress.
func OnlyIngressStatusChanged(before, after *networkingv1.Ingress) bool {
	return before != nil && after != nil && sameMeta(before.ObjectMeta, after.ObjectMeta) && equality.Semantic.DeepEqual(before.Spec, after.Spec)
}
