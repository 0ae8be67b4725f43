package haproxy_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"router/pkg/haproxy"
	"router/test/haproxies"
)

// TestNoLimitOfConnectionsIsShownWhereHAProxyChooses: 0 would be a limit to who
// reads it.
func TestNoLimitOfConnectionsIsShownWhereHAProxyChooses(t *testing.T) {
	binary := haproxies.All(t)[0].Path
	for wanted, want := range map[int]int{0: 0, 200: 2} {
		registry := prometheus.NewRegistry()
		newPlane(t, binary, func(o *haproxy.Options) {
			o.Global.MaxConnections, o.Metrics = wanted, haproxy.NewMetrics(registry)
		})
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		shown := 0
		for _, f := range families {
			if f.GetName() == "router_max_connections" {
				shown = len(f.GetMetric())
			}
		}
		if shown != want {
			t.Errorf("with %d connections, there are %d limits, want %d", wanted, shown, want)
		}
	}
}
