package translate

import (
	"iter"
	"maps"
	"math"
	"os"
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
	"router/pkg/source"
)

// objects is a Lookup of services named in tests.
type objects struct {
	services  map[string]*corev1.Service
	slices    map[string][]*discoveryv1.EndpointSlice
	endpoints map[string]*corev1.Endpoints //nolint:staticcheck // watched on request
	names     map[string]*source.Resolution
}

func (o objects) Service(_, name string) *corev1.Service { return o.services[name] }
func (o objects) EndpointSlices(_, name string) []*discoveryv1.EndpointSlice {
	return o.slices[name]
}
func (o objects) Endpoints(_, name string) *corev1.Endpoints { return o.endpoints[name] } //nolint:staticcheck // watched on request

func (o objects) ServiceNames(string) iter.Seq[string] { return maps.Keys(o.services) }

func (o objects) Resolution(name string) *source.Resolution { return o.names[name] }

var testOptions = Options{
	Balance: model.BalanceRandom, TCPBalance: model.BalanceSource, CheckInterval: 5 * time.Second,
	Forwarded: model.ForwardedAppend, HTTP2: true,
}

func translated(t *testing.T, term model.Termination, annotations map[string]string) (*model.Route, []model.Problem) {
	t.Helper()
	return translatedRoute(t, annotations, func(r *routev1.Route) {
		if term != "" {
			r.Spec.TLS = &routev1.TLSConfig{Termination: routev1.TLSTerminationType(term)}
		}
	})
}

// translatedRoute translates a route to one pod, with a change; nil for none.
func translatedRoute(t *testing.T, annotations map[string]string, change func(*routev1.Route)) (*model.Route, []model.Problem) {
	t.Helper()
	r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "r", Annotations: annotations}}
	r.Spec.To = routev1.RouteTargetReference{Kind: "Service", Name: "s"}
	if change != nil {
		change(r)
	}
	in := Input{Candidate: routes.FromRoute(r), Match: model.Match{Host: "h.test"}, Lookup: objects{slices: map[string][]*discoveryv1.EndpointSlice{"s": {slice(80, "", ready("10.0.0.1", "p1"))}}}}
	if r.Spec.TLS != nil {
		in.DestinationCA = "CA"
	}
	return testOptions.Route(in)
}

func ready(address, pod string) discoveryv1.Endpoint {
	return discoveryv1.Endpoint{Addresses: []string{address}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: pod}}
}

func slice(port int32, name string, endpoints ...discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
	tcp := corev1.ProtocolTCP
	return &discoveryv1.EndpointSlice{
		AddressType: discoveryv1.AddressTypeIPv4, Endpoints: endpoints,
		Ports: []discoveryv1.EndpointPort{{Name: &name, Port: &port, Protocol: &tcp}},
	}
}

func TestSharesOfServicesAreExact(t *testing.T) {
	weights := [][2]int{{1, 1}, {1, 2}, {1, 99}, {20, 80}, {1, 255}, {100, 100}, {256, 1}, {33, 67}, {5, 200}}
	for a := 1; a <= 100; a++ {
		for _, b := range []int{1, 2, 3, 7, 10, 50, 99, 100} {
			for _, w := range weights {
				targets := []target{
					{weight: w[0], servers: make([]model.Server, a)}, {weight: w[1], servers: make([]model.Server, b)},
				}
				share(targets)
				var sum [2]float64
				for i, target := range targets {
					for _, s := range target.servers {
						if s.Weight < 0 || s.Weight > 256 {
							t.Fatalf("weight %d", s.Weight)
						}
						sum[i] += float64(s.Weight)
					}
				}
				got, want := sum[0]/(sum[0]+sum[1]), float64(w[0])/float64(w[0]+w[1])
				if math.Abs(got-want) > 0.01 {
					t.Errorf("%d and %d endpoints, weights %v: share %.4f, want %.4f", a, b, w, got, want)
				}
			}
		}
	}
}

func TestEndpoints(t *testing.T) {
	yes, no := true, false
	notReady := discoveryv1.Endpoint{Addresses: []string{"10.0.0.2"}, Conditions: discoveryv1.EndpointConditions{Ready: &no}}
	ending := discoveryv1.Endpoint{Addresses: []string{"10.0.0.3"}, Conditions: discoveryv1.EndpointConditions{Ready: &no, Serving: &yes, Terminating: &yes}}
	h2c := "kubernetes.io/h2c"
	withProtocol := slice(80, "", ready("10.0.0.1", "p"))
	withProtocol.Ports[0].AppProtocol = &h2c
	udp := corev1.ProtocolUDP
	withUDP := slice(53, "dns", ready("10.0.0.1", "p"))
	withUDP.Ports[0].Protocol = &udp
	six := slice(80, "", ready("fd00::1", "p"))
	six.AddressType = discoveryv1.AddressTypeIPv6
	tests := []struct {
		name   string
		slices []*discoveryv1.EndpointSlice
		svc    *corev1.Service
		port   string
		want   string
	}{
		{"ready pods only", []*discoveryv1.EndpointSlice{slice(80, "http", ready("10.0.0.1", "p"), notReady, ending)}, nil, "", "pod:p:s:http:10.0.0.1:80"},
		{"ending pods where nobody is ready", []*discoveryv1.EndpointSlice{slice(80, "", notReady, ending)}, nil, "", "ept:s::10.0.0.3:80"},
		{"a port by name", []*discoveryv1.EndpointSlice{slice(80, "http", ready("10.0.0.1", "p")), slice(81, "admin", ready("10.0.0.1", "p"))}, nil, "admin", "pod:p:s:admin:10.0.0.1:81"},
		{"a port by number", []*discoveryv1.EndpointSlice{slice(80, "http", ready("10.0.0.1", "p")), slice(81, "admin", ready("10.0.0.1", "p"))}, nil, "80", "pod:p:s:http:10.0.0.1:80"},
		{"the same endpoint in two slices", []*discoveryv1.EndpointSlice{slice(80, "", ready("10.0.0.1", "p")), slice(80, "", ready("10.0.0.1", "p"))}, nil, "", "pod:p:s::10.0.0.1:80"},
		{"no UDP", []*discoveryv1.EndpointSlice{withUDP}, nil, "", ""},
		{"addresses that lead to the router's machine or cloud", []*discoveryv1.EndpointSlice{slice(80, "", ready("127.0.0.1", "a"), ready("169.254.169.254", "b"), ready("0.0.0.0", "c"), ready("168.63.129.16", "d"), ready("::ffff:127.0.0.1", "e"), ready("::127.0.0.1", "f"), ready("nonsense", "g"))}, nil, "", ""},
		{"both families", []*discoveryv1.EndpointSlice{slice(80, "", ready("10.0.0.1", "p")), six},
			&corev1.Service{Spec: corev1.ServiceSpec{IPFamilies: []corev1.IPFamily{corev1.IPv6Protocol, corev1.IPv4Protocol}}}, "", "pod:p:s::fd00::1:80"},
		{"h2c by appProtocol", []*discoveryv1.EndpointSlice{withProtocol}, nil, "", "pod:p:s::10.0.0.1:80 h2c"},
		{"a sleeping service by its own address", nil,
			&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "s", Annotations: map[string]string{idledAnnotation: "x"}}, Spec: corev1.ServiceSpec{ClusterIP: "172.30.0.1", Ports: []corev1.ServicePort{{Port: 8080, Protocol: corev1.ProtocolTCP}}}}, "", "ept:s::172.30.0.1:8080 idled"},
		{"an endpoint of a pod whose name is none", []*discoveryv1.EndpointSlice{slice(80, "", ready("10.0.0.1", "p q"), ready("10.0.0.2", strings.Repeat("p", 300)))}, nil, "", "ept:s::10.0.0.1:80, ept:s::10.0.0.2:80"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "r"}}
			r.Spec.To.Name = "s"
			if tt.port != "" {
				r.Spec.Port = &routev1.RoutePort{TargetPort: intstr.Parse(tt.port)}
			}
			lookup := objects{slices: map[string][]*discoveryv1.EndpointSlice{"s": tt.slices}, services: map[string]*corev1.Service{}}
			if tt.svc != nil {
				lookup.services["s"] = tt.svc
			}
			got, _ := testOptions.Route(Input{Candidate: routes.FromRoute(r), Match: model.Match{Host: "h"}, Lookup: lookup})
			var all []string
			for _, s := range got.Backend.Servers {
				text := s.ID
				if s.H2C {
					text += " h2c"
				}
				if s.Idled {
					text += " idled"
				}
				all = append(all, text)
			}
			if text := strings.Join(all, ", "); text != tt.want {
				t.Errorf("servers are %q, want %q", text, tt.want)
			}
		})
	}
}

func TestServersOfReencryptRoutesAreVerified(t *testing.T) {
	for _, tt := range []struct {
		name, own, router string
		ca, file, host    string
		problem           bool
	}{
		{"by the route's own CA", "CA", "/service-ca.pem", "CA", "", "", false},
		{"by the router's CA, and by name", "", "/service-ca.pem", "", "/service-ca.pem", "s.ns.svc", false},
		{"not at all, which is told", "", "", "", "", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "r"}}
			r.Spec.To.Name = "s"
			r.Spec.TLS = &routev1.TLSConfig{Termination: routev1.TLSTerminationReencrypt}
			o := testOptions
			o.DefaultDestinationCA = tt.router
			got, problems := o.Route(Input{Candidate: routes.FromRoute(r), DestinationCA: tt.own, Lookup: objects{slices: map[string][]*discoveryv1.EndpointSlice{"s": {slice(80, "", ready("10.0.0.1", "p"))}}}})
			if tls := got.Backend.TLS; tls.CA != tt.ca || tls.CAFile != tt.file || got.Backend.Servers[0].VerifyHost != tt.host {
				t.Errorf("TLS is %+v, host %q", tls, got.Backend.Servers[0].VerifyHost)
			}
			if told := len(problems) == 1 && strings.Contains(problems[0].Message, "not verified"); told != tt.problem {
				t.Errorf("problems are %+v", problems)
			}
		})
	}
}

func TestTheDocumentIsFresh(t *testing.T) {
	have, err := os.ReadFile("../../../docs/annotations.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != Document() {
		t.Error("docs/annotations.md is not what the table says; run make generate")
	}
}
