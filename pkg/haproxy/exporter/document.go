package exporter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Document is the part of docs/metrics.md about the rows of HAProxy's
// statistics. The names, columns and labels are those of the reference router.
func Document() string {
	var b strings.Builder
	b.WriteString("| metric | labels | column | exported | meaning |\n|---|---|---|---|---|\n")
	for _, k := range kinds() {
		var done []string
		for _, c := range columns() {
			if c.of&k == 0 || slices.Contains(done, c.suffix) {
				continue
			}
			done = append(done, c.suffix)
			labels, numbers := labelNames(k), fmt.Sprint(c.index)
			if c.code != "" {
				labels = append([]string{"code"}, labels...)
				numbers = codeColumns()
			}
			exported := "on demand"
			if c.wanted {
				exported = "yes"
			}
			fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s |\n",
				prometheus.BuildFQName(namespace, k.String(), c.suffix), strings.Join(labels, "`, `"), numbers, exported, c.help)
		}
	}
	return b.String()
}

// codeColumns are the columns of the one metric that has several.
func codeColumns() string {
	var numbers []string
	for _, c := range columns() {
		if c.code != "" {
			numbers = append(numbers, fmt.Sprintf("%d (%s)", c.index, c.code))
		}
	}
	return strings.Join(numbers, ", ")
}
