package exporter

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
