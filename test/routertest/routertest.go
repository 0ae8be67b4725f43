// Package routertest runs the router as its users do: the program, with flags
// and an environment, seen through its ports, its output and its directory.
package routertest

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"router/test/configreader"
	"router/test/ports"
)

// Patience bounds every wait.
const Patience = 30 * time.Second

const poll = 20 * time.Millisecond

// Main builds the program for the tests of a package, and runs them, so many at
// a time: most of the time they wait, for time-outs and for what a second
// brings. It is all that their TestMain does.
func Main(m *testing.M, program *string, parallel int) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "rt")
	if err == nil {
		*program = filepath.Join(dir, "router")
		err = errors.Join(build(*program), flag.Set("test.parallel", strconv.Itoa(parallel)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// Log keeps what a program says.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all of it.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Options are how a router is started.
type Options struct {
	// Program is what Build gave, HAProxy the binary under it.
	Program, HAProxy string
	Args, Env        []string
	// Anywhere leaves the address to listen on to the arguments.
	Anywhere bool
	// OwnDelay leaves the delay of a stop to the arguments.
	OwnDelay bool
	// Stdout takes the router's output; nil for Router.Stdout.
	Stdout *os.File
}

// Router is a running router.
type Router struct {
	// HTTP, HTTPS and Stats are addresses on the loopback interface; Dir is
	// the working directory.
	HTTP, HTTPS, Stats, Dir string
	// Stdout and Stderr are what it says.
	Stdout, Stderr *Log

	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}
}

// Password is that of the statistics page.
const Password = "test-password"

// PID is the number of the router's process.
func (r *Router) PID() int { return r.cmd.Process.Pid }

// Port is the port of an address.
func Port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

func prepare(t *testing.T, o Options) *Router {
	t.Helper()
	dir, err := os.MkdirTemp("", "rt") // Short, for the sockets in it.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	r := &Router{
		t: t, HTTP: ports.Address(t), HTTPS: ports.Address(t), Stats: ports.Address(t), Dir: dir,
		Stdout: &Log{}, Stderr: &Log{}, done: make(chan struct{}),
	}
	args := []string{
		"--haproxy", o.HAProxy, "--working-dir", dir, "--http-port", Port(r.HTTP), "--https-port", Port(r.HTTPS),
		"--listen-addr", r.Stats, "--max-shutdown-timeout", "1", "--interval", "1s",
	}
	if !o.OwnDelay {
		args = append(args, "--graceful-shutdown-delay", "0s")
	}
	if !o.Anywhere {
		args = append(args, "--bind-address", "127.0.0.1")
	}
	r.cmd = exec.Command(o.Program, append(args, o.Args...)...) //nolint:gosec // our own program
	r.cmd.Env = append(append(os.Environ(), "STATS_PASSWORD="+Password, "ROUTER_MAX_CONNECTIONS=2000"), o.Env...)
	r.cmd.Stdout, r.cmd.Stderr = r.Stdout, r.Stderr
	if o.Stdout != nil {
		r.cmd.Stdout = o.Stdout
	}
	return r
}

// run starts the router.
func run(t *testing.T, o Options) *Router {
	t.Helper()
	r := prepare(t, o)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.done)
		_ = r.cmd.Wait()
	}()
	return r
}

// Launch runs the router until the end of the test, and waits for nothing.
func Launch(t *testing.T, o Options) *Router {
	t.Helper()
	r := run(t, o)
	t.Cleanup(r.Stop)
	return r
}

// Start runs the router until the end of the test, and waits until it is ready.
func Start(t *testing.T, o Options) *Router {
	t.Helper()
	r := Launch(t, o)
	Eventually(t, "the router is ready", func() error {
		select {
		case <-r.done:
			t.Fatalf("the router ended:\n%s", r.Stderr)
		default:
		}
		return r.Ready()
	})
	return r
}

// Ready is an error unless the router says that it is ready.
func (r *Router) Ready() error {
	resp, err := http.Get("http://" + r.Stats + "/healthz/ready")
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d: %s", resp.StatusCode, body)
	}
	return nil
}

// Refused runs a router that is to end with an error, and returns what it says.
func Refused(t *testing.T, o Options) string {
	t.Helper()
	r := run(t, o)
	select {
	case <-r.done:
	case <-time.After(Patience):
		r.Stop()
		t.Fatalf("the router goes on:\n%s", r.Stderr)
	}
	if r.cmd.ProcessState.ExitCode() == 0 {
		t.Error("the router ended without an error")
	}
	return r.Stderr.String()
}

// Signal sends a signal to the router.
func (r *Router) Signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// Ends waits until the router ends, and returns its exit code.
func (r *Router) Ends(within time.Duration) int {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(within):
		r.t.Fatalf("the router goes on for %v:\n%s", within, r.Stderr)
	}
	return r.cmd.ProcessState.ExitCode()
}

// Processes are those that name the router's directory: itself, and the
// HAProxy that it runs.
func (r *Router) Processes() []string {
	r.t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		r.t.Fatal(err)
	}
	var list []string
	for _, f := range files {
		// A process that has ended meanwhile has none.
		if line, err := os.ReadFile(f); err == nil && bytes.Contains(line, []byte(r.Dir)) { //nolint:gosec // of the system
			list = append(list, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return list
}

// Stop ends the router; more than once is once.
func (r *Router) Stop() {
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.done:
	case <-time.After(Patience):
		_ = r.cmd.Process.Kill()
		<-r.done
		r.t.Error("the router does not end")
	}
	if r.t.Failed() {
		r.t.Logf("the router says:\n%s", r.Stderr)
	}
	if strings.Contains(r.Stderr.String(), "DATA RACE") {
		r.t.Error("there is a data race")
	}
	if config, err := os.ReadFile(filepath.Join(r.Dir, "conf", "haproxy.config")); err == nil {
		if _, err := configreader.Read(string(config)); err != nil {
			r.t.Errorf("HAProxy's configuration at the end: %v", err)
		}
	}
}

// Runtime sends a command to HAProxy's own socket.
func (r *Router) Runtime(command string) string {
	r.t.Helper()
	conn, err := net.Dial("unix", filepath.Join(r.Dir, "run", "haproxy.sock"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(Patience))
	if _, err := io.WriteString(conn, command+"\n"); err != nil {
		r.t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(answer)
}

// Info is a line of HAProxy's "show info".
func (r *Router) Info(name string) string {
	r.t.Helper()
	for line := range strings.Lines(r.Runtime("show info")) {
		if value, found := strings.CutPrefix(line, name+": "); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Dial connects to the router's port for an address "host:80" or "host:443".
func (r *Router) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	to := r.HTTP
	if strings.HasSuffix(address, ":443") {
		to = r.HTTPS
	}
	return (&net.Dialer{Timeout: Patience}).DialContext(ctx, network, to)
}

// Eventually tries until there is no error.
func Eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	Within(t, Patience, what, try)
}

// Within tries until there is no error, for a limited time.
func Within(t *testing.T, limit time.Duration, what string, try func() error) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		case <-ticker.C:
		}
	}
}
