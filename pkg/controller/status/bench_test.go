package status

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	routev1 "github.com/openshift/api/route/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"router/pkg/model"
)

// BenchmarkOneChange takes in one route's change and writes it, beside many
// others. Its cost must not follow their number.
func BenchmarkOneChange(b *testing.B) {
	for _, n := range []int{1000, 10000, 50000} {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			c := &cluster{routes: map[model.RouteKey]*routev1.Route{}}
			p := &replica{name: "one", api: c}
			p.writer = New(Options{Client: p, RouterName: "public", Logger: slog.New(slog.DiscardHandler), Metrics: NewMetrics(nil)})
			made := func(i int, version string) *routev1.Route {
				r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprint("r", i), UID: types.UID(fmt.Sprint(i)), ResourceVersion: version}}
				r.Spec.Host = version + ".example.org"
				return r
			}
			for i := range n {
				r := made(i, "1")
				p.writer.Observe(r)
				p.writer.Set(*admit(r))
			}
			for i := 2; b.Loop(); i++ {
				r := made(n/2, fmt.Sprint(i))
				c.routes[keyOf(r)], c.version = r, i
				p.writer.Observe(r)
				p.writer.Set(*admit(r))
				p.writer.write(context.Background(), keyOf(r))
			}
			if c.writes == 0 {
				b.Error("nothing was written")
			}
		})
	}
}
