package controller

import (
	"net/netip"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/model"
	"router/pkg/source"
)

// TestANewAddressOfTheMachineIsNoEndpoint has a route to an address that
// becomes the machine's own, and is not any longer. The status says nothing of
// it: other replicas run on other machines.
func TestANewAddressOfTheMachineIsNoEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, c, settle := run(t, source.Selection{})
		c.opts.Translate.Own.Ports = []int{80}
		port := int32(80)
		endpoints := &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "n", Name: "s-1", Labels: map[string]string{discoveryv1.LabelServiceName: "s"}},
			AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.1"}}},
			Ports: []discoveryv1.EndpointPort{{Port: &port}},
		}
		n.queue.Push(change(source.KindEndpointSlice, endpoints), routeTo("r", "s", nil),
			change(source.KindService, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "s"}}))
		n.queue.MarkSynced()
		settle()
		for _, step := range []struct {
			own     []netip.Addr
			servers int
		}{{[]netip.Addr{netip.MustParseAddr("192.0.2.1")}, 0}, {[]netip.Addr{netip.MustParseAddr("192.0.2.2")}, 1}} {
			n.applied = nil
			c.SetOwnAddresses(t.Context(), step.own)
			settle()
			if len(n.applied) != 1 || len(n.applied[0].Upsert) != 1 || len(n.applied[0].Upsert[0].Backend.Servers) != step.servers {
				t.Errorf("with %v, there was applied %+v", step.own, n.applied)
			}
			key := model.RouteKey{Namespace: "n", Name: "r"}
			if told := len(c.routes[key].problems); told != 1-step.servers {
				t.Errorf("with %v, problems are %+v", step.own, c.routes[key].problems)
			}
			if conditions := n.desired[key].ExtraConditions; len(conditions) > 0 {
				t.Errorf("with %v, the status says %+v", step.own, conditions)
			}
		}
	})
}
