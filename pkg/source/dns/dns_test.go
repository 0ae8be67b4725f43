package dns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"router/pkg/source"
)

// nameServers answer as they are told to, without a network: time stands
// still while one is waited for.
type nameServers struct {
	mu      sync.Mutex
	answers map[string]string // by network and name: addresses, "none", "fail" or "dead"
	asked   int
}

func (n *nameServers) set(name, four, six string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers["ip4 "+name+"."], n.answers["ip6 "+name+"."] = four, six
}

func (n *nameServers) LookupNetIP(ctx context.Context, network, name string) ([]netip.Addr, error) {
	n.mu.Lock()
	n.asked++
	answer := n.answers[network+" "+name]
	n.mu.Unlock()
	switch answer {
	case "dead":
		<-ctx.Done()
		return nil, &net.DNSError{Err: "i/o timeout", IsTimeout: true, IsTemporary: true}
	case "fail":
		return nil, &net.DNSError{Err: "server misbehaving", IsTemporary: true}
	case "none", "":
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	var list []netip.Addr
	for a := range strings.FieldsSeq(answer) {
		list = append(list, netip.MustParseAddr(a))
	}
	return list, nil
}

func nameKey(name string) source.Key { return source.Key{Kind: source.KindExternalName, Name: name} }

// following runs Names in a bubble of time.
func following(t *testing.T, test func(t *testing.T, servers *nameServers, names *Names, told func() string)) {
	synctest.Test(t, func(t *testing.T) {
		servers := &nameServers{answers: map[string]string{}}
		queue := source.NewQueue(time.Now)
		names := New(Options{Queue: queue, Resolver: servers, Interval: 10 * time.Second, Metrics: NewMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); names.Run(ctx) }()
		test(t, servers, names, func() string {
			synctest.Wait()
			var list []string
			for _, c := range queue.Drain().Changes {
				text := c.Key.Name + " " + string(c.Absence)
				if r, ok := c.Object.(*source.Resolution); ok {
					text = fmt.Sprint(r.Name, " ", r.Addresses, r.Failure)
				}
				list = append(list, text)
			}
			return strings.Join(list, "; ")
		})
		cancel()
		<-done
	})
}

func TestAnswersAreFollowed(t *testing.T) {
	const none, dead = "a []" + noSuchName, "a []" + noAnswer
	type step struct {
		four, six string
		after     time.Duration
		want      string
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"a changed address", []step{{"192.0.2.1", "none", 0, "a [192.0.2.1]"}, {"192.0.2.1", "none", time.Minute, ""}, {"192.0.2.2", "none", 12 * time.Second, "a [192.0.2.2]"}}},
		{"addresses in any order, repeated", []step{{"192.0.2.2 192.0.2.1 192.0.2.2", "none", 0, "a [192.0.2.1 192.0.2.2]"}, {"192.0.2.1 192.0.2.2", "none", time.Minute, ""}}},
		{"a failure keeps what is known", []step{{"192.0.2.1", "none", 0, "a [192.0.2.1]"}, {"fail", "fail", time.Hour, ""}, {"dead", "dead", time.Hour, ""}, {"192.0.2.2", "none", 20 * time.Second, "a [192.0.2.2]"}}},
		{"a deleted name is kept for a while", []step{{"192.0.2.1", "none", 0, "a [192.0.2.1]"}, {"none", "none", 25 * time.Second, ""}, {"none", "none", 30 * time.Second, none}, {"192.0.2.1", "none", 12 * time.Second, "a [192.0.2.1]"}}},
		{"a name made anew", []step{{"192.0.2.1", "none", 0, "a [192.0.2.1]"}, {"none", "none", 20 * time.Second, ""}, {"192.0.2.1", "none", time.Minute, ""}, {"none", "none", 25 * time.Second, ""}}},
		{"a name that is made later", []step{{"none", "none", 0, none}, {"none", "none", time.Minute, ""}, {"192.0.2.1", "none", 12 * time.Second, "a [192.0.2.1]"}}},
		{"name servers that wake up", []step{{"dead", "dead", 6 * time.Second, dead}, {"192.0.2.1", "none", 17 * time.Second, "a [192.0.2.1]"}}},
		{"IPv6 alone", []step{{"none", "2001:db8::1", 0, "a [2001:db8::1]"}}},
		{"name servers that fail for IPv6", []step{{"192.0.2.1", "fail", 0, "a [192.0.2.1]"}, {"192.0.2.2", "dead", 20 * time.Second, "a [192.0.2.2]"}}},
		{"name servers that fail for IPv4", []step{{"fail", "2001:db8::1", 0, "a [2001:db8::1]"}, {"none", "2001:db8::2", 12 * time.Second, "a [2001:db8::2]"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			following(t, func(t *testing.T, servers *nameServers, names *Names, told func() string) {
				for i, s := range tt.steps {
					servers.set("a", s.four, s.six)
					if i == 0 {
						names.Watch(nameKey("a"))
					}
					time.Sleep(s.after)
					if got := told(); got != s.want {
						t.Fatalf("step %d: told %q, want %q", i, got, s.want)
					}
				}
			})
		})
	}
}

func TestManyAddressesAreCut(t *testing.T) {
	following(t, func(t *testing.T, servers *nameServers, names *Names, told func() string) {
		var list []string
		for i := range 3 * maxAddresses {
			list = append(list, fmt.Sprintf("192.0.2.%d", 1+i))
		}
		slices.Reverse(list)
		servers.set("a", strings.Join(list, " "), "none")
		names.Watch(nameKey("a"))
		if got := told(); strings.Count(got, "192.0.2.") != maxAddresses || !strings.HasPrefix(got, "a [192.0.2.1 192.0.2.2 ") {
			t.Errorf("told %q", got)
		}
	})
}

func TestForgottenNamesAreNotAskedForAgain(t *testing.T) {
	following(t, func(t *testing.T, servers *nameServers, names *Names, told func() string) {
		servers.set("a", "192.0.2.1", "none")
		names.Watch(nameKey("a"))
		names.Watch(nameKey("a")) // Once is enough.
		if got := told(); got != "a [192.0.2.1]" || servers.asked != families {
			t.Errorf("told %q after %d questions", got, servers.asked)
		}
		names.Forget(nameKey("a"))
		time.Sleep(time.Hour)
		if got := told(); got != "a Forgotten" || servers.asked != families {
			t.Errorf("told %q after %d questions", got, servers.asked)
		}
		servers.set("a", "192.0.2.2", "none")
		names.Watch(nameKey("a"))
		if got := told(); got != "a [192.0.2.2]" {
			t.Errorf("told %q", got)
		}
	})
}

func TestDeadNamesDoNotDelayOthers(t *testing.T) {
	following(t, func(t *testing.T, servers *nameServers, names *Names, told func() string) {
		for i := range 10 * lookups {
			name := fmt.Sprint("dead", i)
			servers.set(name, "dead", "dead")
			names.Watch(nameKey(name))
		}
		time.Sleep(time.Hour) // They are known to be dead now.
		told()
		servers.set("a", "192.0.2.1", "none")
		names.Watch(nameKey("a"))
		if got := told(); got != "a [192.0.2.1]" {
			t.Errorf("told %q", got)
		}
		servers.set("a", "192.0.2.2", "none")
		time.Sleep(12 * time.Second)
		if got := told(); got != "a [192.0.2.2]" {
			t.Errorf("told %q", got)
		}
	})
}

func TestNamesAreCountedByState(t *testing.T) {
	following(t, func(t *testing.T, servers *nameServers, names *Names, _ func() string) {
		want := func(when, counts string) {
			t.Helper()
			synctest.Wait()
			got := ""
			for _, s := range []state{resolved, stale, unresolved} {
				var m dto.Metric
				if err := names.opts.Metrics.names.WithLabelValues(string(s)).Write(&m); err != nil {
					t.Fatal(err)
				}
				got += fmt.Sprint(m.GetGauge().GetValue(), " ")
			}
			if got != counts {
				t.Errorf("%s: resolved, stale and unresolved are %s, want %s", when, got, counts)
			}
		}
		want("at first", "0 0 0 ")
		servers.set("a", "192.0.2.1", "none")
		names.Watch(nameKey("a"))
		names.Watch(nameKey("b"))
		want("one exists", "1 0 1 ")
		servers.set("a", "192.0.2.1", "dead")
		time.Sleep(20 * time.Second)
		want("there is an answer for one family", "1 0 1 ")
		servers.set("a", "fail", "fail")
		time.Sleep(20 * time.Second)
		want("the name servers fail", "0 1 1 ")
		servers.set("a", "none", "none")
		time.Sleep(12 * time.Second)
		want("it is deleted", "0 1 1 ")
		time.Sleep(time.Minute)
		want("for long", "0 0 2 ")
		servers.set("a", "192.0.2.1", "none")
		time.Sleep(12 * time.Second)
		want("it is back", "1 0 1 ")
		names.Forget(nameKey("a"))
		names.Forget(nameKey("b"))
		want("both are forgotten", "0 0 0 ")
	})
}

func TestARouteOfTheMachineDecidesBetweenFamilies(t *testing.T) {
	here, loopback := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")
	// A zone that no interface has is an address that there is no way to.
	nowhere := netip.MustParseAddr("fe80::1%nowhere")
	if got := choose([families][]netip.Addr{{here}, {nowhere}}); got[0] != here {
		t.Errorf("%v is preferred", got)
	}
	if got := choose([families][]netip.Addr{{here}, {loopback}}); got[0] != here {
		t.Errorf("%v is preferred where there is a way to both", got)
	}
	if !hasRoute(here) || hasRoute(nowhere) {
		t.Error("routes are not told apart")
	}
}

func TestErrorsOfOtherKindsKeepWhatIsKnown(t *testing.T) {
	f := &watchedName{Names: New(Options{Resolver: broken{}}), key: nameKey("a")}
	if r := f.ask(t.Context(), "ip4"); r.failure != noAnswer {
		t.Errorf("the reason is %q", r.failure)
	}
}

type broken struct{}

func (broken) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return nil, errors.New("too many open files")
}
