package exporter

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Defaults of Options: those of the reference router.
const (
	DefaultServerThreshold = 500
	DefaultScrapeInterval  = 5 * time.Second
	DefaultScrapeTimeout   = 5 * time.Second
)

// namespace is the first word in the names of HAProxy's metrics.
const namespace = "haproxy"

// rowsPerInterval is for how many rows the interval between two scrapes grows
// by one base interval.
const rowsPerInterval = 1000

// Options are what a Collector needs.
type Options struct {
	// Runtime runs a command, such as "show stat", on the command socket of
	// HAProxy's worker, and returns the answer. An error means that HAProxy
	// cannot be asked now.
	Runtime func(ctx context.Context, command string) (string, error)
	// ServerNames gives the identity of the endpoint that a server of a
	// route's backend stands for, where the server's name is not that identity
	// itself; ok is false for a server that stands for none. It is called from
	// the goroutine that collects. Nil means that names speak for themselves.
	ServerNames func(backend, server string) (endpointID string, ok bool)
	// BackendNames gives the backend that a proxy stands for, where that is not
	// its name; ok is false for one that stands for none. It is called like
	// ServerNames.
	BackendNames func(proxy string) (backend string, ok bool)
	// Health is what the router's own checks say of the endpoint that a server
	// of a backend stands for; ok is false for a server that is no endpoint. It
	// is called like ServerNames. Nil means that HAProxy checks.
	Health func(backend, endpointID string) (h Health, ok bool)
	// ServerThreshold is the number of servers above which no metrics of
	// servers are exported; 0 means DefaultServerThreshold.
	ServerThreshold int
	// ScrapeInterval is the least time between two scrapes, for each 1000 rows
	// begun; 0 means DefaultScrapeInterval.
	ScrapeInterval time.Duration
	// ScrapeTimeout bounds one scrape; 0 means DefaultScrapeTimeout.
	ScrapeTimeout time.Duration
	// Exported are the numbers of the columns of HAProxy's statistics that
	// become metrics; empty means the default ones.
	Exported []int
	Logger   *slog.Logger
	// Now tells the time; nil means time.Now.
	Now func() time.Time
}

// Health is what the router's own checks say of a server.
type Health struct {
	// Down is whether it gets no requests because its checks fail.
	Down bool
	// Failures is how many checks have failed, Downtime for how long they did.
	Failures int
	Downtime time.Duration
	// Duration is that of the last check.
	Duration time.Duration
}

// Collector turns HAProxy's statistics into metrics. Its counters go on over
// reloads and over the change of what a slot stands for: a counter is the sum
// of what every worker has counted, as far as it was read. BeforeReload reads
// what would otherwise be lost.
//
// All are gauges, as in the reference router, counters too.
type Collector struct {
	opts    Options
	columns []column
	descs   map[kind][]*prometheus.Desc
	process prometheus.Collector

	up, maxConnections, interval, threshold, scrapes, failures *prometheus.Desc

	mu   sync.Mutex
	last *snapshot
	// ok is whether the last scrape succeeded; next is when another one is due.
	ok            bool
	next          time.Time
	totalScrapes  int
	parseFailures int
}

// New prepares a collector. HAProxy need not run yet.
func New(o Options) *Collector {
	if o.ServerThreshold == 0 {
		o.ServerThreshold = DefaultServerThreshold
	}
	if o.ScrapeInterval == 0 {
		o.ScrapeInterval = DefaultScrapeInterval
	}
	if o.ScrapeTimeout == 0 {
		o.ScrapeTimeout = DefaultScrapeTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Collector{
		opts: o, columns: exported(o.Exported), descs: map[kind][]*prometheus.Desc{}, last: &snapshot{maxConnections: -1},
		up:             prometheus.NewDesc("haproxy_up", "Whether the last scrape of HAProxy succeeded (1) or not (0).", nil, nil),
		maxConnections: prometheus.NewDesc("haproxy_max_connections", "Limit of the connections of the public frontend.", nil, nil),
		interval:       prometheus.NewDesc("haproxy_exporter_scrape_interval", "Seconds until HAProxy may be asked again; until then, the last answer is shown.", nil, nil),
		threshold:      prometheus.NewDesc("haproxy_exporter_server_threshold", "Servers, and the number above which they have no metrics of their own.", []string{"type"}, nil),
		scrapes:        prometheus.NewDesc("haproxy_exporter_total_scrapes", "Scrapes of HAProxy.", nil, nil),
		failures:       prometheus.NewDesc("haproxy_exporter_csv_parse_failures", "Errors in reading HAProxy's statistics.", nil, nil),
	}
	for _, n := range o.Exported {
		if !slices.ContainsFunc(columns(), func(known column) bool { return known.index == n }) {
			o.Logger.Warn("no metric is made of this column of HAProxy's statistics", "column", n)
		}
	}
	for _, k := range kinds() {
		c.descs[k] = make([]*prometheus.Desc, len(c.columns))
		for i, column := range c.columns {
			if column.of&k == 0 {
				continue
			}
			var constant prometheus.Labels
			if column.code != "" {
				constant = prometheus.Labels{"code": column.code}
			}
			name := prometheus.BuildFQName(namespace, k.String(), column.suffix)
			c.descs[k][i] = prometheus.NewDesc(name, column.help, labelNames(k), constant)
		}
	}
	c.process = collectors.NewProcessCollector(collectors.ProcessCollectorOpts{Namespace: namespace, PidFn: c.pid})
	return c
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.up, c.maxConnections, c.interval, c.threshold, c.scrapes, c.failures} {
		out <- d
	}
	for _, k := range kinds() {
		for _, d := range c.descs[k] {
			if d != nil {
				out <- d
			}
		}
	}
	c.process.Describe(out)
}

// Collect implements prometheus.Collector. It asks HAProxy only if that is due.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	c.collect(out)
	c.process.Collect(out)
}

func (c *Collector) collect(out chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ok || !c.opts.Now().Before(c.next) {
		c.scrape(context.Background())
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	out <- prometheus.MustNewConstMetric(c.scrapes, prometheus.CounterValue, float64(c.totalScrapes))
	out <- prometheus.MustNewConstMetric(c.failures, prometheus.CounterValue, float64(c.parseFailures))
	gauge(c.interval, max(0, c.next.Sub(c.opts.Now()).Seconds()))
	gauge(c.threshold, float64(c.last.servers), "current")
	gauge(c.threshold, float64(c.opts.ServerThreshold), "limit")
	if !c.ok {
		gauge(c.up, 0)
		return
	}
	gauge(c.up, 1)
	if c.last.maxConnections >= 0 {
		gauge(c.maxConnections, c.last.maxConnections)
	}
	for key, s := range c.last.series {
		descs, labels := c.descs[key.kind], key.labels[:len(labelNames(key.kind))]
		for i, d := range descs {
			if d != nil && s.has[i] {
				gauge(d, s.values[i], labels...)
			}
		}
	}
}

// BeforeReload reads HAProxy's counters, so that nothing is lost of what the
// worker has counted that is about to be replaced. Whether the reload then
// succeeds does not matter. The next Collect asks HAProxy again, however soon.
func (c *Collector) BeforeReload(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scrape(ctx)
	c.next = time.Time{}
}

// scrape takes a snapshot. Of a failed one, nothing is kept: what was not
// counted is counted the next time.
func (c *Collector) scrape(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.ScrapeTimeout)
	defer cancel()
	c.totalScrapes++
	s, err := c.take(ctx)
	c.ok = err == nil
	if err != nil {
		c.next = time.Time{}
		c.opts.Logger.Debug("haproxy's statistics cannot be read", "error", err)
		return
	}
	c.last = s
	c.next = c.opts.Now().Add(time.Duration(s.rows/rowsPerInterval+1) * c.opts.ScrapeInterval)
}

// pid is the process that the metrics haproxy_process_* are about.
func (c *Collector) pid() (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ok {
		return 0, errors.New("haproxy does not run")
	}
	return c.last.pid, nil
}
