package translate

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	routev1 "github.com/openshift/api/route/v1"
)

// TestHeadersThatNoRouteTouches gives actions on every header that is the
// router's or HAProxy's, in each direction, and on ones that are not.
func TestHeadersThatNoRouteTouches(t *testing.T) {
	refused := []string{
		"Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Upgrade", "HTTP2-Settings",
		"Strict-Transport-Security", "Proxy", "Cookie", "Set-Cookie",
	}
	taken := []string{"Host", "Expect", "Content-Encoding", "Content-Type", "X-Content-Length", "Upgrade-Insecure-Requests", "Trailers", "Connection-ID"}
	set := routev1.RouteHTTPHeaderActionUnion{Type: routev1.Set, Set: &routev1.RouteSetHTTPHeader{Value: "600"}}
	for _, action := range []routev1.RouteHTTPHeaderActionUnion{set, {Type: routev1.Delete}} {
		for _, name := range append(refused, taken...) {
			for _, spelled := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
				for _, direction := range []string{"request", "response"} {
					what := fmt.Sprintf("%s %s on a %s", action.Type, spelled, direction)
					list := []routev1.RouteHTTPHeader{{Name: spelled, Action: action}}
					m, problems := translatedRoute(t, nil, func(r *routev1.Route) {
						r.Spec.HTTPHeaders = &routev1.RouteHTTPHeaders{}
						if direction == "request" {
							r.Spec.HTTPHeaders.Actions.Request = list
						} else {
							r.Spec.HTTPHeaders.Actions.Response = list
						}
					})
					got := len(m.Backend.RequestHeaders) + len(m.Backend.ResponseHeaders)
					if isTaken := slices.Contains(taken, name); isTaken != (got == 1) || isTaken != (len(problems) == 0) {
						t.Errorf("%s: %d actions, problems %v", what, got, problems)
						continue
					}
					if want := "spec.httpHeaders.actions." + direction + "[0].name"; len(problems) > 0 && (problems[0].Field != want || !strings.Contains(problems[0].Message, "belongs to the router")) {
						t.Errorf("%s: the problem is %+v", what, problems[0])
					}
				}
			}
		}
	}
}
