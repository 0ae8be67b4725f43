package exporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// worker answers as HAProxy does.
type worker struct {
	pid int
	// rows are the lines that "show stat" shows, by kind.
	rows map[kind]string
	// queries are the commands so far; fails is the answer to each.
	queries []string
	fails   error
	// during is called between the process and the values.
	during func()
}

func (w *worker) run(_ context.Context, command string) (string, error) {
	w.queries = append(w.queries, command)
	if w.fails != nil {
		return "", w.fails
	}
	if command == "show info" {
		return fmt.Sprintf("Name: HAProxy\nPid: %d\nUptime: 0d\n", w.pid), nil
	}
	if w.during != nil {
		w.during()
	}
	var of kind
	if _, err := fmt.Sscanf(command, "show stat -1 %d -1", &of); err != nil {
		return "", err
	}
	answer := heading
	for _, k := range kinds() {
		if of&k != 0 {
			answer += w.rows[k]
		}
	}
	return answer, nil
}

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// values reads the collector's metrics, as "name{label=value,…}", without
// those of processes.
func values(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "haproxy_process_") {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				if l.GetValue() != "" {
					labels = append(labels, l.GetName()+"="+l.GetValue())
				}
			}
			got[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return got
}

func expect(t *testing.T, c prometheus.Collector, want map[string]float64) {
	t.Helper()
	got := values(t, c)
	for name, v := range want {
		if g, ok := got[name]; !ok || g != v {
			t.Errorf("%s is %v (%v), want %v", name, g, ok, v)
		}
	}
}

func absent(t *testing.T, c prometheus.Collector, part string) {
	t.Helper()
	for name := range values(t, c) {
		if strings.Contains(name, part) {
			t.Errorf("there is %s", name)
		}
	}
}

func counter(n int) map[int]string { return map[int]string{8: fmt.Sprint(n)} }

func TestRowsBecomeMetrics(t *testing.T) {
	w := &worker{pid: 7, rows: map[kind]string{
		frontend: line("public", "FRONTEND", "0", map[int]string{4: "3", 6: "2000", 8: "10", 40: "5", 79: "9", columnStatus: "OPEN"}),
		backend:  line("be_edge_http:ns:r", "BACKEND", "1", map[int]string{4: "1", 7: "6", columnStatus: "UP", 44: "2", 58: "4", columnReused: "8"}),
		server: line("be_edge_http:ns:r", "pod:p:svc:http:10.0.0.1:80", "2", map[int]string{21: "1", 24: "60", columnStatus: "DOWN"}) +
			line("be_sni", "fe_sni", "2", map[int]string{4: "2"}),
	}}
	c := New(Options{Runtime: w.run})
	const route, pod = "{backend=https-edge,namespace=ns,route=r}", "{namespace=ns,pod=p,route=r,server=10.0.0.1:80,service=svc}"
	expect(t, c, map[string]float64{
		"haproxy_up{}":              1,
		"haproxy_max_connections{}": 2000,
		"haproxy_exporter_server_threshold{type=current}":                                          2,
		"haproxy_exporter_server_threshold{type=limit}":                                            500,
		"haproxy_exporter_total_scrapes{}":                                                         1,
		"haproxy_exporter_csv_parse_failures{}":                                                    0,
		"haproxy_frontend_current_sessions{frontend=public}":                                       3,
		"haproxy_frontend_bytes_in_total{frontend=public}":                                         10,
		"haproxy_frontend_connections_total{frontend=public}":                                      9,
		"haproxy_frontend_http_responses_total{code=2xx,frontend=public}":                          5,
		"haproxy_backend_current_sessions" + route:                                                 1,
		"haproxy_backend_connections_total" + route:                                                6,
		"haproxy_backend_up" + route:                                                               1,
		"haproxy_backend_http_average_queue_latency_milliseconds" + route:                          4,
		"haproxy_backend_connections_reused_total" + route:                                         8,
		"haproxy_backend_http_responses_total{backend=https-edge,code=other,namespace=ns,route=r}": 2,
		"haproxy_server_check_failures_total" + pod:                                                1,
		"haproxy_server_downtime_seconds_total" + pod:                                              60,
		"haproxy_server_up" + pod:                                                                  0,
		"haproxy_server_current_sessions{server=fe_sni}":                                           2,
	})
	absent(t, c, "haproxy_frontend_up")
	absent(t, c, "limit_sessions")
	absent(t, c, "haproxy_backend_bytes_in_total"+route) // an empty field
}

// TestHealthIsTheRoutersOwn: HAProxy says "no check" of servers, and leaves the
// columns of checks empty.
func TestHealthIsTheRoutersOwn(t *testing.T) {
	const spare = "be_http:_spare:x-1"
	status := map[int]string{columnStatus: "no check"}
	w := &worker{pid: 7, rows: map[kind]string{server: line("be_http:ns:r", "pod:p:svc:http:10.0.0.1:80", "2", status) +
		line("be_http:ns:r", "ept:svc::fd00::1:80", "2", status) + line(spare, "s1", "2", status) + line("be_sni", "fe_sni", "2", status)}}
	pods := map[string]Health{
		"be_http:ns:r pod:p:svc:http:10.0.0.1:80":    {Down: true, Failures: 3, Downtime: 90 * time.Second, Duration: 5 * time.Millisecond},
		"be_http:ns:r ept:svc::fd00::1:80":           {Failures: 1},
		"be_http:ns:late pod:q:svc:http:10.0.0.2:80": {Down: true, Failures: 4},
	}
	c := New(Options{
		Runtime: w.run, Exported: []int{columnStatus, columnFailed, columnDown, columnCheck},
		BackendNames: func(proxy string) (string, bool) { return strings.Replace(proxy, spare, "be_http:ns:late", 1), true },
		ServerNames:  func(string, string) (string, bool) { return "pod:q:svc:http:10.0.0.2:80", true },
		Health: func(backend, id string) (Health, bool) {
			h, ok := pods[backend+" "+id]
			return h, ok
		},
	})
	const first, second, late = "{namespace=ns,pod=p,route=r,server=10.0.0.1:80,service=svc}", "{namespace=ns,route=r,server=fd00::1:80,service=svc}",
		"{namespace=ns,pod=q,route=late,server=10.0.0.2:80,service=svc}"
	want := map[string]float64{
		"haproxy_server_up" + first: 0, "haproxy_server_check_failures_total" + first: 3,
		"haproxy_server_downtime_seconds_total" + first: 90, "haproxy_server_check_duration_milliseconds" + first: 5,
		"haproxy_server_up" + second: 1, "haproxy_server_check_failures_total" + second: 1,
		"haproxy_server_up" + late: 0, "haproxy_server_check_failures_total" + late: 4,
		"haproxy_server_up{server=fe_sni}": 1,
	}
	expect(t, c, want)
	w.pid = 8 // A new worker counts anew, the router's checks go on.
	c.BeforeReload(t.Context())
	expect(t, c, want)
}

func TestColumnsAreExportedOnDemand(t *testing.T) {
	w := &worker{pid: 7, rows: map[kind]string{
		backend: line("be_http:ns:r", "BACKEND", "1", map[int]string{4: "1", 15: "2", 18: "9"}),
	}}
	var log bytes.Buffer
	c := New(Options{Runtime: w.run, Exported: []int{15, 18, 1}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "column=1") || strings.Contains(log.String(), "column=15") {
		t.Errorf("the log says %q", log.String())
	}
	expect(t, c, map[string]float64{
		"haproxy_backend_retry_warnings_total{backend=http,namespace=ns,route=r}": 2,
		"haproxy_backend_weight{backend=http,namespace=ns,route=r}":               9,
	})
	absent(t, c, "current_sessions")
}

// TestProxiesThatHAProxyHasAtTimes has the proxies of the reference router
// that are here only beside certain routes and settings.
func TestProxiesThatHAProxyHasAtTimes(t *testing.T) {
	public := line("public", "FRONTEND", "0", map[int]string{8: "10"})
	w := &worker{pid: 7, rows: map[kind]string{frontend: public}}
	c := New(Options{Runtime: w.run, ScrapeInterval: time.Nanosecond})
	want := map[string]float64{
		"haproxy_frontend_bytes_in_total{frontend=public}":                   10,
		"haproxy_frontend_bytes_in_total{frontend=public_ssl}":               0,
		"haproxy_frontend_current_sessions{frontend=fe_sni}":                 0,
		"haproxy_frontend_http_responses_total{code=5xx,frontend=fe_no_sni}": 0,
		"haproxy_backend_bytes_in_total{backend=other/be_sni}":               0,
		"haproxy_backend_up{backend=other/be_no_sni}":                        1,
		"haproxy_server_bytes_in_total{server=fe_sni}":                       0,
		"haproxy_server_up{server=fe_no_sni}":                                1,
		"haproxy_exporter_server_threshold{type=current}":                    0,
	}
	expect(t, c, want)
	for _, tcp := range []string{"frontend=public_ssl", "backend=other/be_sni", "server=fe_sni"} {
		for name := range values(t, c) {
			if strings.Contains(name, "http_responses") && strings.Contains(name, tcp) {
				t.Errorf("there is %s", name)
			}
		}
	}
	w.rows[frontend] = public + line("public_ssl", "FRONTEND", "0", map[int]string{8: "3"})
	w.rows[backend] = line("be_sni", "BACKEND", "1", map[int]string{8: "2", columnStatus: "UP"})
	w.rows[server] = line("be_sni", "fe_sni", "2", map[int]string{8: "2", columnStatus: "UP"})
	there := map[string]float64{
		"haproxy_frontend_bytes_in_total{frontend=public_ssl}": 3,
		"haproxy_backend_bytes_in_total{backend=other/be_sni}": 2,
		"haproxy_server_bytes_in_total{server=fe_sni}":         2,
	}
	expect(t, c, there)
	// What was counted is not forgotten when it goes.
	w.pid, w.rows = 8, map[kind]string{frontend: public}
	expect(t, c, there)
}

// TestCountersGoOn has a route's counters from HAProxy, what happens between,
// and the totals that are shown.
func TestCountersGoOn(t *testing.T) {
	const proxy, total = "be_http:ns:r", "haproxy_backend_bytes_in_total{backend=http,namespace=ns,route=r}"
	type step struct {
		reads int
		// saved is whether counters are read before what happens next.
		saved bool
		pid   int
		want  float64
	}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"while one worker runs", []step{{10, false, 1, 10}, {12, false, 1, 12}, {12, false, 1, 12}}},
		{"over two reloads", []step{{236, true, 1, 236}, {5, true, 2, 241}, {3, false, 3, 244}, {4, false, 3, 245}}},
		{"over a reload after which there is more than before", []step{{10, true, 1, 10}, {25, false, 2, 35}}},
		{"over a reload that failed", []step{{10, true, 1, 10}, {11, false, 1, 11}}},
		{"over the death of a worker", []step{{10, false, 1, 10}, {4, false, 2, 14}}},
		{"when they are cleared", []step{{10, false, 1, 10}, {4, false, 1, 14}, {5, false, 1, 15}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, now := &worker{}, &clock{time.Unix(1000, 0)}
			c := New(Options{Runtime: w.run, Now: now.Now})
			for i, s := range test.steps {
				now.now = now.now.Add(time.Minute)
				w.pid, w.rows = s.pid, map[kind]string{backend: line(proxy, "BACKEND", "1", counter(s.reads))}
				if s.saved {
					c.BeforeReload(t.Context())
				}
				if got := values(t, c)[total]; got != s.want {
					t.Errorf("step %d: got %v, want %v", i, got, s.want)
				}
			}
		})
	}
}

func TestWhatWasCountedSinceTheLastScrapeIsKeptBeforeAReload(t *testing.T) {
	w, now := &worker{pid: 1}, &clock{time.Unix(1000, 0)}
	c := New(Options{Runtime: w.run, Now: now.Now})
	set := func(pid, n int) {
		w.pid, w.rows = pid, map[kind]string{frontend: line("public", "FRONTEND", "0", counter(n))}
	}
	const total = "haproxy_frontend_bytes_in_total{frontend=public}"
	set(1, 10)
	expect(t, c, map[string]float64{total: 10})
	set(1, 17) // within the interval
	c.BeforeReload(t.Context())
	set(2, 1)
	expect(t, c, map[string]float64{total: 18})
}

func TestARouteThatIsGoneIsForgotten(t *testing.T) {
	w, now := &worker{pid: 1}, &clock{time.Unix(1000, 0)}
	c := New(Options{Runtime: w.run, Now: now.Now})
	for _, step := range []struct {
		rows string
		want float64
	}{{line("be_http:ns:r", "BACKEND", "1", counter(10)), 10}, {"", 0}, {line("be_http:ns:r", "BACKEND", "1", counter(3)), 3}} {
		w.rows = map[kind]string{backend: step.rows}
		w.pid++
		now.now = now.now.Add(time.Minute)
		if got := values(t, c)["haproxy_backend_bytes_in_total{backend=http,namespace=ns,route=r}"]; got != step.want {
			t.Errorf("got %v, want %v", got, step.want)
		}
	}
}

func TestSlotsCountForTheEndpointTheyStandFor(t *testing.T) {
	slots := map[string]string{"s1": "pod:a:svc:http:10.0.0.1:80"}
	w, now := &worker{pid: 1}, &clock{time.Unix(1000, 0)}
	c := New(Options{Runtime: w.run, Now: now.Now, ServerNames: func(backend, server string) (string, bool) {
		if backend != "be_http:ns:r" {
			t.Errorf("asked for a server of %s", backend)
		}
		id, ok := slots[server]
		return id, ok
	}})
	set := func(s1, s2 int) {
		now.now = now.now.Add(time.Minute)
		w.rows = map[kind]string{server: line("be_http:ns:r", "s1", "2", counter(s1)) + line("be_http:ns:r", "s2", "2", counter(s2)) +
			line("be_sni", "fe_sni", "2", counter(1))}
	}
	const a = "haproxy_server_bytes_in_total{namespace=ns,pod=a,route=r,server=10.0.0.1:80,service=svc}"
	const b = "haproxy_server_bytes_in_total{namespace=ns,pod=b,route=r,server=10.0.0.2:80,service=svc}"
	set(10, 0)
	expect(t, c, map[string]float64{a: 10, "haproxy_server_bytes_in_total{server=fe_sni}": 1, "haproxy_exporter_server_threshold{type=current}": 2})
	absent(t, c, "server=s2")

	delete(slots, "s1")
	set(11, 0)
	absent(t, c, "pod=a")
	slots["s1"] = "pod:b:svc:http:10.0.0.2:80"
	set(14, 0)
	expect(t, c, map[string]float64{b: 3})
	// After a reload the endpoint may have another slot.
	c.BeforeReload(t.Context())
	w.pid, slots = 2, map[string]string{"s2": slots["s1"]}
	set(0, 5)
	expect(t, c, map[string]float64{b: 8})
}

func TestServersWithTheSameLabelsAreOne(t *testing.T) {
	w := &worker{pid: 1, rows: map[kind]string{
		server: line("be_http:ns:r", "pod:p:svc:http:10.0.0.1:80", "2", map[int]string{4: "1", 8: "10", columnStatus: "DOWN"}) +
			line("be_http:ns:r", "pod:p:svc:admin:10.0.0.1:80", "2", map[int]string{4: "3", 8: "5", columnStatus: "UP"}),
	}}
	const labels = "{namespace=ns,pod=p,route=r,server=10.0.0.1:80,service=svc}"
	expect(t, New(Options{Runtime: w.run}), map[string]float64{
		"haproxy_server_bytes_in_total" + labels: 15, "haproxy_server_current_sessions" + labels: 3, "haproxy_server_up" + labels: 1,
	})
}

func TestManyServersHaveNoMetricsOfTheirOwn(t *testing.T) {
	var servers strings.Builder
	for i := range 4 {
		servers.WriteString(line("be_http:ns:r", fmt.Sprintf("pod:p%d:svc::10.0.0.%d:80", i, i), "2", counter(1)))
	}
	for _, test := range []struct {
		name string
		// usable is what the backend's row says.
		usable  string
		current float64
		asked   int
	}{
		{"those that are usable tell, and they are not even asked for", "4", 4, 3},
		{"some are down, and all rows tell", "1", 4, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &worker{pid: 1, rows: map[kind]string{
				backend: line("be_http:ns:r", "BACKEND", "1", map[int]string{8: "7", columnActive: test.usable, columnBackup: "0"}),
				server:  servers.String(),
			}}
			c := New(Options{Runtime: w.run, ServerThreshold: 3})
			expect(t, c, map[string]float64{
				"haproxy_backend_bytes_in_total{backend=http,namespace=ns,route=r}": 7,
				"haproxy_exporter_server_threshold{type=current}":                   test.current,
				"haproxy_exporter_server_threshold{type=limit}":                     3,
			})
			absent(t, c, "haproxy_server_")
			if len(w.queries) != test.asked {
				t.Errorf("asked %q", w.queries)
			}
		})
	}
}

func TestHAProxyIsNotAskedTooOften(t *testing.T) {
	w, now := &worker{pid: 1}, &clock{time.Unix(1000, 0)}
	var rows strings.Builder
	for i := range 2500 {
		rows.WriteString(line(fmt.Sprintf("be_http:ns:r%d", i), "BACKEND", "1", counter(1)))
	}
	w.rows = map[kind]string{backend: rows.String()}
	c := New(Options{Runtime: w.run, Now: now.Now})
	for _, step := range []struct {
		after    time.Duration
		interval float64
		scrapes  float64
	}{{0, 15, 1}, {14 * time.Second, 1, 1}, {time.Second, 15, 2}} {
		now.now = now.now.Add(step.after)
		expect(t, c, map[string]float64{"haproxy_exporter_total_scrapes{}": step.scrapes, "haproxy_exporter_scrape_interval{}": step.interval})
	}
}

func TestAFailedScrapeIsToldAndTriedAgain(t *testing.T) {
	good := line("be_http:ns:r", "BACKEND", "1", counter(10))
	const total = "haproxy_backend_bytes_in_total{backend=http,namespace=ns,route=r}"
	for _, test := range []struct {
		name     string
		breaks   func(*worker)
		failures float64
	}{
		{"HAProxy does not run", func(w *worker) { w.fails = errors.New("no such file") }, 0},
		{"a line is cut short after a good one", func(w *worker) { w.rows[backend] += "be,BACKEND,1\n" }, 1},
		{"the process changes each time it is asked", func(w *worker) { w.during = func() { w.pid++ } }, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, now := &worker{pid: 1, rows: map[kind]string{backend: good}}, &clock{time.Unix(1000, 0)}
			c := New(Options{Runtime: w.run, Now: now.Now})
			expect(t, c, map[string]float64{"haproxy_up{}": 1, total: 10})
			now.now = now.now.Add(time.Minute)
			w.rows = map[kind]string{backend: line("be_http:ns:r", "BACKEND", "1", counter(12))}
			test.breaks(w)
			expect(t, c, map[string]float64{"haproxy_up{}": 0, "haproxy_exporter_csv_parse_failures{}": test.failures})
			*w = worker{pid: 1, rows: map[kind]string{backend: line("be_http:ns:r", "BACKEND", "1", counter(13))}}
			expect(t, c, map[string]float64{"haproxy_up{}": 1, total: 13})
		})
	}
}

func TestAReloadBetweenTheAnswersIsNoticed(t *testing.T) {
	w := &worker{pid: 1}
	w.rows = map[kind]string{backend: line("be_http:ns:r", "BACKEND", "1", counter(10))}
	w.during = func() { w.pid, w.during = 2, nil }
	c := New(Options{Runtime: w.run})
	expect(t, c, map[string]float64{"haproxy_backend_bytes_in_total{backend=http,namespace=ns,route=r}": 10})
	if n := len(slices.DeleteFunc(w.queries, func(q string) bool { return q != "show info" })); n != 4 {
		t.Errorf("asked for the process %d times", n)
	}
}

func TestAValueThatIsNoNumberIsCounted(t *testing.T) {
	w := &worker{pid: 1, rows: map[kind]string{backend: line("be_http:ns:r", "BACKEND", "1", map[int]string{4: "x", 8: "10"})}}
	c := New(Options{Runtime: w.run})
	expect(t, c, map[string]float64{
		"haproxy_up{}": 1, "haproxy_exporter_csv_parse_failures{}": 1,
		"haproxy_backend_bytes_in_total{backend=http,namespace=ns,route=r}": 10,
	})
	absent(t, c, "haproxy_backend_current_sessions{backend=http")
}

func BenchmarkScrape(b *testing.B) {
	var rows strings.Builder
	for i := range 10_000 {
		columnValues := map[int]string{columnStatus: "UP"}
		for _, c := range columns() {
			if c.of&backend != 0 && c.index != columnStatus {
				columnValues[c.index] = "123456"
			}
		}
		columnValues[columnActive] = "2"
		rows.WriteString(line(fmt.Sprintf("be_http:namespace-%d:route", i), "BACKEND", "1", columnValues))
	}
	w := &worker{pid: 1, rows: map[kind]string{backend: rows.String()}}
	now := &clock{time.Unix(1000, 0)}
	registry := prometheus.NewRegistry()
	registry.MustRegister(New(Options{Runtime: w.run, Now: now.Now}))
	for b.Loop() {
		now.now = now.now.Add(time.Hour)
		if _, err := registry.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}
