package status

import (
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

// IngressOptions are what an IngressWriter needs. Client, Logger and Now have
// no defaults.
type IngressOptions struct {
	Client networkingclient.IngressesGetter
	// Hostname is where clients reach the router; the IP Addresses are used
	// where it is "". Without either nothing is written.
	Hostname  string
	Addresses []string
	// The rest is as in Options.
	Replica string
	Logger  *slog.Logger
	Now     func() time.Time
	Timeout time.Duration
	// ContentionWindow is as in Options.
	ContentionWindow time.Duration
	Metrics          Metrics
}

// IngressWriter writes into the status of Ingresses where the router serves
// them (status.loadBalancer). All methods may be called from any goroutine,
// and none but Run waits for the network.
//
// An Ingress is of one class and its status one router's, so the whole list
// is written. Only what the router itself would write is ever removed.
type IngressWriter struct {
	*machine
	points []networkingv1.IngressLoadBalancerIngress
}

// NewIngress returns an IngressWriter; it writes once Run is called.
func NewIngress(o IngressOptions) *IngressWriter {
	w := &IngressWriter{machine: newMachine(settings{
		Objects: ingresses{o.Client}, Kind: "ingress", Replica: o.Replica, Logger: o.Logger, Now: o.Now, Timeout: o.Timeout,
		ContentionWindow: o.ContentionWindow, Metrics: o.Metrics,
	})}
	if o.Hostname != "" {
		w.points = []networkingv1.IngressLoadBalancerIngress{{Hostname: o.Hostname}}
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
		w.set(k, &balancerOpinion{points: w.points, uid: uid})
	}
}

// Remove says that the router does not serve an Ingress, or not any longer.
// It may be one that was deleted.
func (w *IngressWriter) Remove(k model.RouteKey) {
	if len(w.points) > 0 {
		w.set(k, &balancerOpinion{points: w.points, remove: true})
	}
}

// Observe takes in the newest object of an Ingress, as the informer has it.
func (w *IngressWriter) Observe(i *networkingv1.Ingress) {
	if len(w.points) > 0 {
		w.observe(keyOf(i), i)
	}
}

// balancerOpinion is an opinion about where an Ingress is served.
type balancerOpinion struct {
	points []networkingv1.IngressLoadBalancerIngress
	uid    types.UID
	remove bool
}

func pointsOf(o metav1.Object) []networkingv1.IngressLoadBalancerIngress {
	return o.(*networkingv1.Ingress).Status.LoadBalancer.Ingress
}

// ours reports whether this router would write an entry.
func (o *balancerOpinion) ours(p networkingv1.IngressLoadBalancerIngress) bool {
	return slices.ContainsFunc(o.points, func(q networkingv1.IngressLoadBalancerIngress) bool { return equality.Semantic.DeepEqual(p, q) })
}

func (o *balancerOpinion) concerns(i metav1.Object) bool { return o.remove || o.uid == i.GetUID() }

func (o *balancerOpinion) holds(i metav1.Object) bool {
	if o.remove {
		return !slices.ContainsFunc(pointsOf(i), o.ours)
	}
	return equality.Semantic.DeepEqual(pointsOf(i), o.points)
}

// disputed implements opinion: an empty list is nobody's.
func (o *balancerOpinion) disputed(i metav1.Object) bool { return len(pointsOf(i)) > 0 }

// yields implements opinion: an address is served or not.
func (o *balancerOpinion) yields(metav1.Object) bool { return false }

func (o *balancerOpinion) carriedOut(base metav1.Object, _ time.Time) metav1.Object {
	changed := *base.(*networkingv1.Ingress)
	if o.remove {
		changed.Status.LoadBalancer.Ingress = slices.DeleteFunc(slices.Clone(pointsOf(base)), o.ours)
	} else {
		changed.Status.LoadBalancer.Ingress = o.points
	}
	return &changed
}

func (o *balancerOpinion) removes() bool { return o.remove }

func (o *balancerOpinion) equal(other opinion) bool {
	p, ok := other.(*balancerOpinion)
	return ok && o.remove == p.remove && o.uid == p.uid
}

func (o *balancerOpinion) against(i metav1.Object) []any {
	if i == nil {
		return nil
	}
	return []any{"loadBalancer", pointsOf(i)}
}

// ingresses are the objects of an IngressWriter.
type ingresses struct {
	networkingclient.IngressesGetter
}

func (c ingresses) read(ctx context.Context, k model.RouteKey) (metav1.Object, error) {
	list, err := c.Ingresses(k.Namespace).List(ctx, named(k.Name))
	if err != nil {
		return nil, err
	}
	if len(list.Items) == 0 {
		return nil, apierrors.NewNotFound(networkingv1.Resource("ingresses"), k.Name)
	}
	return &list.Items[0], nil
}

func (c ingresses) updateStatus(ctx context.Context, o metav1.Object) (metav1.Object, error) {
	i, err := c.Ingresses(o.GetNamespace()).UpdateStatus(ctx, o.(*networkingv1.Ingress), metav1.UpdateOptions{})
	if err != nil {
		return nil, err
	}
	return i, nil
}

func (c ingresses) sameSpec(a, b metav1.Object) bool {
	return equality.Semantic.DeepEqual(a.(*networkingv1.Ingress).Spec, b.(*networkingv1.Ingress).Spec)
}

// OnlyIngressStatusChanged is OnlyStatusChanged for an Ingress.
func OnlyIngressStatusChanged(before, after *networkingv1.Ingress) bool {
	if before == nil || after == nil {
		return false
	}
	a, b := *before, *after
	for _, i := range []*networkingv1.Ingress{&a, &b} {
		i.Status = networkingv1.IngressStatus{}
		i.ResourceVersion, i.ManagedFields = "", nil
		i.TypeMeta = metav1.TypeMeta{}
	}
	return equality.Semantic.DeepEqual(&a, &b)
}
