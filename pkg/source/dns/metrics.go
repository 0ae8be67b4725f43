package dns

import "github.com/prometheus/client_golang/prometheus"

// state is what is known of a name.
type state string

// The states of a name.
const (
	resolved   state = "resolved"   // as the name servers said last time
	stale      state = "stale"      // the last addresses are kept
	unresolved state = "unresolved" // there is no address
)

// Metrics count names by what is known of them. A nil *Metrics counts nothing.
type Metrics struct {
	names *prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "router_external_names", Help: "Names of ExternalName services, by state: resolved, stale (the name servers fail, and the last addresses are kept) or unresolved.",
	}, []string{"state"})}
	for _, s := range []state{resolved, stale, unresolved} {
		m.names.WithLabelValues(string(s))
	}
	reg.MustRegister(m.names)
	return m
}

// change counts a name in another state; "" is that of names that are not watched.
func (m *Metrics) change(from, to state) {
	if m == nil || from == to {
		return
	}
	if from != "" {
		m.names.WithLabelValues(string(from)).Dec()
	}
	if to != "" {
		m.names.WithLabelValues(string(to)).Inc()
	}
}
