package translate

import (
	"net/netip"
	"strings"
	"testing"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"router/pkg/controller/routes"
	"router/pkg/model"
	"router/pkg/source"
)

// resolvedTo are the servers and problems of a route to a service that stands
// for a name.
func resolvedTo(name string, found *source.Resolution, change func(*routev1.Route, *corev1.Service)) (*model.Route, []model.Problem) {
	r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "r"}}
	r.Spec.To.Name = "s"
	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: name}}
	if change != nil {
		change(r, svc)
	}
	o := testOptions
	o.LocalEndpoints = true // It is of no matter here.
	return o.Route(Input{Candidate: routes.FromRoute(r), Match: model.Match{Host: "h"}, Lookup: objects{
		services: map[string]*corev1.Service{"s": svc}, names: map[string]*source.Resolution{"db.example.com": found},
	}})
}

func addresses(list ...string) *source.Resolution {
	r := &source.Resolution{}
	for _, a := range list {
		r.Addresses = append(r.Addresses, netip.MustParseAddr(a))
	}
	return r
}

func serverIDs(r *model.Route) string {
	var ids []string
	for _, s := range r.Backend.Servers {
		ids = append(ids, s.ID)
	}
	return strings.Join(ids, ", ")
}

func TestExternalNamesAreServedByTheirAddresses(t *testing.T) {
	const dns = "must be a DNS name"
	for _, tt := range []struct {
		name    string
		found   *source.Resolution
		want    string
		problem string
	}{
		{"db.example.com", addresses("192.0.2.1"), "ept:s::192.0.2.1:80", ""},
		{"DB.example.COM.", addresses("192.0.2.1", "192.0.2.2"), "ept:s::192.0.2.1:80, ept:s::192.0.2.2:80", ""},
		{"db.example.com", addresses("2001:db8::1"), "ept:s::2001:db8::1:80", ""},
		{"db.example.com", addresses("::ffff:192.0.2.1"), "ept:s::192.0.2.1:80", ""},
		{"db.example.com", addresses("127.0.0.1", "192.0.2.1"), "ept:s::192.0.2.1:80", "is resolved to addresses of a machine itself"},
		{"db.example.com", addresses("127.0.0.1"), "", "is resolved to addresses of a machine itself"},
		{"db.example.com", nil, "", "cannot be resolved: the name servers have not answered yet"},
		{"db.example.com", &source.Resolution{Failure: "because"}, "", "cannot be resolved: because"},
		{"localhost", nil, "", dns}, {"x.LOCALHOST.", nil, "", dns}, {"127.0.0.1", nil, "", dns}, {"169.254.169.254", nil, "", dns},
		{"127.1", nil, "", dns}, {"0x7f.0x1", nil, "", dns}, {"2130706433", nil, "", dns}, {"::1", nil, "", dns}, {"a b", nil, "", dns}, {"", nil, "", dns},
	} {
		t.Run(tt.name+" "+tt.want, func(t *testing.T) {
			r, problems := resolvedTo(tt.name, tt.found, nil)
			if got := serverIDs(r); got != tt.want {
				t.Errorf("servers are %q, want %q", got, tt.want)
			}
			told := ""
			if len(problems) > 0 {
				told = problems[0].Message
			}
			if len(problems) > 1 || !strings.HasPrefix(told, tt.problem) || (told == "") != (tt.problem == "") {
				t.Errorf("problems are %+v, want %q", problems, tt.problem)
			}
		})
	}
}

func TestPortsOfExternalNames(t *testing.T) {
	h2c := "kubernetes.io/h2c"
	ports := func(_ *routev1.Route, s *corev1.Service) {
		s.Spec.Ports = []corev1.ServicePort{{Name: "a", Port: 81}, {Name: "b", Port: 82, AppProtocol: &h2c}}
	}
	at := func(termination routev1.TLSTerminationType) func(*routev1.Route, *corev1.Service) {
		return func(r *routev1.Route, _ *corev1.Service) { r.Spec.TLS = &routev1.TLSConfig{Termination: termination} }
	}
	target := func(port intstr.IntOrString) func(*routev1.Route, *corev1.Service) {
		return func(r *routev1.Route, s *corev1.Service) {
			ports(r, s)
			r.Spec.Port = &routev1.RoutePort{TargetPort: port}
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*routev1.Route, *corev1.Service)
		want   string
		h2c    bool
	}{
		{"of the protocol", nil, "ept:s::192.0.2.1:80", false},
		{"of TLS, re-encrypt", at(routev1.TLSTerminationReencrypt), "ept:s::192.0.2.1:443", false},
		{"of TLS, passthrough", at(routev1.TLSTerminationPassthrough), "ept:s::192.0.2.1:443", false},
		{"the service's first", ports, "ept:s:a:192.0.2.1:81", false},
		{"by name", target(intstr.FromString("b")), "ept:s:b:192.0.2.1:82", true},
		{"by number", target(intstr.FromInt32(9000)), "ept:s::192.0.2.1:9000", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := resolvedTo("db.example.com", addresses("192.0.2.1"), tt.change)
			if got := serverIDs(r); got != tt.want || r.Backend.Servers[0].H2C != tt.h2c {
				t.Errorf("servers are %+v, want %q", r.Backend.Servers, tt.want)
			}
		})
	}
}

func TestReachable(t *testing.T) {
	for text, want := range map[string]bool{
		"10.0.0.1": true, "192.0.2.1": true, "100.64.0.1": true, "2001:db8::1": true, "fd00::1": true, "::ffff:10.0.0.1": true, "64:ff9b::192.0.2.1": true,
		"127.0.0.1": false, "127.255.255.254": false, "::1": false, "0.0.0.0": false, "::": false,
		"169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false, "2001:db8::1%eth0": false, "febf::1": false,
		"224.0.0.1": false, "239.1.1.1": false, "ff02::1": false, "168.63.129.16": false, "fd00:ec2::254": false,
		"::ffff:127.0.0.1": false, "::ffff:0.0.0.0": false, "::ffff:169.254.169.254": false, "::ffff:224.0.0.1": false, "::ffff:168.63.129.16": false,
		"::127.0.0.1": false, "::169.254.169.254": false, "64:ff9b::127.0.0.1": false, "64:ff9b::a9fe:a9fe": false,
	} {
		if got := reachable(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s may be connected to: %v", text, got)
		}
	}
	if reachable(netip.Addr{}) {
		t.Error("no address may be connected to")
	}
}

func TestAPortThatIsNoneIsTold(t *testing.T) {
	r, problems := resolvedTo("db.example.com", addresses("192.0.2.1"), func(r *routev1.Route, _ *corev1.Service) {
		r.Spec.Port = &routev1.RoutePort{TargetPort: intstr.FromInt32(70000)}
	})
	if ids := serverIDs(r); ids != "" || len(problems) != 1 || problems[0].Field != "spec.port.targetPort" {
		t.Errorf("servers %q, problems %+v", ids, problems)
	}
}
