package translate

import (
	"net/netip"
	"strings"
	"testing"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/controller/routes"
	"router/pkg/model"
	"router/pkg/source"
)

// testOwn is where the router of these tests is.
func testOwn() Own {
	return Own{Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, Ports: []int{80, 443, 1936}}
}

func TestOwn(t *testing.T) {
	own := testOwn()
	for address, want := range map[string]bool{
		"192.0.2.1:80": true, "192.0.2.1:443": true, "192.0.2.1:1936": true, "[2001:db8::1]:80": true, "127.0.0.1:80": true, "127.9.9.9:443": true, "[::1]:80": true,
		"0.0.0.0:80": true, "[::]:443": true, "[::ffff:192.0.2.1]:80": true, "[::192.0.2.1]:80": true, "[64:ff9b::192.0.2.1]:80": true,
		"[::ffff:127.0.0.1]:80": true, "[::ffff:0.0.0.0]:80": true, "[64:ff9b::127.0.0.1]:80": true,
		"192.0.2.1:8080": false, "192.0.2.2:80": false, "[2001:db8::2]:80": false, "127.0.0.1:8080": false, "[::ffff:192.0.2.2]:80": false,
	} {
		a := netip.MustParseAddrPort(address)
		if got := own.has(a.Addr(), int(a.Port())); got != want {
			t.Errorf("%s is the router itself: %v", address, got)
		}
	}
	if (Own{}).has(netip.MustParseAddr("127.0.0.1"), 80) {
		t.Error("a router without ports has an address")
	}
}

// itself are the servers and problems of a route to a service with endpoints,
// where the router is at testOwn.
func itself(local bool, svc *corev1.Service, found *source.Resolution, list ...*discoveryv1.EndpointSlice) (*model.Route, []model.Problem) {
	o := testOptions
	o.Own, o.LocalEndpoints = testOwn(), local
	r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "r"}}
	r.Spec.To.Name = "s"
	if svc == nil {
		svc = &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "s"}}
	}
	return o.Route(Input{Candidate: routes.FromRoute(r), Match: model.Match{Host: "h"}, Lookup: objects{
		services: map[string]*corev1.Service{"s": svc}, slices: map[string][]*discoveryv1.EndpointSlice{"s": list},
		names: map[string]*source.Resolution{"db.example.com": found},
	}})
}

func TestTheRouterItselfIsNoServer(t *testing.T) {
	at := func(port int32, addresses ...string) *discoveryv1.EndpointSlice {
		s := slice(port, "", discoveryv1.Endpoint{Addresses: addresses})
		if strings.Contains(addresses[0], ":") {
			s.AddressType = discoveryv1.AddressTypeIPv6
		}
		return s
	}
	name := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "db.example.com"}}
	asleep := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "s", Annotations: map[string]string{idledAnnotation: "now"}}}
	asleep.Spec.ClusterIP, asleep.Spec.Ports = "192.0.2.1", []corev1.ServicePort{{Name: "web", Port: 443}, {Name: "other", Port: 8443}}
	for _, tt := range []struct {
		name   string
		local  bool
		svc    *corev1.Service
		found  *source.Resolution
		slices []*discoveryv1.EndpointSlice
		// want are the servers, told the address that is told of in the field.
		want, field, told string
		blocks            bool
		// everywhere means that it is so on all replicas.
		everywhere bool
	}{
		{name: "an address of the machine", slices: []*discoveryv1.EndpointSlice{at(80, "192.0.2.1")}, field: "spec.to.name", told: "192.0.2.1:80", blocks: true},
		{name: "and a pod", slices: []*discoveryv1.EndpointSlice{at(80, "192.0.2.1", "192.0.2.2")}, want: "ept:s::192.0.2.2:80", field: "spec.to.name", told: "192.0.2.1:80"},
		{name: "another port", slices: []*discoveryv1.EndpointSlice{at(8080, "192.0.2.1")}, want: "ept:s::192.0.2.1:8080"},
		{name: "IPv4 in IPv6", slices: []*discoveryv1.EndpointSlice{at(443, "::ffff:192.0.2.1")}, field: "spec.to.name", told: "[::ffff:192.0.2.1]:443", blocks: true},
		{name: "IPv4 in IPv6, by NAT64", slices: []*discoveryv1.EndpointSlice{at(443, "64:ff9b::192.0.2.1")}, field: "spec.to.name", told: "[64:ff9b::c000:201]:443", blocks: true},
		{name: "many", slices: []*discoveryv1.EndpointSlice{at(80, "192.0.2.1"), at(443, "192.0.2.1"), at(1936, "192.0.2.1"), at(80, "2001:db8::1")},
			field: "spec.to.name", told: "(192.0.2.1:1936, 192.0.2.1:443, 192.0.2.1:80, [2001:db8::1]:80)", blocks: true},
		{name: "loopback", slices: []*discoveryv1.EndpointSlice{at(80, "127.0.0.1")}, field: "spec.to.name", told: "addresses of a machine itself", blocks: true, everywhere: true},
		{name: "loopback in a directory", local: true, slices: []*discoveryv1.EndpointSlice{at(80, "127.0.0.1")}, field: "spec.to.name", told: "127.0.0.1:80", blocks: true},
		{name: "mapped loopback in a directory", local: true, slices: []*discoveryv1.EndpointSlice{at(80, "::ffff:127.0.0.1")}, field: "spec.to.name", told: "[::ffff:127.0.0.1]:80", blocks: true},
		{name: "another port of loopback in a directory", local: true, slices: []*discoveryv1.EndpointSlice{at(8080, "127.0.0.1")}, want: "ept:s::127.0.0.1:8080"},
		{name: "a name", svc: name, found: addresses("192.0.2.1", "192.0.2.9"), want: "ept:s::192.0.2.9:80", field: "service s spec.externalName", told: "192.0.2.1:80"},
		{name: "a name alone", svc: name, found: addresses("2001:db8::1"), field: "service s spec.externalName", told: "[2001:db8::1]:80", blocks: true},
		{name: "a service that sleeps", svc: asleep, want: "ept:s:other:192.0.2.1:8443", field: "service s spec.clusterIP", told: "192.0.2.1:443"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, problems := itself(tt.local, tt.svc, tt.found, tt.slices...)
			if got := serverIDs(r); got != tt.want {
				t.Errorf("servers are %q, want %q", got, tt.want)
			}
			if tt.told == "" {
				if len(problems) > 0 {
					t.Errorf("problems are %+v", problems)
				}
				return
			}
			if len(problems) != 1 || problems[0].Field != tt.field || !strings.Contains(problems[0].Message, tt.told) || problems[0].Blocks != tt.blocks || problems[0].Local == tt.everywhere || problems[0].Cause != model.EndpointsRefused {
				t.Errorf("problems are %+v", problems)
			}
		})
	}
}
