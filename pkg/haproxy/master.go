package haproxy

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Worker is a worker process of the master.
type Worker struct {
	PID int
	// Reloads is how many reloads ago it was started.
	Reloads int
	Uptime  time.Duration
}

// processes is what the master says of itself and its workers.
type processes struct {
	// reloads counts the master's reloads, failed those in a row that failed.
	reloads, failed int
	// current is the worker that accepts connections; zero if there is none.
	current Worker
	// old are former workers that finish their connections.
	old []Worker
}

// parseProcesses reads the answer to "show proc". The current worker is the
// youngest one, in whichever list: since 3.1 a failed reload moves the serving
// worker to the list of old ones.
func parseProcesses(answer string) (processes, error) {
	var p processes
	var workers []Worker
	for line := range strings.Lines(answer) {
		fields := strings.Fields(line)
		if len(fields) < 4 || strings.HasPrefix(line, "#") {
			continue
		}
		pid, err := strconv.Atoi(fields[0])
		if err != nil {
			continue
		}
		reloads, err := strconv.Atoi(fields[2])
		if err != nil {
			return p, fmt.Errorf("show proc: unexpected line %q", strings.TrimSpace(line))
		}
		switch fields[1] {
		case "master":
			p.reloads = reloads
			if len(fields) > 4 && fields[3] == "[failed:" {
				p.failed, _ = strconv.Atoi(strings.TrimSuffix(fields[4], "]"))
			}
		case "worker":
			workers = append(workers, Worker{PID: pid, Reloads: reloads, Uptime: parseUptime(fields[3])})
		}
	}
	for _, w := range workers {
		switch {
		case p.current.PID == 0:
			p.current = w
		case w.Reloads < p.current.Reloads:
			p.old = append(p.old, p.current)
			p.current = w
		default:
			p.old = append(p.old, w)
		}
	}
	return p, nil
}

// parseUptime reads "0d00h01m02s".
func parseUptime(s string) time.Duration {
	days, rest, ok := strings.Cut(s, "d")
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(days)
	if err != nil {
		return 0
	}
	d, err := time.ParseDuration(rest)
	if err != nil {
		return 0
	}
	return time.Duration(n)*24*time.Hour + d
}

func (d *DataPlane) processes(ctx context.Context) (processes, error) {
	answer, err := queryMaster(ctx, d.files.MasterSocket.String(), "show proc")
	if err != nil {
		return processes{}, err
	}
	return parseProcesses(answer)
}

// ErrRefused is wrapped by the error of a configuration that HAProxy did not
// load; the process before keeps serving.
var ErrRefused = errors.New("haproxy refused the configuration")

// errEnded is wrapped by the error of a process that did not live to serve,
// most likely because it does not take the configuration.
var errEnded = errors.New("haproxy ended while it was starting")

// refusal is a refused configuration with HAProxy's own words.
type refusal struct{ log string }

func (r *refusal) Error() string { return ErrRefused.Error() + ": " + alerts(r.log) }
func (r *refusal) Unwrap() error { return ErrRefused }

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

// masterReload asks the master to load the files and waits until the new
// worker serves. A refused configuration is a *refusal.
func (d *DataPlane) masterReload(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.opts.ReloadTimeout)
	defer cancel()
	before, err := d.processes(ctx)
	if err != nil {
		return err
	}
	answer, err := queryMaster(ctx, d.files.MasterSocket.String(), "reload")
	if err != nil {
		return err
	}
	if head, log, found := strings.Cut(answer, "\n--\n"); found && strings.HasPrefix(head, "Success=0") {
		return &refusal{log: log}
	}
	return d.awaitWorker(ctx, before.current.PID, before.reloads)
}

// pollInterval is the time between looks at a process that is starting.
const pollInterval = 10 * time.Millisecond

// awaitWorker waits for a current worker other than the former one that
// answers on the runtime socket.
func (d *DataPlane) awaitWorker(ctx context.Context, former, reloads int) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		now, err := d.processes(ctx)
		switch {
		case err != nil: // The master listens again in a moment.
		case now.reloads > reloads && now.failed > 0:
			return &refusal{log: "reload failed"}
		case now.current.PID != 0 && now.current.PID != former:
			if pid, err := d.servingPID(ctx); err == nil && pid == now.current.PID {
				d.worker = pid
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the new haproxy worker: %w", ctx.Err())
		case <-d.process.exited():
			return fmt.Errorf("%w: %w", errEnded, d.process.err())
		case <-ticker.C:
		}
	}
}

// servingPID is the process id of the worker behind the runtime socket.
func (d *DataPlane) servingPID(ctx context.Context) (int, error) {
	info, err := query(ctx, d.files.RuntimeSocket.String(), "show info")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(info) {
		if value, found := strings.CutPrefix(line, "Pid: "); found {
			return strconv.Atoi(strings.TrimSpace(value))
		}
	}
	return 0, errors.New("show info: no Pid")
}
