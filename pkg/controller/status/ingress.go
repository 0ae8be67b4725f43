package status

import (
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

// conditions are those of the entry, without times.
func (d *Desired) conditions() []routev1.RouteIngressCondition {
	admitted := routev1.RouteIngressCondition{Type: routev1.RouteAdmitted, Status: corev1.ConditionFalse, Reason: d.Reason, Message: d.Message}
	if d.Admitted {
		admitted.Status = corev1.ConditionTrue
	}
	return append([]routev1.RouteIngressCondition{admitted}, d.ExtraConditions...)
}

// maxMessage bounds the message of a condition, in bytes. Messages repeat what
// tenants have written, and an object beside its own repetition may be too
// large for the API server. It is the bound of Kubernetes' own conditions.
const maxMessage = 32768

// writable is the same as an API server gives it back: one that is asked for
// bytes that are no text keeps others, and what it keeps would never be what
// is wanted.
func (d Desired) writable() Desired {
	d.Host, d.Reason, d.Message = text(d.Host), text(d.Reason), message(d.Message)
	d.ExtraConditions = slices.Clone(d.ExtraConditions)
	for i := range d.ExtraConditions {
		c := &d.ExtraConditions[i]
		c.Reason, c.Message = text(c.Reason), message(c.Message)
	}
	return d
}

func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// message cuts a text that is too long, between two characters, and shows
// that it is cut.
func message(s string) string {
	const cut = "..."
	if s = text(s); len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage-len(cut)], "") + cut
}

func (d *Desired) equal(o *Desired) bool {
	return d.Key == o.Key && d.UID == o.UID && d.Host == o.Host && d.WildcardPolicy == o.WildcardPolicy &&
		d.OthersMayServe == o.OthersMayServe && d.Unsettled == o.Unsettled && sameConditions(d.conditions(), o.conditions())
}

// identity is what tells this router's entry from others.
type identity struct{ name, canonicalHostname string }

// entries counts the entries of this router, and returns the first.
func (id identity) entries(r *routev1.Route) (first *routev1.RouteIngress, count int) {
	for i := range r.Status.Ingress {
		if r.Status.Ingress[i].RouterName == id.name {
			if count++; count == 1 {
				first = &r.Status.Ingress[i]
			}
		}
	}
	return first, count
}

// has reports whether a route's status has an entry of this router.
func (id identity) has(r *routev1.Route) bool {
	_, count := id.entries(r)
	return count > 0
}

// says reports whether a route's status already is as desired.
func (id identity) says(r *routev1.Route, d *Desired) bool {
	e, count := id.entries(r)
	return count == 1 && e.Host == d.Host && e.WildcardPolicy == d.WildcardPolicy &&
		e.RouterCanonicalHostname == id.canonicalHostname && sameConditions(settled(e.Conditions, d.Unsettled), settled(d.conditions(), d.Unsettled))
}

// with returns the entries of a route with this router's as desired, in its
// old place if it had one. Conditions keep their transition time unless they
// change.
func (id identity) with(r *routev1.Route, d *Desired, now time.Time) []routev1.RouteIngress {
	entry := routev1.RouteIngress{
		Host: d.Host, RouterName: id.name, WildcardPolicy: d.WildcardPolicy,
		RouterCanonicalHostname: id.canonicalHostname, Conditions: d.conditions(),
	}
	old, _ := id.entries(r)
	if was := condition(old, d.Unsettled); was != nil && d.Unsettled != "" {
		entry.Conditions = append(settled(entry.Conditions, d.Unsettled), *was)
	}
	for i := range entry.Conditions {
		c := &entry.Conditions[i]
		// The API's times have no fractions of a second.
		c.LastTransitionTime = &metav1.Time{Time: now.Truncate(time.Second)}
		if was := condition(old, c.Type); was != nil && was.LastTransitionTime != nil && sameCondition(*was, *c) {
			c.LastTransitionTime = was.LastTransitionTime
		}
	}
	var list []routev1.RouteIngress
	placed := false
	for _, e := range r.Status.Ingress {
		switch {
		case e.RouterName != id.name:
			list = append(list, e)
		case !placed:
			list, placed = append(list, entry), true
		}
	}
	if !placed {
		list = append(list, entry)
	}
	return list
}

// without returns the entries of a route that are not this router's.
func (id identity) without(r *routev1.Route) []routev1.RouteIngress {
	return slices.DeleteFunc(slices.Clone(r.Status.Ingress), func(e routev1.RouteIngress) bool { return e.RouterName == id.name })
}

// settled are the conditions of all types but one.
func settled(list []routev1.RouteIngressCondition, unsettled routev1.RouteIngressConditionType) []routev1.RouteIngressCondition {
	if unsettled == "" {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(c routev1.RouteIngressCondition) bool { return c.Type == unsettled })
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
	if before == nil || after == nil {
		return false
	}
	a, b := *before, *after
	for _, r := range []*routev1.Route{&a, &b} {
		r.Status = routev1.RouteStatus{}
		r.ResourceVersion, r.ManagedFields = "", nil
		r.TypeMeta = metav1.TypeMeta{}
	}
	return equality.Semantic.DeepEqual(&a, &b)
}
