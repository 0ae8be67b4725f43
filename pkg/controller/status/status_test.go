package status

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

const lag = 20 * time.Millisecond

func TestARouteGetsItsEntryOnceAndThenNothingIsWritten(t *testing.T) {
	c := newCluster()
	c.join("one", "router.example.org", lag)
	c.create("r", "www.example.org")
	c.run(t, 5*time.Second)
	e := c.entry(t, "r")
	if e == nil || e.Host != "www.example.org" || e.WildcardPolicy != routev1.WildcardPolicyNone || e.RouterCanonicalHostname != "router.example.org" {
		t.Fatalf("entry is %+v", e)
	}
	if a := condition(e, routev1.RouteAdmitted); a == nil || a.Status != corev1.ConditionTrue || a.Reason != "" || a.Message != "" || a.LastTransitionTime == nil || a.LastTransitionTime.Nanosecond() != 0 {
		t.Errorf("condition is %+v", a)
	}
	for range 20 { // resyncs
		c.replicas[0].receive(delivery{to: c.replicas[0], key: key("r"), route: c.routes[key("r")]})
		c.run(t, time.Hour)
	}
	if c.writes != 1 || c.attempts != 1 || c.reads != 0 {
		t.Errorf("%d writes, %d attempts, %d reads, want one request", c.writes, c.attempts, c.reads)
	}
}

// Messages repeat what tenants and HAProxy have said, whatever bytes these are.
func TestAnyMessageIsWrittenOnce(t *testing.T) {
	for _, m := range []string{"plain", "\xff\xfe in a block's type", "NUL \x00 and \u2028 < & >", strings.Repeat("ü", maxMessage), strings.Repeat("x", 1<<20)} {
		c := newCluster()
		for _, name := range []string{"one", "two"} {
			c.join(name, "", lag).opinion = func(r *routev1.Route) *Desired {
				d := admit(r)
				d.Admitted, d.Reason, d.Message = false, "ExtendedValidationFailed", m
				d.ExtraConditions = []routev1.RouteIngressCondition{{Type: "SettingsIgnored", Status: corev1.ConditionTrue, Reason: "InvalidSettings", Message: m}}
				return d
			}
		}
		c.create("r", "www.example.org")
		c.run(t, time.Hour)
		if c.writes != 1 {
			t.Errorf("%.20q: %d writes, want 1", m, c.writes)
		}
		a := condition(c.entry(t, "r"), routev1.RouteAdmitted)
		if a == nil || len(a.Message) > maxMessage || !utf8.ValidString(a.Message) || len(m) <= maxMessage && utf8.ValidString(m) && a.Message != m {
			t.Errorf("%.20q: condition is %+v", m, a)
		}
	}
}

func TestTheTransitionTimeIsThatOfTheCondition(t *testing.T) {
	c := newCluster()
	c.join("one", "", lag)
	c.create("r", "www.example.org")
	c.run(t, time.Minute)
	before := condition(c.entry(t, "r"), routev1.RouteAdmitted).LastTransitionTime
	c.edit(key("r"), func(r *routev1.Route) { r.Spec.Host = "other.example.org" })
	c.run(t, time.Minute)
	e := c.entry(t, "r")
	if e.Host != "other.example.org" || !condition(e, routev1.RouteAdmitted).LastTransitionTime.Equal(before) {
		t.Errorf("after a change of the host: %+v", e)
	}
	c.replicas[0].opinion = func(r *routev1.Route) *Desired {
		d := admit(r)
		d.Admitted, d.Reason, d.Message = false, "HostAlreadyClaimed", "m"
		return d
	}
	c.replicas[0].receive(delivery{to: c.replicas[0], key: key("r"), route: c.routes[key("r")]})
	c.run(t, time.Minute)
	a := condition(c.entry(t, "r"), routev1.RouteAdmitted)
	if a.Status != corev1.ConditionFalse || a.Reason != "HostAlreadyClaimed" || a.Message != "m" || !a.LastTransitionTime.After(before.Time) {
		t.Errorf("after the rejection: %+v", a)
	}
	if c.writes != 3 {
		t.Errorf("%d writes, want 3", c.writes)
	}
}

func TestChangesOfOneRouteAreCoalesced(t *testing.T) {
	c := newCluster()
	p := c.join("one", "", lag)
	r := c.create("r", "a.example.org")
	for i := range 100 {
		d := *admit(r)
		d.Host = fmt.Sprintf("h%d.example.org", i)
		p.writer.Set(d)
	}
	p.opinion = func(*routev1.Route) *Desired { return nil }
	c.run(t, time.Minute)
	if e := c.entry(t, "r"); c.writes != 1 || e.Host != "h99.example.org" {
		t.Errorf("%d writes, entry %+v", c.writes, e)
	}
}

func TestFailuresAreRetried(t *testing.T) {
	forbidden := apierrors.NewForbidden(routeResource, "r", errors.New("no"))
	tests := []struct {
		name   string
		err    error
		kind   string
		within time.Duration
	}{
		{"a refusal", forbidden, "forbidden", 2 * time.Second},
		{"a time-out", context.DeadlineExceeded, "timeout", 2 * time.Second},
		{"a time-out of the server", apierrors.NewServerTimeout(routeResource, "update", 1), "timeout", 3 * time.Second},
		{"an overloaded server", apierrors.NewTooManyRequests("later", 7), "too_many_requests", 8 * time.Second},
		{"a broken connection", errors.New("connection reset"), "other", 2 * time.Second},
		{"an object that the server finds invalid", apierrors.NewInvalid(routev1.GroupVersion.WithKind("Route").GroupKind(), "r", nil), "invalid", 2 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster()
			p := c.join("one", "", lag)
			kinds := map[string]int{}
			p.writer.o.Metrics.Failures = func(kind string) Counter { kinds[kind]++; return nil }
			failing := true
			var last time.Time
			c.fail = func(string, string) error {
				if failing {
					if delay, asked := apierrors.SuggestsClientDelay(tt.err); asked && c.now.Sub(last) < time.Duration(delay)*time.Second {
						t.Errorf("tried again after %s", c.now.Sub(last))
					}
					last = c.now
					return tt.err
				}
				return nil
			}
			c.create("r", "www.example.org")
			c.run(t, time.Hour)
			if tries := c.attempts + c.reads; tries < 5 || tries > 90 {
				t.Errorf("%d requests in an hour of failures", tries)
			}
			if kinds[tt.kind] != c.attempts+c.reads {
				t.Errorf("failures are counted as %v", kinds)
			}
			if s := p.writer.Stats(); s.Pending != 1 {
				t.Errorf("stats are %+v", s)
			}
			failing = false
			c.run(t, 100*time.Second)
			if c.entry(t, "r") == nil || c.writes != 1 {
				t.Errorf("nothing was written after the failure ended")
			}
			// A first failure costs little time.
			c.edit(key("r"), func(r *routev1.Route) { r.Spec.Host = "b.example.org" })
			c.run(t, lag)
			failing = true
			c.run(t, lag+3*time.Second)
			failing = false
			c.run(t, tt.within+5*time.Second)
			if e := c.entry(t, "r"); e.Host != "b.example.org" {
				t.Errorf("entry is %+v", e)
			}
		})
	}
}

func TestAConflictWithAnEditIsResolvedByTheWatch(t *testing.T) {
	c := newCluster()
	p := c.join("one", "", lag)
	c.create("r", "www.example.org")
	c.run(t, 5*time.Second)
	edits := 0
	c.fail = func(_, verb string) error {
		if verb == "update" && edits == 0 { // Somebody is between reading and writing.
			edits++
			c.edit(key("r"), func(r *routev1.Route) {
				r.Annotations = map[string]string{"a": "b"}
				r.Status.Ingress = append(r.Status.Ingress, routev1.RouteIngress{RouterName: "another"})
			})
		}
		return nil
	}
	c.edit(key("r"), func(r *routev1.Route) { r.Spec.Host = "b.example.org" })
	c.run(t, time.Second)
	r := c.routes[key("r")]
	if e := c.entry(t, "r"); e.Host != "b.example.org" || r.Annotations["a"] != "b" || len(r.Status.Ingress) != 2 {
		t.Errorf("route is %+v", r)
	}
	if c.attempts-c.writes != 1 || c.writes != 2 || c.reads != 0 {
		t.Errorf("%d attempts, %d writes, %d reads", c.attempts, c.writes, c.reads)
	}
	if p.writer.role != first {
		t.Errorf("role is %v after writing", p.writer.role)
	}
}

func TestAnEditThatIsNotSeenYetIsWaitedFor(t *testing.T) {
	c := newCluster()
	p := c.join("one", "", 3*time.Second)
	c.create("r", "old.example.org")
	c.run(t, 10*time.Second)
	// The opinion changes, but it is about what the route was before the edit.
	c.edit(key("r"), func(r *routev1.Route) { r.Spec.Host = "new.example.org" })
	d := *admit(c.routes[key("r")])
	d.Host, d.Admitted, d.Reason = "old.example.org", false, "HostAlreadyClaimed"
	p.writer.Set(d)
	c.run(t, 2900*time.Millisecond)
	if c.writes != 1 {
		t.Errorf("an opinion about an older version was written: %+v", c.entry(t, "r"))
	}
	if c.attempts != 2 || c.reads < 1 || c.reads > 6 {
		t.Errorf("%d attempts and %d reads while the watch is behind", c.attempts, c.reads)
	}
	c.run(t, 2*time.Second)
	if e := c.entry(t, "r"); c.writes != 2 || e.Host != "new.example.org" || e.Conditions[0].Status != corev1.ConditionTrue {
		t.Errorf("%d writes, entry %+v", c.writes, e)
	}
}

// What informers cut out of objects must not be taken out of the cluster's.
func TestAWriteKeepsWhatTheInformerDoesNotHave(t *testing.T) {
	c := newCluster()
	p := c.join("one", "", lag)
	p.opinion = func(*routev1.Route) *Desired { return nil }
	r := c.create("r", "www.example.org")
	c.edit(key("r"), func(r *routev1.Route) { r.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: "{}"} })
	trimmed := c.routes[key("r")].DeepCopy()
	trimmed.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: ""}
	c.pending = nil
	p.writer.Observe(trimmed)
	p.writer.Set(*admit(r))
	c.run(t, 5*time.Second)
	if c.written == nil || c.written.Annotations[corev1.LastAppliedConfigAnnotation] != "{}" || c.reads != 1 {
		t.Errorf("%d reads, written is %+v", c.reads, c.written)
	}
}

func TestADeletedRouteIsLetGo(t *testing.T) {
	c := newCluster()
	p := c.join("one", "", lag)
	c.create("r", "www.example.org")
	c.run(t, 5*time.Second)
	p.writer.Set(Desired{Key: key("r"), UID: c.routes[key("r")].UID, Host: "x.example.org"})
	c.remove(key("r"))
	c.run(t, time.Hour)
	if len(p.writer.records) != 0 || p.writer.Stats() != (Stats{}) {
		t.Errorf("records are %v", p.writer.records)
	}
	if c.attempts > 2 {
		t.Errorf("%d attempts", c.attempts)
	}
}

func TestAnotherObjectOfTheNameIsNotWrittenTo(t *testing.T) {
	c := newCluster()
	p := c.join("one", "", lag)
	old := c.create("r", "www.example.org")
	c.run(t, 5*time.Second)
	c.remove(key("r"))
	c.create("r", "new.example.org")
	p.opinion = func(*routev1.Route) *Desired { return nil }
	d := *admit(old)
	d.Host = "stale.example.org"
	p.writer.Set(d)
	c.run(t, time.Hour)
	if e := c.entry(t, "r"); e != nil {
		t.Errorf("the new object has %+v", e)
	}
}

func TestARouteThatLeavesTheSelectionLosesTheEntry(t *testing.T) {
	for _, watched := range []bool{true, false} {
		c := newCluster()
		for _, name := range []string{"one", "two", "three"} {
			c.join(name, "", lag)
		}
		c.create("r", "www.example.org")
		c.edit(key("r"), func(r *routev1.Route) {
			r.Status.Ingress = []routev1.RouteIngress{{RouterName: "another", Host: "h"}}
		})
		c.run(t, 5*time.Second)
		if len(c.routes[key("r")].Status.Ingress) != 2 {
			t.Fatal("no entry to begin with")
		}
		for _, p := range c.replicas {
			p.opinion = func(*routev1.Route) *Desired { return nil }
			if !watched {
				p.writer.Forget(key("r"))
			}
			p.writer.Remove(key("r"), nil)
		}
		before := c.writes
		c.run(t, 10*time.Second)
		if in := c.routes[key("r")].Status.Ingress; len(in) != 1 || in[0].RouterName != "another" {
			t.Errorf("watched %v: entries are %+v", watched, in)
		}
		if c.writes != before+1 {
			t.Errorf("watched %v: %d writes", watched, c.writes-before)
		}
		// Back in the selection, it is written again.
		for _, p := range c.replicas {
			p.opinion = admit
			p.receive(delivery{to: p, key: key("r"), route: c.routes[key("r")]})
		}
		c.run(t, 10*time.Second)
		if c.entry(t, "r") == nil || c.writes != before+2 {
			t.Errorf("watched %v: back, but the entry is %+v after %d writes", watched, c.entry(t, "r"), c.writes-before)
		}
	}
}

func TestRemovingWhatIsGoneOrHasNoEntryWritesNothing(t *testing.T) {
	c := newCluster()
	p := c.join("one", "", lag)
	p.opinion = func(*routev1.Route) *Desired { return nil }
	c.create("r", "www.example.org")
	p.writer.Remove(key("r"), nil)
	p.writer.Remove(key("gone"), nil)
	c.run(t, time.Minute)
	if c.attempts != 0 || c.reads > 2 || p.writer.Stats().Pending != 0 {
		t.Errorf("%d attempts, %d reads, %+v", c.attempts, c.reads, p.writer.Stats())
	}
}

func TestFiveReplicasWriteEachChangeOnce(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	c := newCluster()
	for i := range 5 {
		c.join(fmt.Sprint("replica-", i), "router.example.org", time.Duration(5+rnd.IntN(100))*time.Millisecond)
	}
	changes := 0
	for i := range 200 {
		c.create(fmt.Sprint("r", i), "old.example.org")
		changes++
	}
	c.run(t, time.Minute)
	if c.writes != changes {
		t.Fatalf("%d writes for %d new routes", c.writes, changes)
	}
	t.Logf("%d attempts for the first %d routes of five undecided replicas", c.attempts, changes)
	before, read := c.attempts, c.reads
	for i := range 300 {
		k := key(fmt.Sprint("r", rnd.IntN(200)))
		host := fmt.Sprintf("h%d.example.org", i)
		c.edit(k, func(r *routev1.Route) { r.Spec.Host = host })
		changes++
		c.run(t, time.Duration(rnd.IntN(3000))*time.Millisecond)
		if i%50 == 0 { // A replica is replaced by a new one.
			c.replicas[rnd.IntN(len(c.replicas))].dead = true
			c.join(fmt.Sprint("later-", i), "router.example.org", time.Duration(5+rnd.IntN(100))*time.Millisecond)
		}
	}
	c.run(t, time.Minute)
	for k, r := range c.routes {
		if e := c.entry(t, k.Name); e.Host != r.Spec.Host {
			t.Errorf("%s says %s, want %s", k, e.Host, r.Spec.Host)
		}
	}
	// Quick edits of one route may be told as one.
	if c.writes > changes || c.writes < changes-30 {
		t.Errorf("%d writes for %d changes", c.writes, changes)
	}
	if extra := c.attempts - before - 300; extra > 15 {
		t.Errorf("%d attempts too many for 300 changes", extra)
	}
	if n := c.reads - read; n > 0 {
		t.Errorf("%d reads for 300 changes that the watch has shown", n)
	}
	writes, attempts, reads := c.writes, c.attempts, c.reads
	for range 48 {
		for _, p := range c.replicas {
			for k, r := range c.routes {
				p.receive(delivery{to: p, key: k, route: r})
			}
		}
		c.run(t, 30*time.Minute)
	}
	if c.writes != writes || c.attempts != attempts || c.reads != reads {
		t.Errorf("a day without changes: %d writes, %d attempts, %d reads", c.writes-writes, c.attempts-attempts, c.reads-reads)
	}
}

func TestAnotherReplicaTakesOverWhenTheFirstCannotWrite(t *testing.T) {
	c := newCluster()
	for _, name := range []string{"one", "two", "three"} {
		c.join(name, "", lag)
	}
	c.create("r", "www.example.org")
	c.run(t, 10*time.Second)
	var leader *replica
	for _, p := range c.replicas {
		if p.writer.role == first {
			leader = p
		}
	}
	if leader == nil {
		t.Fatal("nobody has learned to go first")
	}
	leader.dead = true
	at := c.now
	c.edit(key("r"), func(r *routev1.Route) { r.Spec.Host = "b.example.org" })
	for c.entry(t, "r").Host != "b.example.org" && c.now.Before(at.Add(time.Minute)) {
		c.run(t, 10*time.Millisecond)
	}
	if took := c.now.Sub(at); took > 3500*time.Millisecond {
		t.Errorf("taking over took %s", took)
	}
	if c.writes != 2 {
		t.Errorf("%d writes", c.writes)
	}
}

func TestWhatAReplicaFindsOfItsOwnDoesNotMakeItWait(t *testing.T) {
	c := newCluster()
	p := c.join("one", "", lag)
	c.create("r", "www.example.org")
	c.run(t, 5*time.Second)
	p.writer.Remove(key("r"), nil)
	p.writer.Set(*admit(c.routes[key("r")]))
	c.run(t, 5*time.Second)
	if c.writes != 1 || p.writer.role != first {
		t.Errorf("%d writes, role %v", c.writes, p.writer.role)
	}
}
