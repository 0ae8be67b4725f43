package translate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"router/pkg/controller/routes"
	"router/pkg/model"
)

// crowd is a slice with endpoints and ports; its endpoints are in no order.
func crowd(endpoints, ports int) *discoveryv1.EndpointSlice {
	s := slice(8000, "p0")
	for i := range ports - 1 {
		name, port := fmt.Sprint("p", i+1), int32(8001+i)
		s.Ports = append(s.Ports, discoveryv1.EndpointPort{Name: &name, Port: &port, Protocol: s.Ports[0].Protocol})
	}
	for i := range endpoints {
		n := (i*7919 + 13) % endpoints
		s.Endpoints = append(s.Endpoints, ready(fmt.Sprintf("10.%d.%d.%d", n/65536, n/256%256, n%256), fmt.Sprintf("pod-%06d", n)))
	}
	return s
}

// toServices translates a route to services of these names.
func toServices(t *testing.T, in Input, lookup Lookup, maxServers int, services ...string) (*model.Route, []model.Problem) {
	t.Helper()
	r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "r"}}
	r.Spec.To = routev1.RouteTargetReference{Kind: "Service", Name: services[0]}
	for _, s := range services[1:] {
		r.Spec.AlternateBackends = append(r.Spec.AlternateBackends, routev1.RouteTargetReference{Kind: "Service", Name: s})
	}
	if in.Candidate != nil {
		r.Spec.Port = in.Candidate.Spec.Port
	}
	in.Candidate, in.Host, in.Lookup = routes.FromRoute(r), "h.test", lookup
	o := testOptions
	o.MaxServersPerRoute = maxServers
	return o.Route(in)
}

func TestTheFirstServersByNameAreUsed(t *testing.T) {
	lookup := objects{slices: map[string][]*discoveryv1.EndpointSlice{"many": {crowd(1000, 10)}, "one": {crowd(600, 1)}, "few": {crowd(3, 1)}}}
	port := &routev1.Route{Spec: routev1.RouteSpec{Port: &routev1.RoutePort{TargetPort: intstr.FromString("p3")}}}
	for _, tt := range []struct {
		name     string
		in       Input
		max      int
		services []string
		want     int
		problems []string
	}{
		{"each port of an endpoint is a server", Input{}, 1000, []string{"many"}, 1000, []string{"spec.to: leads to 10000 or more servers, of which the first 1000 by name are used (--max-servers-per-route, ROUTER_MAX_SERVERS_PER_ROUTE); without spec.port.targetPort, each port of an endpoint is a server"}},
		{"with a port", Input{Candidate: routes.FromRoute(port)}, 1000, []string{"many"}, 1000, nil},
		{"as many as there may be", Input{}, 600, []string{"one"}, 600, nil},
		{"one more", Input{}, 599, []string{"one"}, 599, []string{"leads to 600 or more servers, of which the first 599 by name are used (--max-servers-per-route, ROUTER_MAX_SERVERS_PER_ROUTE)"}},
		{"a service with few beside one with many", Input{}, 100, []string{"one", "few"}, 100, []string{"leads to 600 or more servers, of which the first 100"}},
		{"no bound", Input{}, 0, []string{"many"}, 10000, nil},
		{"a part of the namespace's", Input{Namespace: &NamespaceBound{Servers: 5, Max: 7}}, 1000, []string{"one"}, 5, []string{"the routes of namespace ns lead to more servers than the 7 there may be (--max-servers-per-namespace, ROUTER_MAX_SERVERS_PER_NAMESPACE)"}},
		{"none of the namespace's", Input{Namespace: &NamespaceBound{Max: 7}}, 1000, []string{"one"}, 0, []string{"lead to more servers than the 7"}},
		{"enough of the namespace's", Input{Namespace: &NamespaceBound{Servers: 3, Max: 7}}, 1000, []string{"few"}, 3, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, problems := toServices(t, tt.in, lookup, tt.max, tt.services...)
			if len(r.Backend.Servers) != tt.want {
				t.Errorf("there are %d servers, want %d", len(r.Backend.Servers), tt.want)
			}
			all, _ := toServices(t, tt.in, lookup, 0, tt.services[0])
			for i, s := range r.Backend.Servers {
				if len(tt.services) == 1 && s.ID != all.Backend.Servers[i].ID {
					t.Fatalf("server %d is %s, want %s", i, s.ID, all.Backend.Servers[i].ID)
				}
			}
			if len(problems) != len(tt.problems) {
				t.Fatalf("problems are %+v", problems)
			}
			for i, want := range tt.problems {
				if got := problems[i].Field + ": " + problems[i].Message; !strings.Contains(got, want) || problems[i].Blocks != (tt.want == 0) {
					t.Errorf("the problem is %q, blocks %v; want %q", got, problems[i].Blocks, want)
				}
			}
		})
	}
}

// The shares of services hold whoever is left out.
func TestLeavingServersOutKeepsShares(t *testing.T) {
	lookup := objects{slices: map[string][]*discoveryv1.EndpointSlice{"one": {crowd(600, 1)}, "few": {crowd(3, 1)}}}
	r, _ := toServices(t, Input{}, lookup, 100, "one", "few")
	sum := map[string]int{}
	for _, s := range r.Backend.Servers {
		sum[s.Service] += s.Weight
	}
	if d := sum["one"] - sum["few"]; sum["few"] == 0 || d > sum["few"]/50 || -d > sum["few"]/50 {
		t.Errorf("weights are %v", sum)
	}
}

// Some kilobytes can name more endpoints than a machine can hold, and a
// namespace has any number of routes to them.
func TestEndpointsAreFoundOnceForAllRoutes(t *testing.T) {
	lookup := objects{slices: map[string][]*discoveryv1.EndpointSlice{"s": {crowd(1000, 20_000)}}}
	shared := NewShared()
	began := time.Now()
	for range 200 {
		r, problems := toServices(t, Input{Shared: shared}, lookup, 1000, "s")
		if len(r.Backend.Servers) != 1000 || len(problems) != 2 || !strings.Contains(problems[0].Message, "service s has 50000 endpoints or more") {
			t.Fatalf("%d servers, problems %+v", len(r.Backend.Servers), problems)
		}
		r.Backend.Servers[0].Weight = 77 // What one route has is no other's.
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("200 routes take %v", took)
	}
}

// As many routes may each want another port.
func TestEndpointsAreLookedAtOnceForAllPorts(t *testing.T) {
	lookup := objects{services: map[string]*corev1.Service{"s": {}}, slices: map[string][]*discoveryv1.EndpointSlice{"s": {crowd(900, 50)}}}
	for name, want := range map[string]struct{ format, problem string }{
		"ports that there are":    {"p%d", ""},
		"their numbers":           {"80%02d", ""},
		"ports that nobody has":   {"q%d", "the endpoints of service s have no port q"},
		"numbers that nobody has": {"90%02d", "the endpoints of service s have no port 90"},
	} {
		t.Run(name, func(t *testing.T) {
			shared, looks := NewShared(), 0
			for i := range 50 {
				port := &routev1.Route{Spec: routev1.RouteSpec{Port: &routev1.RoutePort{TargetPort: intstr.Parse(fmt.Sprintf(want.format, i))}}}
				r, problems := toServices(t, Input{Candidate: routes.FromRoute(port), Shared: shared}, counted{lookup, &looks}, 1000, "s")
				if want.problem == "" {
					if len(r.Backend.Servers) != 900 || r.Backend.Servers[899].Port != 8000+i {
						t.Fatalf("%d servers for port %d", len(r.Backend.Servers), i)
					}
				} else if len(problems) != 1 || !strings.Contains(problems[0].Message, want.problem) || !strings.Contains(problems[0].Message, "; they have p0 (8000), p1 (8001), ") {
					t.Fatalf("problems are %+v", problems)
				}
			}
			if looks != 1 {
				t.Errorf("the endpoints of one service are read %d times", looks)
			}
		})
	}
}

// counted counts how often endpoints are read.
type counted struct {
	objects
	looks *int
}

func (c counted) EndpointSlices(namespace, service string) []*discoveryv1.EndpointSlice {
	*c.looks++
	return c.objects.EndpointSlices(namespace, service)
}

func TestAllot(t *testing.T) {
	for _, tt := range []struct {
		wanted []int
		total  int
		want   []int
	}{
		{[]int{5, 5}, 10, []int{5, 5}}, {[]int{5, 1}, 4, []int{3, 1}}, {[]int{4, 4, 4}, 10, []int{4, 3, 3}}, {[]int{9, 0, 9}, 3, []int{2, 0, 1}},
		{[]int{1, 1, 1}, 2, []int{1, 1, 0}}, {[]int{7}, 0, []int{0}}, {nil, 3, []int{}},
	} {
		if got := Allot(tt.wanted, tt.total); !slices.Equal(got, tt.want) {
			t.Errorf("of %d, %v get %v, want %v", tt.total, tt.wanted, got, tt.want)
		}
	}
}

func TestRoundNumbers(t *testing.T) {
	for _, tt := range []struct {
		n, least int
		want     string
	}{{1001, 1000, "1001 or more"}, {1050, 1000, "1001 or more"}, {1100, 1000, "1100 or more"}, {12345, 1000, "12000 or more"}, {8, 7, "8 or more"}} {
		if got := orMore(tt.n, tt.least); got != tt.want {
			t.Errorf("%d is %q, want %q", tt.n, got, tt.want)
		}
	}
}
