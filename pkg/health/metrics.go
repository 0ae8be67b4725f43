package health

import "github.com/prometheus/client_golang/prometheus"

// The results of a check, as values of a label.
const (
	resultOK     = "ok"
	resultFailed = "failed"
	// resultUnknown is that of a check for which the router had no processor.
	resultUnknown = "unknown"
)

// register makes and registers the metrics.
func (c *Checker) register() {
	c.checks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "router_health_checks_total", Help: "Health checks of endpoints by result."}, []string{"result"})
	for _, result := range []string{resultOK, resultFailed, resultUnknown} {
		c.checks.WithLabelValues(result)
	}
	c.opts.Registry.MustRegister(c.checks,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "router_health_endpoints", Help: "Endpoints whose health is checked."}, func() float64 { return c.number(false) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "router_health_endpoints_failing", Help: "Endpoints that fail their health checks."}, func() float64 { return c.number(true) }))
}

// count counts a check.
func (c *Checker) count(err error, late bool) {
	result := resultOK
	switch {
	case err != nil && late:
		result = resultUnknown
	case err != nil:
		result = resultFailed
	}
	c.checks.WithLabelValues(result).Inc()
}

// number of the endpoints, or of those that fail.
func (c *Checker) number(failing bool) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.endpoints)
	if failing {
		n = 0
		for _, e := range c.endpoints {
			if e.failing {
				n++
			}
		}
	}
	return float64(n)
}
