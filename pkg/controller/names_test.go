package controller

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"router/pkg/source"
)

func routeTo(name, service string, l map[string]string) source.Change {
	r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name, UID: "1", ResourceVersion: service, Labels: l}}
	r.Spec = routev1.RouteSpec{Host: name + ".test", To: routev1.RouteTargetReference{Kind: "Service", Name: service}}
	return change(source.KindRoute, r)
}

func externalService(service, name string) source.Change {
	return change(source.KindService, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: service},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: name},
	})
}

func gone(c source.Change) source.Change { return source.Change{Key: c.Key} }

func resolution(name string, addresses ...string) source.Change {
	r := &source.Resolution{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, a := range addresses {
		r.Addresses = append(r.Addresses, netip.MustParseAddr(a))
	}
	return change(source.KindExternalName, r)
}

// TestNamesThatRoutesLeadToAreResolved goes through what makes a name needed,
// and what makes it needed no longer.
func TestNamesThatRoutesLeadToAreResolved(t *testing.T) {
	mine := map[string]string{"serve": "yes"}
	synctest.Test(t, func(t *testing.T) {
		n, c, settle := run(t, source.Selection{Labels: labels.SelectorFromSet(mine)})
		n.queue.Push(externalService("a", "A.example."), externalService("b", "b.example"), externalService("idle", "idle.example"), externalService("here", "localhost"),
			routeTo("r", "a", mine), routeTo("s", "a", mine), routeTo("h", "here", mine), routeTo("not-mine", "idle", nil))
		n.queue.MarkSynced()
		settle()
		expect(t, "names at the start", &n.followed, "+a.example")
		if !c.isReady() {
			t.Error("the start waits for a name")
		}
		for _, step := range []struct {
			name   string
			change source.Change
			want   []string
		}{
			{"a route to another service", routeTo("r", "b", mine), []string{"+b.example"}},
			{"the last route that led to a name", gone(routeTo("s", "a", mine)), []string{"-a.example"}},
			{"another name", externalService("b", "c.example"), []string{"-b.example", "+c.example"}},
			{"a name of this machine", externalService("b", "x.localhost"), []string{"-c.example"}},
			{"a name again", externalService("b", "b.example"), []string{"+b.example"}},
			{"a route that leaves the selection", routeTo("r", "b", nil), []string{"-b.example"}},
			{"and comes back", routeTo("r", "b", mine), []string{"+b.example"}},
			{"no service any longer", gone(externalService("b", "")), []string{"-b.example"}},
		} {
			n.queue.Push(step.change)
			settle()
			slices.Sort(n.followed)
			slices.Sort(step.want)
			expect(t, step.name, &n.followed, step.want...)
		}
	})
}

func TestAnswersReachTheRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, settle := run(t, source.Selection{})
		n.queue.Push(externalService("a", "a.example"), routeTo("r", "a", nil), routeTo("s", "a", nil), routeTo("other", "b", nil))
		n.queue.MarkSynced()
		settle()
		for _, step := range []struct {
			change source.Change
			want   string
		}{
			{resolution("a.example", "192.0.2.1"), "r [192.0.2.1] s [192.0.2.1] "},
			{resolution("a.example", "192.0.2.1"), ""},
			{resolution("a.example", "192.0.2.2", "127.0.0.1"), "r [192.0.2.2] s [192.0.2.2] "},
			{resolution("a.example", "127.0.0.1"), "r [] s [] "},
			{resolution("b.example", "192.0.2.1"), ""},
		} {
			n.applied = nil
			n.queue.Push(step.change)
			settle()
			got := ""
			for _, applied := range n.applied {
				for _, r := range applied.Upsert {
					var list []string
					for _, s := range r.Backend.Servers {
						list = append(list, s.Address)
					}
					got += fmt.Sprint(r.Key.Name, " ", list, " ")
				}
			}
			if got != step.want {
				t.Errorf("%s: applied %q, want %q", step.change.Key, got, step.want)
			}
		}
	})
}
