package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"router/test/haproxies"
)

// documented is a line of docs/metrics.md: the name, and the other cells.
var documented = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|(.*)\\|$")

// served is a line of what /metrics answers, and labelPair a label in it.
var (
	served    = regexp.MustCompile(`(?m)^([a-z_]+?)(?:_sum|_count)?(?:\{(.*)\})? \S+$`)
	labelPair = regexp.MustCompile(`([a-z_]+)="(?:[^"\\]|\\.)*"`)
)

// TestEveryMetricIsDocumented compares docs/metrics.md with a running router.
func TestEveryMetricIsDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(haproxies.Root(t), "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := map[string]string{}
	for _, m := range documented.FindAllStringSubmatch(string(text), -1) {
		page[m[1]] = m[2]
	}
	d := newDirectory(t)
	a := runApp(t, "app", 2, nil)
	d.write("app.yaml", a.manifest(""), route("app", "app.test", "app", ""))
	r := start(t, haproxies.All(t)[0].Path, "--manifests", d.dir)
	if err := r.status("http://app.test/", 200); err != nil {
		t.Fatal(err)
	}
	scrape, err := r.statistics("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	types, labels := exposition(scrape.body)
	own := 0
	for name, kind := range types {
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		cells, ok := page[name]
		if !ok {
			t.Errorf("%s is not in docs/metrics.md", name)
			continue
		}
		if strings.HasPrefix(name, "router_") {
			own++
		}
		switch {
		case strings.HasPrefix(name, "haproxy_frontend_"), strings.HasPrefix(name, "haproxy_backend_"), strings.HasPrefix(name, "haproxy_server_"):
			// The page says once that they are all gauges.
			if kind != "gauge" {
				t.Errorf("%s is a %s", name, kind)
			}
		case !strings.HasPrefix(cells, " "+kind+" |"):
			t.Errorf("%s is a %s, in docs/metrics.md %q", name, kind, cells)
		}
		for _, l := range slices.Sorted(maps.Keys(labels[name])) {
			if !strings.Contains(cells, "`"+l+"`") {
				t.Errorf("%s has the label %s, in docs/metrics.md %q", name, l, cells)
			}
		}
	}
	// The names that are the reference router's are what they are.
	problems, err := promlint.New(strings.NewReader(scrape.body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "router_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	if own == 0 || len(labels["haproxy_server_up"]) != 5 {
		t.Errorf("what was served was not read: %v", labels)
	}
}

// exposition reads the types and the labels of metrics.
func exposition(text string) (types map[string]string, labels map[string]map[string]bool) {
	types, labels = map[string]string{}, map[string]map[string]bool{}
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == 4 && fields[1] == "TYPE" {
			types[fields[2]] = fields[3]
		}
	}
	for _, m := range served.FindAllStringSubmatch(text, -1) {
		if labels[m[1]] == nil {
			labels[m[1]] = map[string]bool{}
		}
		for _, l := range labelPair.FindAllStringSubmatch(m[2], -1) {
			labels[m[1]][l[1]] = true
		}
	}
	return types, labels
}
