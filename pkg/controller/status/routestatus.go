package status

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s.io/apimachinery/pkg/types"

	"router/pkg/model"
)

// Options are what a Writer needs; only Sweep has a default.
type Options struct {
	Client Client
	// RouterName and CanonicalHostname are written into the entry; the name
	// is what tells it from the entries of other routers.
	RouterName, CanonicalHostname string
	Logger                        *slog.Logger
	Metrics                       *Metrics
	// Sweep says where entries may have been left behind; nil is nowhere.
	Sweep *Sweep
}

// Writer writes the status of routes. All methods may be called from any
// goroutine, and none but Run waits for the network.
type Writer struct {
	*writer
	id    identity
	sweep *Sweep
}

// New returns a Writer; it writes once Run is called.
func New(o Options) *Writer {
	return &Writer{
		writer: newWriter(kind{
			"route",
			func(ctx context.Context, k model.RouteKey) (metav1.Object, error) { return o.Client.Read(ctx, k) },
			func(ctx context.Context, r metav1.Object) (metav1.Object, error) {
				return o.Client.UpdateStatus(ctx, r.(*routev1.Route))
			},
		}, o.Logger, o.Metrics),
		id: identity{o.RouterName, o.CanonicalHostname}, sweep: o.Sweep,
	}
}

// Set says what a route's status should be from now on. A newer call takes
// the place of an older one that has not been carried out yet.
func (w *Writer) Set(d Desired) { w.set(d.Key, &routeStatus{id: w.id, Desired: d.writable()}) }

// Remove says that a route is none of this router's business any longer: its
// entry is taken out of the status. The route may be one that was deleted, or
// one that is not watched any more. Where it is, known is its latest object,
// else nil: a route that never had an entry costs no request.
func (w *Writer) Remove(k model.RouteKey, known *routev1.Route) {
	w.removeUnless(k, func(decided bool) bool { return !decided && known != nil && w.id.entry(known) == nil })
}

// removeUnless is Remove but for routes that need not, which may depend on
// whether somebody has decided about them.
func (w *Writer) removeUnless(k model.RouteKey, needNot func(decided bool) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.record(k)
	switch decided := r.desired != nil; {
	case !needNot(decided):
		w.decide(k, r, &routeStatus{id: w.id, remove: true})
	case !decided:
		w.drop(k)
	}
}

// Observe takes in the newest object of a route, as the informer has it.
// Status that others have written is noticed here.
func (w *Writer) Observe(route *routev1.Route) { w.observe(keyOf(route), route) }

func keyOf(o metav1.Object) model.RouteKey {
	return model.RouteKey{Namespace: o.GetNamespace(), Name: o.GetName()}
}

// Desired is what a route's status should say about this router.
type Desired struct {
	Key model.RouteKey
	// UID is that of the object that was decided about: a route that was
	// deleted and made again is another route.
	UID types.UID
	// Host and WildcardPolicy are what the route is served under.
	Host           string
	WildcardPolicy routev1.WildcardPolicyType
	// Admitted is the status of the condition of this name; Reason and
	// Message are its reason and message, mostly empty where it is true.
	Admitted        bool
	Reason, Message string
	// OthersMayServe says of a route that is not admitted that another replica
	// may admit it all the same, with a reason: it ran when the route's secret
	// was good, and still has what was in it. Its word stands then.
	OthersMayServe bool
	// ExtraConditions stand beside Admitted, one of each type. Their
	// transition times are not looked at.
	ExtraConditions []routev1.RouteIngressCondition
	// Unsettled is the type of an extra condition that is still being decided
	// about, "" for none. What stands there, by another replica or by this one
	// before it was started again, may be right, and is left as it is.
	Unsettled routev1.RouteIngressConditionType
}

// maxMessage bounds the message of a condition, in bytes. Messages repeat what
// tenants have written, and an object beside its own repetition may be too
// large for the API server. It is the bound of Kubernetes' own conditions.
const maxMessage = 32768

// writable is the same as an API server gives it back: one that is asked for
// bytes that are no text keeps others, and what it keeps would never be what
// is wanted.
func (d Desired) writable() Desired {
	d.Host, d.Reason, d.Message = text(d.Host), text(d.Reason), text(d.Message)
	d.ExtraConditions = slices.Clone(d.ExtraConditions)
	for i := range d.ExtraConditions {
		c := &d.ExtraConditions[i]
		c.Reason, c.Message = text(c.Reason), text(c.Message)
	}
	return d
}

// text makes valid UTF-8 of a text and cuts it if it is too long, between two
// characters; it shows that it is cut.
func text(s string) string {
	const cut = "..."
	if s = strings.ToValidUTF8(s, "\uFFFD"); len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage-len(cut)], "") + cut
}

// identity is what tells this router's entry from others.
type identity struct{ name, canonicalHostname string }

// entry is the first entry of this router, nil if there is none.
func (id identity) entry(r *routev1.Route) *routev1.RouteIngress {
	if i := slices.IndexFunc(r.Status.Ingress, id.owns); i >= 0 {
		return &r.Status.Ingress[i]
	}
	return nil
}

func (id identity) owns(e routev1.RouteIngress) bool { return e.RouterName == id.name }

// routeStatus is what the entry of a route should be.
type routeStatus struct {
	Desired
	id identity
	// remove wants no entry of this router.
	remove bool
}

func (d *routeStatus) about(r metav1.Object) bool { return d.remove || d.UID == r.GetUID() }

func (d *routeStatus) removes() bool { return d.remove }

// change implements desiredStatus. The entry stays in its place if there was
// one, and there is only one afterwards.
func (d *routeStatus) change(object metav1.Object, now time.Time) metav1.Object {
	r := object.(*routev1.Route)
	list := slices.DeleteFunc(slices.Clone(r.Status.Ingress), d.id.owns)
	if !d.remove {
		old := d.id.entry(r)
		entry := routev1.RouteIngress{
			Host: d.Host, RouterName: d.id.name, WildcardPolicy: d.WildcardPolicy,
			RouterCanonicalHostname: d.id.canonicalHostname, Conditions: d.conditions(old, now),
		}
		at := slices.IndexFunc(r.Status.Ingress, d.id.owns)
		if at < 0 {
			at = len(list)
		}
		list = slices.Insert(list, at, entry)
	}
	if equality.Semantic.DeepEqual(list, r.Status.Ingress) {
		return nil
	}
	changed := *r
	changed.Status.Ingress = list
	return &changed
}

// conditions are those of the entry, where old is what there is, nil if there
// is none. Conditions that stay as they were keep their time.
func (d *Desired) conditions(old *routev1.RouteIngress, now time.Time) []routev1.RouteIngressCondition {
	admitted := routev1.RouteIngressCondition{Type: routev1.RouteAdmitted, Status: corev1.ConditionFalse, Reason: d.Reason, Message: d.Message}
	if d.Admitted {
		admitted.Status = corev1.ConditionTrue
	}
	list := append([]routev1.RouteIngressCondition{admitted}, d.ExtraConditions...)
	for i := range list {
		// The API's times have no fractions of a second.
		list[i].LastTransitionTime = &metav1.Time{Time: now.Truncate(time.Second)}
		if was := condition(old, list[i].Type); was != nil && sameCondition(*was, list[i]) {
			list[i] = *was
		}
	}
	if old == nil {
		return list
	}
	if d.Unsettled != "" {
		list = slices.DeleteFunc(list, func(c routev1.RouteIngressCondition) bool { return c.Type == d.Unsettled })
		if was := condition(old, d.Unsettled); was != nil {
			list = append(list, *was)
		}
	}
	if sameConditions(list, old.Conditions) {
		return old.Conditions // Their order says nothing.
	}
	return list
}

// overwritten implements desiredStatus, for Desired.OthersMayServe and its
// counterpart: a route that is served by what is remembered of its Secret is
// admitted, with a reason.
func (d *routeStatus) overwritten(object metav1.Object) overwrite {
	e := d.id.entry(object.(*routev1.Route))
	if e == nil {
		return emptied
	}
	a := condition(e, routev1.RouteAdmitted)
	if d.remove || a == nil || e.Host != d.Host || e.RouterCanonicalHostname != d.id.canonicalHostname {
		return replaced
	}
	switch admitted := a.Status == corev1.ConditionTrue; {
	case d.OthersMayServe && !d.Admitted && admitted && a.Reason != "":
		return better
	case d.Admitted && d.Reason != "" && !admitted && strings.HasPrefix(a.Reason, "ExternalCertificate"):
		return worse
	}
	return replaced
}

func condition(e *routev1.RouteIngress, t routev1.RouteIngressConditionType) *routev1.RouteIngressCondition {
	if e == nil {
		return nil
	}
	for i := range e.Conditions {
		if e.Conditions[i].Type == t {
			return &e.Conditions[i]
		}
	}
	return nil
}

func sameCondition(a, b routev1.RouteIngressCondition) bool {
	return a.Type == b.Type && a.Status == b.Status && a.Reason == b.Reason && a.Message == b.Message
}

// sameConditions compares two lists as sets, times left aside.
func sameConditions(a, b []routev1.RouteIngressCondition) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(c routev1.RouteIngressCondition) bool {
		return !slices.ContainsFunc(b, func(o routev1.RouteIngressCondition) bool { return sameCondition(c, o) })
	})
}

// OnlyStatusChanged reports whether two versions of one route differ in
// nothing that routing looks at: the status, and what the API server keeps
// account of. Such a change is no reason to work.
func OnlyStatusChanged(before, after *routev1.Route) bool {
	return before != nil && after != nil && sameMeta(before.ObjectMeta, after.ObjectMeta) && equality.Semantic.DeepEqual(before.Spec, after.Spec)
}

func sameMeta(a, b metav1.ObjectMeta) bool {
	a.ResourceVersion, a.ManagedFields = "", nil
	b.ResourceVersion, b.ManagedFields = "", nil
	return equality.Semantic.DeepEqual(a, b)
}
