package bench

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"router/pkg/haproxy"
	"router/pkg/model"
	"router/test/haproxies"
)

// What one endpoint change costs beside many routes may be at most so much of
// what it costs beside few.
const (
	fewRoutes, manyRoutes = 100, 10_000
	mostGrowth            = 1.3
	// batches of so many changes are measured, and the median counts.
	changeBatches, changesPerBatch = 9, 100
)

// applied tells of each change that HAProxy has been given.
type applied struct {
	*haproxy.DataPlane
	done chan struct{}
}

// Apply implements controller.DataPlane.
func (a *applied) Apply(ctx context.Context, change model.Change) (model.Outcome, error) {
	o, err := a.DataPlane.Apply(ctx, change)
	if !change.IsEmpty() {
		select {
		case a.done <- struct{}{}:
		default: // Nobody waits, as at the start.
		}
	}
	return o, err
}

// cost is what changes have cost this process.
type cost struct{ cpu, allocations, bytes, written float64 }

func spentOnChanges(b *testing.B) cost {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		b.Fatal(err)
	}
	var written float64
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "wchar: %f", &written); err == nil {
			break
		}
	}
	cpu := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	return cost{float64(cpu.Microseconds()), float64(memory.Mallocs), float64(memory.TotalAlloc), written}
}

// each is the cost of one of so many changes.
func (c cost) each(before cost, changes int) cost {
	n := float64(changes)
	return cost{(c.cpu - before.cpu) / n, (c.allocations - before.allocations) / n, (c.bytes - before.bytes) / n, (c.written - before.written) / n}
}

func median(costs []cost, of func(cost) float64) float64 {
	values := make([]float64, 0, len(costs))
	for _, c := range costs {
		values = append(values, of(c))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// BenchmarkOneEndpointChange measures what a change of one route's endpoints
// costs the router, from the event to the last command for HAProxy and its
// answer, and that it does not grow with the number of routes.
func BenchmarkOneEndpointChange(b *testing.B) {
	kinds := []struct {
		unit string
		of   func(cost) float64
	}{
		{"cpu-µs/change", func(c cost) float64 { return c.cpu }},
		{"allocs/change", func(c cost) float64 { return c.allocations }},
		{"alloc-B/change", func(c cost) float64 { return c.bytes }},
		{"written-B/change", func(c cost) float64 { return c.written }},
	}
	for _, binary := range haproxies.All(b) {
		b.Run(binary.Name, func(b *testing.B) {
			few := measureChanges(b, binary.Path, fewRoutes)
			many := measureChanges(b, binary.Path, manyRoutes)
			for _, k := range kinds {
				f, m := median(few, k.of), median(many, k.of)
				b.ReportMetric(m, k.unit)
				b.Logf("%s: %.0f beside %d routes, %.0f beside %d: %.2f times as much", k.unit, f, fewRoutes, m, manyRoutes, m/f)
				if m > mostGrowth*f {
					b.Errorf("%s grows with the number of routes: %.2f times as much", k.unit, m/f)
				}
			}
		})
	}
}

func measureChanges(b *testing.B, binary string, routes int) []cost {
	b.Helper()
	// Health checks go on whatever changes, and are as many as there are endpoints.
	r := newRigWithChecks(b, binary, 0, func(r *rig) {
		for i := range routes {
			r.route(i)
			r.endpoints(i, 0)
		}
	})
	defer r.end()
	generation := make([]int, routes)
	change := func(i int) {
		generation[i]++
		r.endpoints(i, generation[i])
		select {
		case <-r.applied.done:
		case <-time.After(time.Minute):
			b.Fatal("the change does not come")
		}
	}
	var costs []cost
	for batch := range changeBatches {
		// The files follow the changes; what they cost is not what a change costs.
		for began, writes := time.Now(), r.counter("template_router_write_config_seconds"); batch > 0; time.Sleep(100 * time.Millisecond) {
			if r.counter("template_router_write_config_seconds") > writes {
				break
			}
			if time.Since(began) > time.Minute {
				b.Fatal("the files are not written")
			}
		}
		before := spentOnChanges(b)
		for i := range changesPerBatch {
			change((batch*changesPerBatch + i) * 7 % routes)
		}
		costs = append(costs, spentOnChanges(b).each(before, changesPerBatch))
	}
	return costs
}
