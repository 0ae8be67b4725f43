package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"router/pkg/controller/status"
	"router/pkg/haproxy"
	"router/pkg/haproxy/exporter"
	"router/pkg/haproxy/process"
	"router/pkg/health"
	"router/pkg/source/dns"
)

// metricsPage is docs/metrics.md.
func metricsPage() (string, error) {
	rooms := &recorder{registry: prometheus.NewRegistry()}
	haproxy.NewMetrics(rooms)
	process.NewSupervisor(process.SupervisorOptions{Registry: rooms})
	status.NewMetrics(rooms)
	dns.NewMetrics(rooms)
	health.New(health.Options{Registry: rooms})
	router, err := rooms.table()
	if err != nil {
		return "", err
	}
	haproxyOnes := &recorder{registry: prometheus.NewRegistry()}
	haproxyOnes.MustRegister(exporter.New(exporter.Options{Runtime: quietHAProxy, Exported: []int{noColumn}}))
	exported, err := haproxyOnes.table()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(metricsText, router, exported, exporter.Document()), nil
}

// noColumn is a column of HAProxy's statistics that no metric is made of.
const noColumn = 1

// quietHAProxy answers as an HAProxy whose public frontend is all there is.
func quietHAProxy(_ context.Context, command string) (string, error) {
	switch command {
	case "show info":
		return fmt.Sprintf("Pid: %d\n", os.Getpid()), nil
	case "show stat -1 3 -1":
		row := make([]string, 60)
		row[0], row[1], row[6], row[32] = "public", "FRONTEND", "1", "0"
		return "# pxname,svname,\n" + strings.Join(row, ",") + "\n", nil
	case "show stat -1 4 -1":
		return "# pxname,svname,\n", nil
	}
	return "", errors.New("unknown command")
}

// recorder registers collectors, and remembers what they are.
type recorder struct {
	registry *prometheus.Registry
	rows     []row
	err      error
}

// row is one metric.
type row struct{ name, kind, labels, help string }

// Register implements prometheus.Registerer.
func (r *recorder) Register(c prometheus.Collector) error {
	if err := r.registry.Register(c); err != nil {
		return err
	}
	descs := make(chan *prometheus.Desc)
	go func() { c.Describe(descs); close(descs) }()
	for d := range descs {
		found, err := parse(d)
		if err != nil && r.err == nil {
			r.err = err
		}
		found.kind = kindOf(c)
		r.rows = append(r.rows, found)
	}
	return nil
}

// MustRegister implements prometheus.Registerer.
func (r *recorder) MustRegister(list ...prometheus.Collector) {
	for _, c := range list {
		if err := r.Register(c); err != nil {
			panic(err) // As of a registry: two metrics have one name.
		}
	}
}

// Unregister implements prometheus.Registerer.
func (r *recorder) Unregister(prometheus.Collector) bool { return false }

// described is how the library words a description; it has no other way to
// ask for its parts.
var described = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", help: ("(?:[^"\\]|\\.)*"), .*variableLabels: \{(.*)\}\}$`)

func parse(d *prometheus.Desc) (row, error) {
	m := described.FindStringSubmatch(d.String())
	if m == nil {
		return row{}, fmt.Errorf("unexpected form of %s", d)
	}
	help, err := strconv.Unquote(m[2])
	if err != nil {
		return row{}, fmt.Errorf("unexpected form of %s", d)
	}
	return row{name: m[1], help: help, labels: m[3]}, nil
}

// kindOf is the type of a collector's metrics, "" where only a look at them
// shows it.
func kindOf(c prometheus.Collector) string {
	switch c.(type) {
	case *prometheus.CounterVec:
		return "counter"
	case *prometheus.GaugeVec:
		return "gauge"
	case *prometheus.SummaryVec:
		return "summary"
	case *prometheus.HistogramVec:
		return "histogram"
	}
	return ""
}

// table is the rows in the order of their names. Of what a collector of its own
// kind does not show without a running HAProxy, the name says the type; a test
// compares the page with a running router.
func (r *recorder) table() (string, error) {
	families, err := r.registry.Gather()
	if err != nil || r.err != nil {
		return "", errors.Join(err, r.err)
	}
	seen := map[string]string{}
	for _, f := range families {
		seen[f.GetName()] = strings.ToLower(f.GetType().String())
	}
	slices.SortFunc(r.rows, func(a, b row) int { return strings.Compare(a.name, b.name) })
	var b strings.Builder
	b.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, row := range r.rows {
		kind := row.kind
		if kind == "" {
			kind = seen[row.name]
		}
		switch {
		case kind != "":
		case strings.HasSuffix(row.name, "_total"):
			kind = "counter"
		default:
			kind = "gauge"
		}
		labels := ""
		if row.labels != "" {
			labels = "`" + strings.ReplaceAll(row.labels, ",", "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", row.name, kind, labels, row.help)
	}
	return b.String(), nil
}

const metricsText = `# Metrics

Port 1936 serves them at ` + "`/metrics`" + `, for the user and password of the statistics
page, or for a bearer token whose owner may ` + "`get`" + ` the subresource ` + "`metrics`" + ` of this
router (` + "`--name`" + `) in the cluster:

` + "```yaml" + `
- apiGroups: [route.openshift.io]
  resources: [routers/metrics]
  resourceNames: [public]
  verbs: [get]
` + "```" + `

Names that begin with ` + "`haproxy_` and `template_router_`" + ` are those of OpenShift's router,
with the same labels and types. This page is made from the code by ` + "`make generate`" + `.

## The router

%s
Those of the Go runtime and of the router's own process have the usual names,
` + "`go_*` and `process_*`" + `.

## The reading of HAProxy

HAProxy is asked at most once in ` + "`--metrics-haproxy-base-scrape-interval`" + ` for each 1000
rows begun; in between, the last answer is shown. ` + "`haproxy_process_*`" + ` is about the worker
that answers.

%s
## HAProxy's own numbers

All are gauges, those that only grow too, and go on over reloads. ` + "`backend`" + ` is ` + "`http`,\n`https-edge`, `https` (re-encrypt) or `tcp` (passthrough)" + `, for one of the router's own
` + "`other/NAME`" + ` without a namespace and route. The frontends ` + "`public`, `public_ssl`, `fe_sni`\nand `fe_no_sni`, the backends `be_sni` and `be_no_sni`" + ` and their servers always have
metrics; those that this HAProxy does without stand still and count as up: all TLS is
` + "`fe_sni`" + `'s, and only beside passthrough routes or with ` + "`--strict-sni` `public_ssl`" + ` stands
before it. Metrics of servers are left out above
` + "`--metrics-haproxy-server-threshold`" + `. A column that is exported on demand is named with
all others that are wanted in ` + "`--metrics-haproxy-exported`" + `.

%s`
