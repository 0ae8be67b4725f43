package haproxy

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"router/pkg/haproxy/diff"
)

// Metrics count what the data plane does. The names that begin with
// template_router_ are those of the reference router.
type Metrics struct {
	reloadSeconds prometheus.Summary
	writeSeconds  prometheus.Summary
	reloadFailure prometheus.Gauge
	reloads       *prometheus.CounterVec
	commands      *prometheus.CounterVec
	driftTotal    *prometheus.CounterVec
	maxConns      *prometheus.GaugeVec
}

// NewMetrics registers the data plane's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		reloadSeconds: prometheus.NewSummary(prometheus.SummaryOpts{
			Name: "template_router_reload_seconds", Help: "Time taken by a reload of HAProxy, in seconds."}),
		writeSeconds: prometheus.NewSummary(prometheus.SummaryOpts{
			Name: "template_router_write_config_seconds", Help: "Time taken to write HAProxy's files, in seconds."}),
		reloadFailure: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "template_router_reload_failure", Help: "Whether the last reload of HAProxy failed (1) or not (0)."}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "router_reloads_total", Help: "Starts and reloads of HAProxy by the reason that made them necessary."}, []string{"reason"}),
		commands: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "router_runtime_commands_total", Help: "Commands sent to the running HAProxy by kind and result."}, []string{"kind", "result"}),
		driftTotal: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "router_drift_total", Help: "Differences found between the running HAProxy and what it should be, by kind of repair."}, []string{"kind"}),
		maxConns: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "router_max_connections", Help: "Limit of open connections: as --max-connections says (wanted), and as the limit of open files lets it be (effective). Absent where HAProxy chooses."}, []string{"kind"}),
	}
	reg.MustRegister(m.reloadSeconds, m.writeSeconds, m.reloadFailure, m.reloads, m.commands, m.driftTotal, m.maxConns)
	return m
}

func (m *Metrics) reloaded(reasons []string, took time.Duration, err error) {
	for _, r := range reasons {
		m.reloads.WithLabelValues(r).Inc()
	}
	m.reloadSeconds.Observe(took.Seconds())
	if err != nil {
		m.reloadFailure.Set(1)
		return
	}
	m.reloadFailure.Set(0)
}

// connections tells of a limit; 0 is none of the router's.
func (m *Metrics) connections(wanted, effective int) {
	if wanted == 0 {
		return
	}
	m.maxConns.WithLabelValues("wanted").Set(float64(wanted))
	m.maxConns.WithLabelValues("effective").Set(float64(effective))
}

func (m *Metrics) wrote(took time.Duration) { m.writeSeconds.Observe(took.Seconds()) }

func (m *Metrics) command(kind string, ok bool) {
	result := "ok"
	if !ok {
		result = "refused"
	}
	m.commands.WithLabelValues(kind, result).Inc()
}

func (m *Metrics) drift(plan diff.Plan) {
	for _, c := range plan.Commands {
		if c.Kind != "" {
			m.driftTotal.WithLabelValues(c.Kind).Inc()
		}
	}
}
