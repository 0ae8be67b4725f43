package haproxy

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"router/test/haproxies"
	"router/test/ports"
)

// victim is set for the process of this test that is to be killed: the binary of
// HAProxy, the directory, and two ports.
const victim = "ROUTER_TEST_VICTIM"

func TestMain(m *testing.M) {
	if text := os.Getenv(victim); text != "" {
		fmt.Fprintln(os.Stderr, changeUntilKilled(text))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// changeUntilKilled changes routes and writes files as fast as it can.
func changeUntilKilled(text string) error {
	var binary, dir string
	var http, https int
	if _, err := fmt.Sscan(text, &binary, &dir, &http, &https); err != nil {
		return err
	}
	o, err := testOptions(binary, dir, http, https)
	if err != nil {
		return err
	}
	w, err := makeWorld(1)
	if err != nil {
		return err
	}
	d, ctx := New(o), context.Background()
	if err := d.Prepare(ctx); err != nil {
		return err
	}
	for i := 0; ; i++ {
		if _, err := d.Apply(ctx, w.step()); err != nil {
			return err
		}
		if err := d.write(); err != nil {
			return err
		}
		if i == 0 {
			fmt.Println("changing")
		}
	}
}

// TestFilesOfAKilledRouter kills a router (-9) while it changes and writes. The
// files that it leaves can be loaded, and the next router gets from there to what
// it wants itself.
func TestFilesOfAKilledRouter(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		dir, err := os.MkdirTemp("", "rt")
		if err != nil {
			t.Fatal(err)
		}
		http, https := ports.Free(t), ports.Free(t)
		w := newWorld(t, 2)
		for range 10 {
			w.step()
		}
		want := coldStart(t, binary, w)
		for range 3 {
			cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this test itself
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d %d", victim, binary, dir, http, https))
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil || strings.TrimSpace(line) != "changing" {
				t.Fatalf("it said %q, %v", line, err)
			}
			<-time.After(time.Duration(rand.IntN(500)) * time.Millisecond) //nolint:gosec // any moment will do
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // It was killed.
			o, err := testOptions(binary, dir, http, https)
			if err != nil {
				t.Fatal(err)
			}
			d := Counting{New(o)}.killed(t, w)
			compare(t, "after a kill", observed(t, d), want)
			if err := d.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		_ = os.RemoveAll(dir)
	})
}
