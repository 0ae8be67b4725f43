package haproxy_test

import (
	"fmt"
	"testing"

	"router/pkg/model"
	"router/test/haproxies"
)

// BenchmarkEndpointChange measures what it costs to give one route another
// endpoint while HAProxy runs, beside many other routes.
func BenchmarkEndpointChange(b *testing.B) {
	for _, binary := range haproxies.All(b) {
		for _, n := range []int{100, 1000, 10000} {
			b.Run(fmt.Sprintf("%s/%d", binary.Name, n), func(b *testing.B) {
				p := newPlane(b, binary.Path)
				server := func(i, k int) model.Server {
					address := fmt.Sprintf("127.%d.%d.%d", 1+k%200, i/250, 1+i%250)
					return model.Server{ID: "ept:s::" + address + ":9", Address: address, Port: 9, Weight: 1}
				}
				var all model.Change
				for i := range n {
					all.Upsert = append(all.Upsert, route(fmt.Sprint("r", i), fmt.Sprintf("r%d.test", i), server(i, 0)))
				}
				if _, err := p.Apply(b.Context(), all); err != nil {
					b.Fatal(err)
				}
				k := 0
				for b.Loop() {
					k++
					o, err := p.Apply(b.Context(), model.Change{Upsert: []*model.Route{route("r7", "r7.test", server(7, k))}})
					if err != nil || o.Reloaded {
						b.Fatalf("%+v, %v", o, err)
					}
				}
			})
		}
	}
}
