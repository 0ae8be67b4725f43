package haproxy_test

import (
	"context"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"router/pkg/model"
	"router/test/haproxies"
)

func TestServerStates(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		a, b := pod(t, "a"), pod(t, "b")
		apply(t, p, model.Change{Upsert: []*model.Route{route("one", "one.test", a, b)}})
		states, err := p.ServerStates(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for endpoint, want := range map[string]string{a.ID: "up", b.ID: "up", "pod:c": model.ServerUnknown} {
			if got := states.Of("be_http:ns:one", endpoint); got != want {
				t.Errorf("%s is %q, want %q", endpoint, got, want)
			}
		}
		if got := states.Of("be_http:ns:other", a.ID); got != model.ServerUnknown {
			t.Errorf("a server of another backend is %q", got)
		}

		info, err := p.Ask(t.Context(), "show info")
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(regexp.MustCompile(`(?m)^Pid: (\d+)`).FindStringSubmatch(info)[1])
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
		const patience = 300 * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		began := time.Now()
		states, err = p.ServerStates(ctx)
		if took := time.Since(began); err == nil || took > 10*patience || states.Of("be_http:ns:one", a.ID) != model.ServerUnknown {
			t.Errorf("of a stopped HAProxy the states are %v, %v after %s", states, err, took)
		}
	})
}
