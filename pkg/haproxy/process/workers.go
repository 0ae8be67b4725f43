package process

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"router/pkg/haproxy/runtime"
	"router/pkg/model"
)

// SupervisorOptions are what a Supervisor needs.
type SupervisorOptions struct {
	// MasterSocket is where the master answers.
	MasterSocket string
	// MaxAge is how long a worker may live after it was replaced; then its
	// connections are closed, a few at a time. 0 is for ever.
	MaxAge   time.Duration
	Logger   *slog.Logger
	Registry prometheus.Registerer
	// Now tells the time.
	Now func() time.Time
}

// The rhythm of supervision.
const (
	// lookInterval is the time between looks at old workers.
	lookInterval = time.Second
	// closingTime is how long the connections of a worker that is too old are
	// closed for, so that their clients do not all come back at once; a shorter
	// MaxAge shortens it.
	closingTime = 30 * time.Second
)

// Supervisor watches the workers that reloads replaced and that still have
// connections. It touches nothing that the DataPlane relies on, and has a
// goroutine of its own: an old worker may take its time to answer.
type Supervisor struct {
	opts   SupervisorOptions
	closed prometheus.Counter

	// since is when each old worker was first seen to be one, closing when its
	// closing began. They belong to Run.
	since, closing map[int]time.Time

	mu  sync.Mutex
	old []model.WorkerReport
}

// NewSupervisor registers the metrics; Run does the rest.
func NewSupervisor(o SupervisorOptions) *Supervisor {
	s := &Supervisor{opts: o, since: map[int]time.Time{}, closing: map[int]time.Time{}, closed: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "router_old_worker_sessions_closed_total", Help: "Sessions that were closed because their worker was too old."})}
	o.Registry.MustRegister(s.closed, workerCollector{s})
	return s
}

// Run looks at the workers until ctx ends.
func (s *Supervisor) Run(ctx context.Context) {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.look(ctx)
		}
	}
}

// Old are the old workers of the last look, the oldest first.
func (s *Supervisor) Old() []model.WorkerReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.old)
}

// look asks the master and each old worker.
func (s *Supervisor) look(ctx context.Context) {
	p, err := runtime.AskProcesses(ctx, s.opts.MasterSocket)
	if err != nil {
		s.opts.Logger.Debug("haproxy's workers cannot be told; it is starting, ending, or loading a configuration", "error", err)
		return
	}
	now := s.opts.Now()
	since, closing := map[int]time.Time{}, map[int]time.Time{}
	reports := make([]model.WorkerReport, 0, len(p.Old))
	for _, w := range p.Old {
		since[w.PID] = now
		if known, ok := s.since[w.PID]; ok {
			since[w.PID] = known
		}
		report := model.WorkerReport{PID: w.PID, OldSeconds: now.Sub(since[w.PID]).Seconds()}
		if report.Connections, err = s.connections(ctx, w.PID); err != nil {
			report.Connections = -1
		}
		if s.opts.MaxAge > 0 && now.Sub(since[w.PID]) >= s.opts.MaxAge {
			began, ok := s.closing[w.PID]
			if !ok {
				began = now
				s.opts.Logger.Info("an old haproxy worker is too old; its connections are closed", "pid", w.PID, "connections", report.Connections, "over", s.closingTime())
			}
			closing[w.PID], report.Closing = began, true
			s.close(ctx, w.PID, s.closingTime()-now.Sub(began))
		}
		reports = append(reports, report)
	}
	slices.SortFunc(reports, func(a, b model.WorkerReport) int { return since[a.PID].Compare(since[b.PID]) })
	s.since, s.closing = since, closing
	s.mu.Lock()
	defer s.mu.Unlock()
	s.old = reports
}

func (s *Supervisor) closingTime() time.Duration { return min(closingTime, s.opts.MaxAge) }

// ask sends a command to one worker, through the master.
func (s *Supervisor) ask(ctx context.Context, pid int, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookInterval)
	defer cancel()
	return runtime.QueryMaster(ctx, s.opts.MasterSocket, fmt.Sprintf("@!%d %s", pid, command))
}

func (s *Supervisor) connections(ctx context.Context, pid int) (int, error) {
	answer, err := s.ask(ctx, pid, "show info")
	if err != nil {
		return 0, err
	}
	info, err := runtime.ParseInfo(answer)
	return info.Connections, err
}

// close ends the part of a worker's sessions that is due when all are to have
// ended after left; when that is over, the worker itself, with the idle
// connections that have no session.
func (s *Supervisor) close(ctx context.Context, pid int, left time.Duration) {
	if left <= 0 {
		// The master has just named it as its child, so the number is not
		// another process's.
		_ = syscall.Kill(pid, syscall.SIGTERM)
		return
	}
	answer, err := s.ask(ctx, pid, "show sess")
	if err != nil {
		return
	}
	ids := runtime.ParseSessions(answer)
	looks := max(1, int(left/lookInterval))
	for _, id := range ids[:(len(ids)+looks-1)/looks] {
		if _, err := s.ask(ctx, pid, "shutdown session "+id); err != nil {
			return
		}
		s.closed.Inc()
	}
}

// workerCollector shows the last look as metrics.
type workerCollector struct{ *Supervisor }

// The metrics of old workers.
var (
	oldWorkersDesc = prometheus.NewDesc("router_old_workers", "HAProxy workers that were replaced and still have connections.", nil, nil)
	oldAgeDesc     = prometheus.NewDesc("router_old_worker_age_seconds", "Time since the worker was replaced, in seconds.", []string{"pid"}, nil)
	oldConnsDesc   = prometheus.NewDesc("router_old_worker_connections", "Open connections of a worker that was replaced; -1 if it does not answer.", []string{"pid"}, nil)
)

// Describe implements prometheus.Collector.
func (workerCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- oldWorkersDesc
	ch <- oldAgeDesc
	ch <- oldConnsDesc
}

// Collect implements prometheus.Collector.
func (c workerCollector) Collect(ch chan<- prometheus.Metric) {
	old := c.Old()
	ch <- prometheus.MustNewConstMetric(oldWorkersDesc, prometheus.GaugeValue, float64(len(old)))
	for _, w := range old {
		pid := strconv.Itoa(w.PID)
		ch <- prometheus.MustNewConstMetric(oldAgeDesc, prometheus.GaugeValue, w.OldSeconds, pid)
		ch <- prometheus.MustNewConstMetric(oldConnsDesc, prometheus.GaugeValue, float64(w.Connections), pid)
	}
}
