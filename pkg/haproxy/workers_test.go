package haproxy_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"router/pkg/haproxy/process"
	"router/pkg/model"
	"router/pkg/template"
	"router/test/haproxies"
)

// silentPod takes requests and never answers; it tells of each that it got.
func silentPod(t *testing.T) (model.Server, <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	got := make(chan struct{}, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				r := bufio.NewReader(c)
				if _, err := r.ReadString('\n'); err != nil {
					return
				}
				got <- struct{}{}
				_, _ = r.WriteTo(discard{})
			}()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	return model.Server{ID: fmt.Sprintf("pod:silent:svc::127.0.0.1:%d", port), Address: "127.0.0.1", Port: port, Weight: 1}, got
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// supervise runs a supervisor until the test ends.
func supervise(t *testing.T, p *plane, maxAge time.Duration) *process.Supervisor {
	t.Helper()
	layout, err := template.NewLayout(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	s := process.NewSupervisor(process.SupervisorOptions{
		MasterSocket: layout.MasterSocket.String(), MaxAge: maxAge, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Registry: prometheus.NewRegistry(), Now: time.Now,
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return s
}

// eventually waits until what becomes true.
func eventually(t *testing.T, what string, within time.Duration, is func() bool) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !is() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %s", what, within)
		}
	}
}

// held opens connections that wait for an answer, and counts those that were
// closed.
func held(t *testing.T, p *plane, got <-chan struct{}, n int) <-chan time.Time {
	t.Helper()
	closed := make(chan time.Time, n)
	for range n {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.http))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: silent.test\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = bufio.NewReader(c).WriteTo(discard{})
			closed <- time.Now()
		}()
	}
	for range n {
		select {
		case <-got:
		case <-time.After(10 * time.Second):
			t.Fatal("a request did not reach the pod")
		}
	}
	return closed
}

func TestOldWorkersAreSeenAndEnd(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		t.Parallel()
		for _, tt := range []struct {
			name   string
			maxAge time.Duration
		}{{"without a bound", 0}, {"with a bound", 4 * time.Second}} {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				p := newPlane(t, binary)
				silent, got := silentPod(t)
				apply(t, p, model.Change{Upsert: []*model.Route{route("silent", "silent.test", silent)}})
				s := supervise(t, p, tt.maxAge)
				const n = 6
				closed := held(t, p, got, n)
				if o := apply(t, p, model.Change{Upsert: []*model.Route{limited("other", "other.test", pod(t, "a"))}}); !o.Reloaded {
					t.Fatal("no reload, and so no old worker")
				}
				eventually(t, "the old worker is seen with its connections", 10*time.Second, func() bool {
					old := s.Old()
					return len(old) == 1 && old[0].Connections >= n
				})
				if len(closed) > 0 {
					t.Fatalf("%d connections were closed by the reload", len(closed))
				}
				if tt.maxAge == 0 {
					return
				}
				first := <-closed
				last := first
				for range n - 1 {
					select {
					case last = <-closed:
					case <-time.After(20 * time.Second):
						t.Fatal("a connection of the old worker is still open")
					}
				}
				if last.Sub(first) < time.Second/2 {
					t.Errorf("all connections were closed within %s: not gradually", last.Sub(first))
				}
				eventually(t, "the old worker has ended", 20*time.Second, func() bool { return len(s.Old()) == 0 })
				if code, body := p.get(t, "other.test", "/"); code != 200 || body != "a" {
					t.Errorf("the new worker answers %d %q", code, body)
				}
			})
		}
	})
}

// limited is a route with a setting that only a reload can bring.
func limited(name, host string, servers ...model.Server) *model.Route {
	r := route(name, host, servers...)
	r.Backend.RateLimit = &model.RateLimit{RateHTTP: 100000}
	return r
}
