package status

import (
	"context"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"router/pkg/model"
)

func keyOf(o metav1.Object) model.RouteKey {
	return model.RouteKey{Namespace: o.GetNamespace(), Name: o.GetName()}
}

// routeOpinion is an opinion about a route's entry.
type routeOpinion struct {
	id      identity
	desired Desired
	// remove wants no entry of this router; desired then only has the key,
	// and the UID if it was known.
	remove bool
}

func (o *routeOpinion) concerns(r metav1.Object) bool {
	return o.desired.UID == r.GetUID() || o.remove && o.desired.UID == types.UID("")
}

func (o *routeOpinion) holds(object metav1.Object) bool {
	r := object.(*routev1.Route)
	if o.remove {
		_, count := o.id.entries(r)
		return count == 0
	}
	return o.id.says(r, &o.desired)
}

// disputed implements opinion. An entry that is missing is nobody's opinion:
// it is put back however often it is taken away.
func (o *routeOpinion) disputed(object metav1.Object) bool {
	_, n := o.id.entries(object.(*routev1.Route))
	return n > 0
}

// yields implements opinion, for Desired.OthersMayServe.
func (o *routeOpinion) yields(object metav1.Object) bool {
	if o.remove || o.desired.Admitted || !o.desired.OthersMayServe {
		return false
	}
	e, n := o.id.entries(object.(*routev1.Route))
	if n != 1 || e.Host != o.desired.Host || e.RouterCanonicalHostname != o.id.canonicalHostname {
		return false
	}
	a := condition(e, routev1.RouteAdmitted)
	return a != nil && a.Status == corev1.ConditionTrue && a.Reason != ""
}

func (o *routeOpinion) carriedOut(base metav1.Object, now time.Time) metav1.Object {
	changed := *base.(*routev1.Route)
	if o.remove {
		changed.Status.Ingress = o.id.without(&changed)
	} else {
		changed.Status.Ingress = o.id.with(&changed, &o.desired, now)
	}
	return &changed
}

func (o *routeOpinion) removes() bool { return o.remove }

func (o *routeOpinion) equal(other opinion) bool {
	p, ok := other.(*routeOpinion)
	return ok && o.remove == p.remove && (o.remove || o.desired.equal(&p.desired))
}

func (o *routeOpinion) against(object metav1.Object) []any {
	attrs := []any{"router", o.id.name}
	if object == nil {
		return attrs
	}
	if e, n := o.id.entries(object.(*routev1.Route)); n > 0 {
		attrs = append(attrs, "host", e.Host, "canonicalHostname", e.RouterCanonicalHostname)
	}
	return attrs
}

// routes are the objects of a Writer.
type routes struct{ Client }

func (c routes) read(ctx context.Context, k model.RouteKey) (metav1.Object, error) {
	r, err := c.Read(ctx, k)
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (c routes) updateStatus(ctx context.Context, o metav1.Object) (metav1.Object, error) {
	r, err := c.UpdateStatus(ctx, o.(*routev1.Route))
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (c routes) sameSpec(a, b metav1.Object) bool {
	return equality.Semantic.DeepEqual(a.(*routev1.Route).Spec, b.(*routev1.Route).Spec)
}
