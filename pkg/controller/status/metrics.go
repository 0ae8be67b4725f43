package status

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics are counted by all writers together.
type Metrics struct {
	writes, contended prometheus.Counter
	failures          *prometheus.CounterVec
}

// NewMetrics registers the metrics; nil registers none.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	with := promauto.With(reg)
	return &Metrics{
		writes: with.NewCounter(prometheus.CounterOpts{
			Name: "router_status_writes_total", Help: "Updates of routes' statuses that the API server accepted."}),
		contended: with.NewCounter(prometheus.CounterOpts{
			Name: "router_status_contended_total", Help: "Decisions to leave a route's status to another router of the same name that disagrees."}),
		failures: with.NewCounterVec(prometheus.CounterOpts{
			Name: "router_status_failures_total", Help: "Requests about routes' statuses that failed, by kind."}, []string{"kind"}),
	}
}
