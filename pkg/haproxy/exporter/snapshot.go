package exporter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"router/pkg/haproxy/runtime"
	"router/pkg/model"
)

// seriesKey is what tells one series from another: the kind of its rows and
// the values of its labels, in the order of labelNames.
type seriesKey struct {
	kind   kind
	labels [5]string
}

// labelNames are the labels of a kind.
func labelNames(k kind) []string {
	switch k {
	case frontend:
		return []string{"frontend"}
	case backend:
		return []string{"backend", "namespace", "route"}
	}
	return []string{"server", "namespace", "route", "pod", "service"}
}

// series are the values under one key; has says which of them there are.
type series struct {
	values []float64
	has    []bool
}

// counterKey names what HAProxy counts for: a row, whatever its meaning. A
// slot goes on counting when it is given to another endpoint.
type counterKey struct {
	kind          kind
	proxy, server string
}

// snapshot is what HAProxy said at one time, and the totals that follow from
// it and from the snapshots before.
type snapshot struct {
	// pid is the worker that answered, 0 before the first one.
	pid int
	// read are the counters as the worker has them.
	read   map[counterKey][]float64
	series map[seriesKey]*series
	// rows were read; servers are those that stand for an endpoint, or at
	// least so many where they were not read.
	rows, servers int
	// maxConnections is the limit of the frontend public, -1 if unknown.
	maxConnections float64
}

// publicFrontend is the frontend whose limit of connections is exported.
const publicFrontend = "public"

// take asks HAProxy for a snapshot. The process is asked for before and after
// the values: totals would go wrong if a reload came between unnoticed.
func (c *Collector) take(ctx context.Context) (*snapshot, error) {
	const attempts = 3
	for range attempts {
		before, err := c.workerPID(ctx)
		if err != nil {
			return nil, err
		}
		s, err := c.read(ctx, before)
		if err != nil {
			return nil, err
		}
		after, err := c.workerPID(ctx)
		if err != nil {
			return nil, err
		}
		if after == before {
			return s, nil
		}
	}
	return nil, errors.New("haproxy was reloaded again and again while it was asked")
}

func (c *Collector) workerPID(ctx context.Context) (int, error) {
	answer, err := c.opts.Runtime(ctx, "show info")
	if err != nil {
		return 0, err
	}
	info, err := runtime.ParseInfo(answer)
	return info.PID, err
}

// read reads the rows of all frontends and backends, and those of servers
// unless it is clear without them that there are too many.
func (c *Collector) read(ctx context.Context, pid int) (*snapshot, error) {
	s := &snapshot{pid: pid, read: map[counterKey][]float64{}, series: map[seriesKey]*series{}, maxConnections: -1}
	usable := 0
	err := c.readRows(ctx, s, frontend|backend, func(r row) {
		if r.kind == backend {
			for _, column := range []int{columnActive, columnBackup} {
				n, _, _ := r.value(column)
				usable += int(n)
			}
		} else if r.proxy == publicFrontend {
			if limit, ok, err := r.value(columnLimit); ok && err == nil {
				s.maxConnections = limit
			}
		}
	})
	if err != nil {
		return nil, err
	}
	c.addPlaceholders(s, frontend|backend)
	if usable > c.opts.ServerThreshold {
		s.servers = usable
		return s, nil
	}
	if err := c.readRows(ctx, s, server, func(row) {}); err != nil {
		return nil, err
	}
	if s.servers > c.opts.ServerThreshold {
		for key := range s.series {
			if key.kind == server {
				delete(s.series, key)
			}
		}
		return s, nil
	}
	c.addPlaceholders(s, server)
	return s, nil
}

func (c *Collector) readRows(ctx context.Context, s *snapshot, of kind, visit func(row)) error {
	answer, err := c.opts.Runtime(ctx, fmt.Sprintf("show stat -1 %d -1", of))
	if err != nil {
		return fmt.Errorf("asking haproxy for its statistics: %w", err)
	}
	err = eachRow(answer, func(r row) {
		s.rows++
		c.add(s, r)
		visit(r)
	})
	if err != nil {
		c.parseFailures++
	}
	return err
}

// key says which series a row belongs to; ok is false for a server that stands
// for nothing, such as a free slot, and for a backend that nobody has taken.
func (c *Collector) key(r row) (key seriesKey, ok bool) {
	proxy := strings.ToValidUTF8(r.proxy, "\uFFFD")
	if r.kind != frontend && c.opts.BackendNames != nil {
		if proxy, ok = c.opts.BackendNames(proxy); !ok {
			return seriesKey{}, false
		}
	}
	from := originOf(proxy)
	switch r.kind {
	case frontend:
		return seriesKey{frontend, [5]string{proxy}}, true
	case backend:
		return seriesKey{backend, [5]string{from.backend, from.namespace, from.route}}, true
	}
	id, ok := c.endpointID(proxy, strings.ToValidUTF8(r.server, "\uFFFD"))
	if !ok {
		return seriesKey{}, false
	}
	e, ok := model.ParseEndpointID(id)
	if !ok {
		e.Address = id // It is no endpoint of a route.
	}
	return seriesKey{server, [5]string{e.Address, from.namespace, from.route, e.Pod, e.Service}}, true
}

// endpointID is the identity of the endpoint that a server of a backend stands
// for, or its own name if it is none of a route's; ok is false for a free slot.
func (c *Collector) endpointID(backend, server string) (id string, ok bool) {
	if _, known := model.ParseEndpointID(server); known || originOf(backend).route == "" || c.opts.ServerNames == nil {
		return server, true
	}
	id, ok = c.opts.ServerNames(backend, server)
	return id, ok && id != ""
}

// checked takes what the router's own checks say of a server over what HAProxy
// says, which does not check it.
func (c *Collector) checked(r row, s *series) {
	if r.kind != server || c.opts.Health == nil {
		return
	}
	proxy := r.proxy
	if c.opts.BackendNames != nil {
		proxy, _ = c.opts.BackendNames(proxy)
	}
	id, _ := c.endpointID(proxy, r.server)
	h, ok := c.opts.Health(proxy, id)
	if !ok {
		return
	}
	for i, column := range c.columns {
		switch column.index {
		case columnStatus:
			if h.Down {
				s.values[i] = 0
			}
		case columnFailed:
			s.values[i], s.has[i] = float64(h.Failures), true
		case columnDown:
			s.values[i], s.has[i] = h.Downtime.Seconds(), true
		case columnCheck:
			s.values[i], s.has[i] = float64(h.Duration.Milliseconds()), true
		}
	}
}

// add takes a row into the snapshot. Rows with the same labels become one
// series, such as two named ports of a service that lead to the same port of a
// pod: their counters are added up, of other values the greater one counts.
func (c *Collector) add(s *snapshot, r row) {
	key, named := c.key(r)
	now := s.series[key]
	if now == nil && named {
		now = c.begin(key)
		s.series[key] = now
		if r.kind == server {
			s.servers++
		}
	}
	counter := counterKey{r.kind, r.proxy, r.server}
	var last []float64
	if s.pid == c.last.pid {
		last = c.last.read[counter]
	}
	read := make([]float64, len(c.columns))
	for i, column := range c.columns {
		if column.of&r.kind == 0 {
			continue
		}
		v, ok, err := r.value(column.index)
		if err != nil {
			c.parseFailures++
		}
		if !ok {
			continue
		}
		read[i] = v
		switch {
		case !named:
		case column.counts:
			now.values[i] += growth(last, i, v)
			now.has[i] = true
		default:
			if !now.has[i] || v > now.values[i] {
				now.values[i] = v
			}
			now.has[i] = true
		}
	}
	s.read[counter] = read
	if named {
		c.checked(r, now)
	}
}

// begin starts a series with the totals that it had before.
func (c *Collector) begin(key seriesKey) *series {
	now := &series{values: make([]float64, len(c.columns)), has: make([]bool, len(c.columns))}
	if before := c.last.series[key]; before != nil {
		for i, column := range c.columns {
			if column.counts && before.has[i] {
				now.values[i], now.has[i] = before.values[i], true
			}
		}
	}
	return now
}

// growth is how much a counter grew since the last time. One that is smaller
// than it was, such as that of a server that was deleted and added again, has
// begun anew.
func growth(last []float64, i int, v float64) float64 {
	if last == nil || v < last[i] {
		return v
	}
	return v - last[i]
}

// exported are the columns that are asked for by their numbers, or those that
// are exported by default.
func exported(numbers []int) []column {
	return slices.DeleteFunc(columns(), func(c column) bool {
		if len(numbers) == 0 {
			return !c.wanted
		}
		return !slices.Contains(numbers, c.index)
	})
}
