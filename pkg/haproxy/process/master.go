package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"router/pkg/haproxy/runtime"
)

// Options are what a Master needs.
type Options struct {
	// Binary is the HAProxy to run, Config its file.
	Binary, Config string
	// MasterSocket is where the master answers, RuntimeSocket where the running
	// worker does, PeersSocket where a worker hands its counters over, as
	// LocalPeer.
	MasterSocket, RuntimeSocket, PeersSocket, LocalPeer string
	// Timeout bounds a start or reload; 0 means 2 min.
	Timeout time.Duration
	// Output takes HAProxy's standard output.
	Output io.Writer
	Logger *slog.Logger
}

// Master is a HAProxy that is started, reloaded and stopped. Its methods are
// for one goroutine, but for Kill.
type Master struct {
	o Options
	// worker is the running worker's process id.
	worker int
	// process is nil before the first start.
	process atomic.Pointer[process]
	killed  atomic.Bool
}

// New returns one that is not started.
func New(o Options) *Master {
	if o.Timeout == 0 {
		o.Timeout = reloadTimeout
	}
	return &Master{o: o}
}

// Running reports whether it was started and has not ended.
func (m *Master) Running() bool { return m.process.Load().running() }

// Worker is the process id of the running worker.
func (m *Master) Worker() int { return m.worker }

// Exited is closed when the process that was started last has ended. It is nil
// while none was started.
func (m *Master) Exited() <-chan struct{} { return m.process.Load().exited() }

// Err says how a process ended that was started; nil if none was.
func (m *Master) Err() error {
	if p := m.process.Load(); p != nil && !p.running() {
		return p.err()
	}
	return nil
}

// errKilled is the error of a start after Kill.
var errKilled = errors.New("haproxy was ended for good")

// Kill ends HAProxy at once, with the connections it has, and keeps it from
// being started again. It may be called from any goroutine.
func (m *Master) Kill() {
	m.killed.Store(true)
	if p := m.process.Load(); p.running() {
		_ = p.kill() // It is gone.
	}
}

// Prepare ends what an earlier router has left running.
func (m *Master) Prepare(ctx context.Context) error {
	return endLeftover(ctx, m.o.MasterSocket, m.o.Logger)
}

// Start starts HAProxy and waits until it serves. What does not serve in time is
// ended.
func (m *Master) Start(ctx context.Context) error {
	if m.killed.Load() {
		return errKilled
	}
	p, err := startProcess(m.o.Binary, m.o.Config, m.o.MasterSocket, m.o.Output, m.o.Logger)
	if err != nil {
		return err
	}
	m.process.Store(p)
	if m.killed.Load() { // Kill may have come before there was a process to end.
		return errors.Join(errKilled, p.kill())
	}
	within, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	if err := m.awaitWorker(within, 0, 0); err != nil {
		_ = p.stop(ctx, 0) // It does not serve.
		return err
	}
	return nil
}

// Check lets HAProxy read the configuration without running it. A refused
// file is a *Refusal.
func (m *Master) Check(ctx context.Context) error { return checkConfig(ctx, m.o.Binary, m.o.Config) }

// Stop ends HAProxy after its connections, at the latest after grace.
func (m *Master) Stop(ctx context.Context, grace time.Duration) error {
	p := m.process.Load()
	if p == nil {
		return nil
	}
	if end, err := refuseCounters(m.o.PeersSocket); err == nil {
		defer end()
	} else {
		m.o.Logger.Warn("haproxy may end some seconds late", "error", err)
	}
	return p.stop(ctx, grace)
}

// ErrRefused is wrapped by the error of a configuration that HAProxy did not
// load; the process before keeps serving.
var ErrRefused = errors.New("haproxy refused the configuration")

// ErrEnded is wrapped by the error of a process that did not live to serve,
// most likely because it does not take the configuration.
var ErrEnded = errors.New("haproxy ended while it was starting")

// Refusal is a refused configuration with HAProxy's own words.
type Refusal struct{ Log string }

// Error implements error.
func (r *Refusal) Error() string { return ErrRefused.Error() + ": " + alerts(r.Log) }

// Unwrap implements error.
func (r *Refusal) Unwrap() error { return ErrRefused }

// alerts keeps the lines of a log that say what is wrong.
func alerts(log string) string {
	var kept []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, "[ALERT]") {
			_, text, found := strings.Cut(line, " : ")
			if !found {
				text = line
			}
			kept = append(kept, strings.TrimSpace(text))
		}
	}
	if len(kept) == 0 {
		return strings.TrimSpace(log)
	}
	return strings.Join(kept, "; ")
}

// reloadTimeout bounds a reload unless told otherwise; loading 10,000
// certificates takes 8 s.
const reloadTimeout = 2 * time.Minute

// Reload asks the master to load the files and waits until the new worker
// serves. A refused configuration is a *Refusal.
func (m *Master) Reload(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	before, err := runtime.AskProcesses(ctx, m.o.MasterSocket)
	if err != nil {
		return err
	}
	answer, err := runtime.QueryMaster(ctx, m.o.MasterSocket, "reload")
	if err != nil {
		return err
	}
	if head, log, found := strings.Cut(answer, "\n--\n"); found && strings.HasPrefix(head, "Success=0") {
		return &Refusal{Log: log}
	}
	return m.awaitWorker(ctx, before.Current.PID, before.Reloads)
}

// pollInterval is the time between looks at a process that is starting.
const pollInterval = 10 * time.Millisecond

// awaitWorker waits for a current worker other than the former one that
// answers on the runtime socket.
func (m *Master) awaitWorker(ctx context.Context, former, reloads int) error {
	p := m.process.Load()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		now, err := runtime.AskProcesses(ctx, m.o.MasterSocket)
		switch {
		case err != nil: // The master listens again in a moment.
		case now.Reloads > reloads && now.Failed > 0:
			return &Refusal{Log: "reload failed"}
		case now.Current.PID != 0 && now.Current.PID != former:
			if pid, err := m.servingPID(ctx); err == nil && pid == now.Current.PID {
				m.worker = pid
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the new haproxy worker: %w", ctx.Err())
		case <-p.exited():
			return fmt.Errorf("%w: %w", ErrEnded, p.err())
		case <-ticker.C:
		}
	}
}

// IsReplaced reports whether another worker serves than the one that was started
// or reloaded last: somebody else has had HAProxy load its files.
func (m *Master) IsReplaced(ctx context.Context) (bool, error) {
	pid, err := m.servingPID(ctx)
	return err == nil && pid != m.worker, err
}

// servingPID is the process id of the worker behind the runtime socket.
func (m *Master) servingPID(ctx context.Context) (int, error) {
	answer, err := runtime.Query(ctx, m.o.RuntimeSocket, "show info")
	if err != nil {
		return 0, err
	}
	info, err := runtime.ParseInfo(answer)
	return info.PID, err
}
