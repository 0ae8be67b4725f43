package stats

import "testing"

func TestBackendsAreNamedByTheirRoutes(t *testing.T) {
	for _, test := range []struct {
		proxy string
		want  origin
	}{
		{"be_http:ns:route", origin{"http", "ns", "route"}},
		{"be_edge_http:ns:route", origin{"https-edge", "ns", "route"}},
		{"be_secure:ns:route", origin{"https", "ns", "route"}},
		{"be_tcp:ns:route", origin{"tcp", "ns", "route"}},
		{"be_http:ns:a.b-c", origin{"http", "ns", "a.b-c"}},
		{"be_sni", origin{"other/be_sni", "", ""}},
		{"openshift_default", origin{"other/openshift_default", "", ""}},
		{"be_http:ns", origin{"other/be_http:ns", "", ""}},
		{"be_new:ns:route", origin{"other/be_new:ns:route", "", ""}},
		{"", origin{"other/", "", ""}},
	} {
		if got := originOf(test.proxy); got != test.want {
			t.Errorf("%q: got %+v, want %+v", test.proxy, got, test.want)
		}
	}
}

func TestServersAreNamedByTheirEndpoints(t *testing.T) {
	for _, test := range []struct {
		id   string
		want endpoint
		ok   bool
	}{
		{"pod:web-1:web:http:10.0.0.1:8080", endpoint{"10.0.0.1:8080", "web-1", "web"}, true},
		{"pod:web-1:web::10.0.0.1:8080", endpoint{"10.0.0.1:8080", "web-1", "web"}, true},
		{"pod:web-1:web:http:fd00::1:8080", endpoint{"fd00::1:8080", "web-1", "web"}, true},
		{"ept:web:http:10.0.0.1:8080", endpoint{"10.0.0.1:8080", "", "web"}, true},
		{"ept:web::fd00::1:8080", endpoint{"fd00::1:8080", "", "web"}, true},
		{"ept:web:http:example.com:443", endpoint{"example.com:443", "", "web"}, true},
		{"fe_sni", endpoint{"fe_sni", "", ""}, false},
		{"s1", endpoint{"s1", "", ""}, false},
		{"pod:a:b", endpoint{"pod:a:b", "", ""}, false},
		{"", endpoint{}, false},
	} {
		if got, ok := endpointOf(test.id); got != test.want || ok != test.ok {
			t.Errorf("%q: got %+v, %v, want %+v, %v", test.id, got, ok, test.want, test.ok)
		}
	}
}
