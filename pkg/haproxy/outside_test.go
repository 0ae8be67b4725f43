package haproxy

import (
	"syscall"
	"testing"
	"time"

	"router/pkg/haproxy/runtime"
	"router/test/haproxies"
)

// TestAReloadFromOutside has somebody else reload HAProxy, from files that lag
// behind. What it is to have is there again after a verification.
func TestAReloadFromOutside(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		d, _ := clockedPlane(t, binary)
		w := newWorld(t, 7)
		for i := range 8 {
			o, err := d.Apply(t.Context(), w.step())
			if err != nil || len(o.Rejected) > 0 {
				t.Fatalf("%+v, %v", o, err)
			}
			if i < 4 {
				continue
			}
			ReloadFromOutside(t, d)
			for range 2 {
				if _, err := d.Verify(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			compare(t, "after a reload from outside", observed(t, d), coldStart(t, binary, w))
			if t.Failed() {
				return
			}
		}
	})
}

// ReloadFromOutside signals the master, and waits for another worker.
func ReloadFromOutside(t *testing.T, d Counting) {
	t.Helper()
	ctx, socket := t.Context(), d.opts.Layout.MasterSocket.String()
	before, err := runtime.AskProcesses(ctx, socket)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(before.Master, syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(10 * time.Second)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		now, err := runtime.AskProcesses(ctx, socket)
		if err == nil && now.Current.PID != 0 && now.Current.PID != before.Current.PID {
			answer, err := runtime.Query(ctx, d.opts.Layout.RuntimeSocket.String(), "show info")
			if info, err2 := runtime.ParseInfo(answer); err == nil && err2 == nil && info.PID == now.Current.PID {
				return
			}
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("there is no other worker: %+v, %v", now, err)
		}
	}
}
