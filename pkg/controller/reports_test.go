package controller

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"router/pkg/model"
	"router/pkg/source"
)

// shownRoutes are the reports in short: who is served by what, and which states
// the servers have.
func shownRoutes(t *testing.T, c *Controller) []string {
	t.Helper()
	list, err := c.Routes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var short []string
	for _, r := range list {
		text := fmt.Sprint(r.Namespace, "/", r.Name, " ", r.Host, " ", r.Reason, r.Backend)
		for _, s := range r.Servers {
			text += " " + s.Address + " " + s.State
		}
		short = append(short, text)
	}
	return short
}

func TestReportsFollowChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, c, settle := runWith(t, func(o *Options) {
			o.ServerStates = func(context.Context) (func(string, string) string, error) {
				return func(backend, endpoint string) string { return backend + "~" + endpoint }, nil
			}
		})
		const up = "192.0.2.1:8080 be_http:n:r~ept:hello:http:192.0.2.1:8080"
		steps := []struct {
			name    string
			changes []source.Change
			outcome model.Outcome
			want    []string
		}{
			{name: "before anything is known"},
			{"a route without endpoints", []source.Change{service("hello"), route("r", "hello")}, model.Outcome{}, []string{"n/r r.test be_http:n:r"}},
			{"its endpoints", []source.Change{pods("hello", true, "192.0.2.1")}, model.Outcome{}, []string{"n/r r.test be_http:n:r " + up}},
			{"another route", []source.Change{route("q", "hello")}, model.Outcome{}, []string{"n/q q.test be_http:n:q 192.0.2.1:8080 be_http:n:q~ept:hello:http:192.0.2.1:8080", "n/r r.test be_http:n:r " + up}},
			{"one that HAProxy rejects", []source.Change{route("q", "other")}, model.Outcome{Rejected: map[model.RouteKey]string{{Namespace: "n", Name: "q"}: "no"}}, []string{"n/q q.test RejectedByProxy", "n/r r.test be_http:n:r " + up}},
			{"one that is gone", []source.Change{gone(route("q", ""))}, model.Outcome{}, []string{"n/r r.test be_http:n:r " + up}},
		}
		n.queue.MarkSynced()
		settle() // The loop reads the outcome.
		for _, step := range steps {
			n.outcome = step.outcome
			n.queue.Push(step.changes...)
			settle()
			if got := shownRoutes(t, c); fmt.Sprint(got) != fmt.Sprint(step.want) {
				t.Errorf("%s: shown are %q, want %q", step.name, got, step.want)
			}
		}
	})
}

// A HAProxy that does not answer holds up neither the loop nor, for long, those
// who ask for routes.
func TestReportsOfAHAProxyThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, c, settle := runWith(t, func(o *Options) {
			o.ServerStates = func(ctx context.Context) (func(string, string) string, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
		})
		n.queue.Push(service("hello"), route("r", "hello"), pods("hello", true, "192.0.2.1"))
		n.queue.MarkSynced()
		settle()
		began, answered := time.Now(), make(chan []string)
		go func() { answered <- shownRoutes(t, c) }()
		synctest.Wait()
		applied := len(n.applied)
		n.queue.Push(pods("hello", true, "192.0.2.2"))
		time.Sleep(2 * holdOff) // of the bubble's time
		synctest.Wait()
		if len(n.applied) != applied+1 {
			t.Error("no change is handed on while somebody asks")
		}
		got := <-answered
		if want := []string{"n/r r.test be_http:n:r 192.0.2.1:8080 unknown"}; fmt.Sprint(got) != fmt.Sprint(want) || time.Since(began) > statesTimeout {
			t.Errorf("shown are %q after %s, want %q", got, time.Since(began), want)
		}
	})
}
