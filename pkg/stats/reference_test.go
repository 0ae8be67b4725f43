package stats_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"router/test/haproxies"
)

// families gathers the metrics of HAProxy as they are served: for each name
// its type and labels, as a line of the reference's list.
func families(t *testing.T, gatherer prometheus.Gatherer) map[string]string {
	t.Helper()
	list, err := gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, family := range list {
		labels := map[string]bool{}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = true
			}
		}
		text := strings.Join(slices.Sorted(maps.Keys(labels)), ",")
		if text == "" {
			text = "-"
		}
		found[family.GetName()] = strings.ToLower(family.GetType().String()) + " " + text
	}
	return found
}

// reference reads the list of what the reference router exports by default:
// name, type and labels, "-" for none.
func reference(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/reference-metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		list[name] = rest
	}
	return list
}

// TestTheMetricsAreTheReferences compares what a real HAProxy's metrics are
// with what the reference router exports.
func TestTheMetricsAreTheReferences(t *testing.T) {
	want := reference(t)
	haproxies.Each(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		// Servers are checked where there is more than one.
		p.servePods(t, "checked", 2)
		p.get(t, "checked", 1)
		registry := prometheus.NewRegistry()
		registry.MustRegister(p.exporter)
		got := families(t, prometheus.Gatherers{registry, p.registry})
		for name, line := range want {
			if got[name] != line {
				t.Errorf("%s is %q, want %q", name, got[name], line)
			}
		}
		for name := range got {
			if strings.HasPrefix(name, "router_") {
				continue // The router's own, which the reference has not.
			}
			if _, ok := want[name]; !ok {
				t.Errorf("%s is not the reference's", name)
			}
		}
	})
}
