package haproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"router/pkg/haproxy/runtime"
	"router/test/haproxies"
)

// fault is what goes wrong on the way to a real HAProxy, at the n-th line that
// is sent from the moment it is armed.
type fault struct {
	kind string
	at   int
	// worker is killed by the kind "kill".
	worker func() int
}

// faultyDial connects to the real socket; what arm says goes wrong once.
type faultyDial struct {
	armed *fault
	lines int
}

func (f *faultyDial) dial(ctx context.Context, path string) (net.Conn, error) {
	if f.armed != nil && f.armed.kind == "refuse" {
		f.armed = nil
		return nil, errors.New("connection refused on purpose")
	}
	conn, err := runtime.Dial(ctx, path)
	if err != nil {
		return nil, err
	}
	return &faultyConn{Conn: conn, dial: f}, nil
}

type faultyConn struct {
	net.Conn
	dial *faultyDial
}

var errOnPurpose = errors.New("cut on purpose")

// Write counts commands, of which each is one write.
func (c *faultyConn) Write(p []byte) (int, error) {
	armed := c.dial.armed
	if armed == nil {
		return c.Conn.Write(p)
	}
	if c.dial.lines++; c.dial.lines <= armed.at {
		return c.Conn.Write(p)
	}
	c.dial.armed, c.dial.lines = nil, 0
	switch armed.kind {
	case "cut before":
		_ = c.Conn.Close()
		return 0, errOnPurpose
	case "cut behind":
		// HAProxy gets the command, and nobody its answer.
		_, _ = c.Conn.Write(p)
		_ = c.Conn.(*net.UnixConn).CloseRead()
		_ = c.Conn.Close()
		return 0, errOnPurpose
	case "cut inside":
		_, _ = c.Conn.Write(p[:len(p)/2])
		_ = c.Conn.Close()
		return 0, errOnPurpose
	case "duplicate":
		// As a sender would that does not know whether the first one arrived.
		other, err := net.Dial("unix", c.Conn.RemoteAddr().String())
		if err == nil {
			_, _ = other.Write(bytes.TrimSuffix(p, []byte("\n")))
			_, _ = other.Write([]byte("\n\n"))
			_ = other.Close()
		}
	case "delay":
		time.Sleep(200 * time.Millisecond) // The fault itself; nothing waits for it.
	case "kill":
		_ = syscall.Kill(armed.worker(), syscall.SIGKILL)
	}
	return c.Conn.Write(p)
}

// TestFaultsOnTheSocketAreRepaired lets something go wrong at each step of a
// change. Within 2 s what is live is what is wanted.
func TestFaultsOnTheSocketAreRepaired(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		f := &faultyDial{}
		d := newTestPlane(t, binary, f.dial)
		w := newWorld(t, 42)
		for range 5 {
			if _, err := d.Apply(t.Context(), w.step()); err != nil {
				t.Fatal(err)
			}
		}
		for _, kind := range []string{"refuse", "cut before", "cut behind", "cut inside", "duplicate", "delay", "kill"} {
			for _, at := range []int{0, 1, 2, 3, 5, 8} {
				if kind == "kill" && at > 3 || kind == "refuse" && at > 0 {
					continue
				}
				name := fmt.Sprintf("%s at command %d", kind, at)
				f.armed, f.lines = &fault{kind: kind, at: at, worker: d.master.Worker}, 0
				started := time.Now()
				o, err := d.Apply(t.Context(), w.step())
				f.armed = nil
				err = settle(t, d, o, err)
				if took := time.Since(started); err != nil || took > 2*time.Second {
					t.Errorf("%s: after %v: %v", name, took, err)
				}
				compare(t, name, observed(t, d), coldStart(t, binary, w))
				if t.Failed() {
					return
				}
			}
		}
		compare(t, "at the end", observed(t, d), coldStart(t, binary, w))
	})
}

// settle does what the controller's loop does: it looks again until there is
// no error, and when HAProxy has ended.
func settle(t *testing.T, d Counting, o CountedOutcome, err error) error {
	t.Helper()
	for range 20 {
		select {
		case <-d.Exited():
			o, err = d.Converge(t.Context())
			continue
		default:
		}
		if err == nil && len(o.Pending) == 0 {
			// A process that was killed may not have been seen to end yet.
			if _, alive := runtime.Query(t.Context(), d.opts.Layout.RuntimeSocket.String(), "show info"); alive == nil {
				return nil
			}
		}
		select {
		case <-d.Exited():
		case <-time.After(50 * time.Millisecond):
		}
		o, err = d.Converge(t.Context())
	}
	return fmt.Errorf("not settled: %+v, %w", o, err)
}
