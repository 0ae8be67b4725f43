package translate

import (
	"fmt"
	"strings"
	"testing"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"router/pkg/controller/routes"
	"router/pkg/model"
)

// named is a service without anything behind it.
func named(name string, change ...func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, c := range change {
		c(s)
	}
	return s
}

func asleep(s *corev1.Service) {
	s.Annotations, s.Spec.ClusterIP = map[string]string{idledAnnotation: "x"}, corev1.ClusterIPNone
}

func unready(address string) discoveryv1.Endpoint {
	no := false
	return discoveryv1.Endpoint{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: &no}}
}

// portless is what a slice looks like whose service names a port that its pods
// do not have.
func portless(endpoints ...discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
	s := slice(80, "", endpoints...)
	s.Ports = nil
	return s
}

func manyPorts(n int) (list []*discoveryv1.EndpointSlice) {
	for i := range n {
		list = append(list, slice(int32(8000+i), fmt.Sprint("p", i), ready("10.0.0.1", "p")), slice(int32(8000+i), fmt.Sprint("p", i), ready("10.0.0.2", "q")))
	}
	return list
}

func TestWhyNobodyAnswersIsTold(t *testing.T) {
	weight := func(to, other int32) func(*routev1.Route) {
		return func(r *routev1.Route) {
			r.Spec.To.Weight = &to
			r.Spec.AlternateBackends = []routev1.RouteTargetReference{{Kind: "Service", Name: "other", Weight: &other}}
		}
	}
	port := func(p intstr.IntOrString) func(*routev1.Route) {
		return func(r *routev1.Route) { r.Spec.Port = &routev1.RoutePort{TargetPort: p} }
	}
	udp := corev1.ProtocolUDP
	dns := slice(53, "dns", ready("10.0.0.1", "p"))
	dns.Ports[0].Protocol = &udp
	hello := []*corev1.Service{named("hello")}
	served := []*discoveryv1.EndpointSlice{slice(80, "http", ready("10.0.0.1", "p"))}
	for _, tt := range []struct {
		name     string
		services []*corev1.Service
		hello    []*discoveryv1.EndpointSlice
		other    []*discoveryv1.EndpointSlice
		change   func(*routev1.Route)
		// want are the problems: CAUSE FIELD: MESSAGE, "!" in front of what blocks.
		want []string
	}{
		{"nothing is wrong", hello, served, nil, nil, nil},
		{"no service", []*corev1.Service{named("quite-another")}, nil, nil, nil, []string{"!ServiceNotFound spec.to.name: there is no service hello in ns"}},
		{"a misspelled one", []*corev1.Service{named("hallo"), named("hello1")}, nil, nil, nil, []string{"!ServiceNotFound spec.to.name: there is no service hello in ns; did you mean hallo?"}},
		{"endpoints without a service serve", nil, served, nil, nil, nil},
		{"but not if they are of no use", nil, []*discoveryv1.EndpointSlice{slice(80, "", unready("10.0.0.1"))}, nil, nil, []string{"!ServiceNotFound spec.to.name: there is no service hello in ns"}},
		{"no name", nil, nil, nil, func(r *routev1.Route) { r.Spec.To.Name = "" }, []string{"!ServiceNotFound spec.to.name: must be the name of a service"}},
		{"no endpoints", hello, nil, nil, nil, []string{"!NoEndpoints spec.to.name: service hello has no endpoints"}},
		{"no endpoint that is ready", hello, []*discoveryv1.EndpointSlice{slice(80, "", unready("10.0.0.1"))}, nil, nil, []string{"!NoReadyEndpoints spec.to.name: service hello has no endpoint that is ready"}},
		{"a service that sleeps", []*corev1.Service{named("hello", asleep)}, nil, nil, nil, nil},
		{"no port of the name", hello, append(served, slice(8443, "https", ready("10.0.0.1", "p")), slice(8443, "https", ready("10.0.0.2", "q"))), nil, port(intstr.FromString("htp")),
			[]string{"!PortNotFound spec.port.targetPort: the endpoints of service hello have no port htp; they have http (80), https (8443)"}},
		{"no port of the number, of pods that are not ready", hello, []*discoveryv1.EndpointSlice{slice(8080, "", unready("10.0.0.1"))}, nil, port(intstr.FromInt32(80)),
			[]string{"!PortNotFound spec.port.targetPort: the endpoints of service hello have no port 80; they have 8080"}},
		{"many ports", hello, manyPorts(13), nil, port(intstr.FromInt32(80)),
			[]string{"!PortNotFound spec.port.targetPort: the endpoints of service hello have no port 80; they have p0 (8000), p1 (8001), p2 (8002), p3 (8003), p4 (8004), p5 (8005), p6 (8006), p7 (8007), p8 (8008), p9 (8009) and 3 more"}},
		{"UDP alone", hello, []*discoveryv1.EndpointSlice{dns}, nil, nil, []string{"!PortNotFound spec.to.name: the endpoints of service hello have no TCP port; look at the ports of the service, and at those of its pods"}},
		{"endpoints without ports", hello, []*discoveryv1.EndpointSlice{portless(ready("10.0.0.1", "p"))}, nil, nil, []string{"!PortNotFound spec.to.name: the endpoints of service hello have no TCP port; look at the ports of the service, and at those of its pods"}},
		{"addresses that are refused", hello, []*discoveryv1.EndpointSlice{slice(80, "", ready("127.0.0.1", "p"), ready("169.254.169.254", "q"))}, nil, nil,
			[]string{"!EndpointsRefused spec.to.name: service hello leads to addresses of a machine itself, of its link, or of its cloud's metadata service; to those, no connection is made"}},
		{"one of two services", append(hello, named("others")), served, nil, weight(1, 1), []string{"ServiceNotFound spec.alternateBackends[0].name: there is no service other in ns; did you mean others?"}},
		{"one of two without endpoints", append(hello, named("other")), nil, served, weight(1, 1), []string{"NoEndpoints spec.to.name: service hello has no endpoints"}},
		{"both, and the worst is not the first", hello, nil, nil, weight(1, 1),
			[]string{"!NoEndpoints spec.to.name: service hello has no endpoints", "!ServiceNotFound spec.alternateBackends[0].name: there is no service other in ns"}},
		{"a weight of 0 that nobody stands behind", append(hello, named("other")), served, nil, weight(1, 0), nil},
		{"a weight of 0 that leads to no service", hello, served, nil, weight(1, 0), []string{"ServiceNotFound spec.alternateBackends[0].name: there is no service other in ns"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "r"}}
			r.Spec.To = routev1.RouteTargetReference{Kind: "Service", Name: "hello"}
			if tt.change != nil {
				tt.change(r)
			}
			lookup := objects{services: map[string]*corev1.Service{}, slices: map[string][]*discoveryv1.EndpointSlice{"hello": tt.hello, "other": tt.other}}
			for _, s := range tt.services {
				lookup.services[s.Name] = s
			}
			got, problems := testOptions.Route(Input{Candidate: routes.FromRoute(r), Match: model.Match{Host: "h"}, Lookup: lookup})
			var texts []string
			for _, p := range problems {
				text := string(p.Cause) + " " + p.Text()
				if p.Blocks {
					text = "!" + text
				}
				texts = append(texts, text)
			}
			if a, b := strings.Join(texts, "\n"), strings.Join(tt.want, "\n"); a != b {
				t.Errorf("problems are\n%s\nwant\n%s", a, b)
			}
			if blocked := len(tt.want) > 0 && tt.want[0][0] == '!'; blocked != (len(got.Backend.Servers) == 0) && len(tt.want) > 0 {
				t.Errorf("servers are %v", got.Backend.Servers)
			}
		})
	}
}

// Endpoints that are not ready are endpoints, in whatever object they stand.
func TestEndpointsThatAreNotReadyAreTold(t *testing.T) {
	o := testOptions
	o.WatchEndpoints = true
	r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "r"}}
	r.Spec.To.Name = "s"
	got, problems := o.Route(Input{Candidate: routes.FromRoute(r), Lookup: objects{
		services:  map[string]*corev1.Service{"s": named("s")},
		endpoints: map[string]*corev1.Endpoints{"s": {Subsets: []corev1.EndpointSubset{{NotReadyAddresses: []corev1.EndpointAddress{{IP: "10.0.0.1"}}, Ports: []corev1.EndpointPort{{Port: 80}}}}}}, //nolint:staticcheck // on request
	}})
	if len(got.Backend.Servers) > 0 || len(problems) != 1 || problems[0].Cause != model.NoReadyEndpoints {
		t.Errorf("servers %v, problems %+v", got.Backend.Servers, problems)
	}
}

func TestPathsOfIngressesAreToldUnderTheirOwnFields(t *testing.T) {
	web := named("web", func(s *corev1.Service) {
		s.Spec.Ports = []corev1.ServicePort{{Name: "admin", Port: 81}, {Name: "http", Port: 80}}
	})
	external := named("web", func(s *corev1.Service) {
		s.Spec.Type, s.Spec.ExternalName = corev1.ServiceTypeExternalName, "db.example.com"
	})
	for _, tt := range []struct {
		service *corev1.Service
		noPort  string
		want    string
	}{
		{named("wob"), "", "at.name: there is no service web in ns; did you mean wob?"},
		{web, "9090", "at.port: service web has no port 9090; it has http (80), admin (81)"},
		{external, "http", "at.port: service web has no port http"},
	} {
		r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "r"}}
		r.Spec.To.Name = "web"
		r.Spec.Port = &routev1.RoutePort{TargetPort: intstr.FromString("no such port")}
		c := routes.FromRoute(r)
		c.Backend, c.NoPort = "at", tt.noPort
		got, problems := testOptions.Route(Input{Candidate: c, Lookup: objects{services: map[string]*corev1.Service{tt.service.Name: tt.service}}})
		if len(problems) != 1 || problems[0].Text() != tt.want || len(got.Backend.Servers) > 0 {
			t.Errorf("problems %+v, want %q", problems, tt.want)
		}
	}
}

// A namespace may be so large that nobody looks for names in it; the answer is
// the same on every replica, whatever came first.
func TestNamesAreLookedForAmongSoMany(t *testing.T) {
	services := map[string]*corev1.Service{"hallo": named("hallo")}
	r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "r"}}
	r.Spec.To.Name = "hello"
	for n := range maxNames + 10 {
		_, problems := testOptions.Route(Input{Candidate: routes.FromRoute(r), Lookup: objects{services: services}})
		if found := strings.Contains(problems[0].Message, "did you mean hallo?"); found != (len(services) <= maxNames) {
			t.Fatalf("among %d services: %s", len(services), problems[0].Message)
		}
		services[fmt.Sprint("other-", n)] = named("")
	}
	for _, tt := range []struct {
		service  string
		services int
		want     bool
	}{{"hallo", 5, true}, {"world", 5, false}, {"world", maxNames, true}, {"world", maxNames + 1, true}, {"world", maxNames + 2, false}} {
		if got := MayMean("hello", tt.service, tt.services); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

func BenchmarkNoService(b *testing.B) {
	services := map[string]*corev1.Service{}
	for i := range maxNames - 1 {
		services[fmt.Sprint("frontend-of-shop-", i)] = named("")
	}
	t := translation{in: Input{Lookup: objects{services: services}}, route: &model.Route{}}
	for b.Loop() {
		t.noService("frontend-of-shop-nr-12")
	}
}
