package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"router/pkg/haproxy/runtime"
)

// process is a running HAProxy master.
type process struct {
	cmd     *exec.Cmd
	done    chan struct{}
	waitErr error
	output  *logWriter
}

// startProcess starts HAProxy in master-worker mode. It does not wait for it
// to serve.
func startProcess(binary, config, masterSocket string, stdout io.Writer, logger *slog.Logger) (*process, error) {
	cmd := exec.Command(binary, "-W", "-db", "-S", masterSocket+",mode,600", "-f", config) // #nosec G204 -- the binary is the operator's choice
	output := &logWriter{logger: logger}
	// A file is handed over as it is; access logs on standard output then do
	// not pass through this process.
	cmd.Stdout, cmd.Stderr = stdout, output
	// A group of its own keeps a terminal's Ctrl-C from reaching HAProxy
	// before the router has drained it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", binary, err)
	}
	p := &process{cmd: cmd, done: make(chan struct{}), output: output}
	go func() {
		p.waitErr = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// exited is closed when the master has ended. A nil process never ends.
func (p *process) exited() <-chan struct{} {
	if p == nil {
		return nil
	}
	return p.done
}

// err says how an ended process ended, with its last alerts.
func (p *process) err() error {
	text := "exit status 0"
	if p.waitErr != nil {
		text = p.waitErr.Error()
	}
	if last := p.output.alerts(); last != "" {
		text += ": " + last
	}
	return errors.New(text)
}

func (p *process) running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// kill ends the master and all its workers, whatever they are doing.
func (p *process) kill() error {
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("ending haproxy: %w", err)
	}
	return nil
}

// stop lets the workers finish their connections for at most grace, then
// ends them.
func (p *process) stop(ctx context.Context, grace time.Duration) error {
	if !p.running() {
		return nil
	}
	if p.drain(ctx, grace) {
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(killGrace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	if err := p.kill(); err != nil {
		return err
	}
	<-p.done
	return nil
}

// drain asks HAProxy to end after its connections, and reports whether it did. It
// asks again: the master of 2.6 ignores signals while it loads itself anew.
func (p *process) drain(ctx context.Context, grace time.Duration) bool {
	timer, again := time.NewTimer(grace), time.NewTicker(drainInterval)
	defer timer.Stop()
	defer again.Stop()
	for {
		_ = p.cmd.Process.Signal(syscall.SIGUSR1)
		select {
		case <-p.done:
			return true
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		case <-again.C:
		}
	}
}

// drainInterval is the time between two requests to end. A worker that ends
// already does not mind.
const drainInterval = time.Second

// killGrace is how long HAProxy has to end after SIGTERM.
const killGrace = 3 * time.Second

// checkConfig lets HAProxy read a configuration without running it. A refused
// file is a *Refusal.
func checkConfig(ctx context.Context, binary, config string) error {
	ctx, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-c", "-f", config) // #nosec G204 -- the binary is the operator's choice
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &Refusal{Log: string(out)}
	}
	if err != nil {
		return fmt.Errorf("running %s -c: %w", binary, err)
	}
	return nil
}

// logWriter turns HAProxy's own messages into log records.
type logWriter struct {
	logger *slog.Logger

	mu   sync.Mutex
	rest []byte
	// recent keeps the last alerts, for the error of a process that ended.
	recent []string
}

// keptAlerts is how many alerts an error shows.
const keptAlerts = 5

// Write implements io.Writer.
func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	data := append(w.rest, p...)
	for {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			break
		}
		w.line(string(data[:i]))
		data = data[i+1:]
	}
	w.rest = append([]byte(nil), data...)
	return len(p), nil
}

func (w *logWriter) line(text string) {
	level, message := slog.LevelDebug, text
	switch {
	case strings.HasPrefix(text, "[ALERT]"):
		level = slog.LevelError
	case strings.HasPrefix(text, "[WARNING]"):
		level = slog.LevelWarn
	}
	if strings.HasPrefix(text, "[") {
		if _, after, found := strings.Cut(text, " : "); found {
			message = after
		}
	}
	// Servers come and go with their pods; that is not HAProxy's trouble.
	if strings.HasPrefix(message, "Server ") || strings.HasPrefix(message, "backend '") {
		level = slog.LevelDebug
	}
	// Each reload ends a worker, which says so of each of its proxies; the
	// end of a process on command is no alert either.
	if strings.Contains(message, " stopped (cumulated conns") || strings.Contains(message, "exited with code 0") ||
		strings.HasPrefix(message, "Exiting Master process") || strings.HasPrefix(message, "All workers exited.") || strings.Contains(message, "code 143 (Terminated)") {
		level = slog.LevelDebug
	}
	if level == slog.LevelError {
		w.recent = append(w.recent, message)
		if len(w.recent) > keptAlerts {
			w.recent = w.recent[1:]
		}
	}
	w.logger.Log(context.Background(), level, "haproxy: "+message) //nolint:sloglint // HAProxy's own words
}

func (w *logWriter) alerts() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.recent, "; ")
}

// endLeftover ends a HAProxy that an earlier router left behind with the same
// master socket, so that two never share one set of files.
func endLeftover(ctx context.Context, masterSocket string, logger *slog.Logger) error {
	p, err := runtime.AskProcesses(ctx, masterSocket)
	if err != nil || p.Master <= 1 || p.Master == os.Getpid() {
		return nil //nolint:nilerr // nobody answers: nothing was left behind
	}
	logger.Warn("ending a haproxy that was left running", "pid", p.Master)
	if err := syscall.Kill(p.Master, syscall.SIGTERM); err != nil {
		return fmt.Errorf("ending leftover haproxy %d: %w", p.Master, err)
	}
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for deadline := time.Now().Add(killGrace); time.Now().Before(deadline); {
		if errors.Is(syscall.Kill(p.Master, 0), syscall.ESRCH) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return syscall.Kill(p.Master, syscall.SIGKILL)
}
