package status

import "github.com/prometheus/client_golang/prometheus"

// NewMetrics registers the writer's metrics.
func NewMetrics(reg prometheus.Registerer) Metrics {
	writes := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "router_status_writes_total", Help: "Updates of routes' statuses that the API server accepted."})
	contended := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "router_status_contended_total", Help: "Decisions to leave a route's status to another router of the same name that disagrees."})
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "router_status_failures_total", Help: "Requests about routes' statuses that failed, by kind."}, []string{"kind"})
	reg.MustRegister(writes, contended, failures)
	return Metrics{
		Writes: writes, Contended: contended,
		Failures: func(kind string) Counter { return failures.WithLabelValues(kind) },
	}
}
