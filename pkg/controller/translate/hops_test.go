package translate

import (
	"strings"
	"testing"

	routev1 "github.com/openshift/api/route/v1"
)

func TestTheHopHeaderIsTheRoutersOwn(t *testing.T) {
	r, problems := translatedRoute(t, nil, func(r *routev1.Route) {
		drop := routev1.RouteHTTPHeader{Name: "router-HOPS", Action: routev1.RouteHTTPHeaderActionUnion{Type: routev1.Delete}}
		r.Spec.HTTPHeaders = &routev1.RouteHTTPHeaders{Actions: routev1.RouteHTTPHeaderActions{Request: []routev1.RouteHTTPHeader{drop}}}
	})
	if len(r.Backend.RequestHeaders) > 0 || len(problems) != 1 || !strings.Contains(problems[0].Message, "belongs to the router") {
		t.Errorf("actions are %+v, problems %+v", r.Backend.RequestHeaders, problems)
	}
}
