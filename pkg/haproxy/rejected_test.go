package haproxy_test

import (
	"context"
	"testing"

	"router/pkg/model"
	"router/test/haproxies"
)

// A route that cannot be rendered is told so as long as it is like that, and
// not only in the turn that brought it.
func TestARouteThatCannotBeRenderedStaysRejected(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		bad := route("bad", "bad.test", pod(t, "bad"))
		bad.Backend.HSTS = "max-age=1\x00"
		rejected := func(when string, o func() (map[model.RouteKey]string, error), want bool) {
			t.Helper()
			got, err := o()
			if err != nil {
				t.Fatal(err)
			}
			if (got[bad.Key] != "") != want {
				t.Errorf("%s: rejected are %v", when, got)
			}
		}
		change := func(routes ...*model.Route) func() (map[model.RouteKey]string, error) {
			return func() (map[model.RouteKey]string, error) {
				o, err := p.Apply(context.Background(), model.Change{Upsert: routes})
				return o.Rejected, err
			}
		}
		rejected("with the change that brings it", change(bad, route("good", "good.test", pod(t, "good"))), true)
		rejected("with a change of another", change(route("good", "good.test", pod(t, "other"))), true)
		rejected("when the live state is compared", func() (map[model.RouteKey]string, error) {
			o, err := p.Verify(context.Background())
			return o.Rejected, err
		}, true)
		p.look(t, "beside it", lookup{"good.test", "/", "other"}, lookup{"bad.test", "/", "nobody"})
		rejected("once it is mended", change(route("bad", "bad.test", pod(t, "bad"))), false)
		p.look(t, "mended", lookup{"bad.test", "/", "bad"})
	})
}
