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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/model"
)

const lag = 20 * time.Millisecond

// writingRoles are those of a replica that writes.
var writingRoles = map[string]Role{"alone": Alone, "leading": Leading}

func TestARouteGetsItsEntryOnceAndThenNothingIsWritten(t *testing.T) {
	for name, role := range writingRoles {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(t *testing.T, c *cluster) {
				p := c.joinAs(role, "one", "router.example.org", lag, admit)
				c.create("r", "www.example.org")
				c.run(time.Second)
				e := c.entry("r")
				if e == nil || e.Host != "www.example.org" || e.WildcardPolicy != routev1.WildcardPolicyNone || e.RouterCanonicalHostname != "router.example.org" {
					t.Fatalf("entry is %+v", e)
				}
				if a := c.admitted("r"); a == nil || a.Status != corev1.ConditionTrue || a.Reason != "" || a.Message != "" || a.LastTransitionTime == nil || a.LastTransitionTime.Nanosecond() != 0 {
					t.Errorf("condition is %+v", a)
				}
				for range 20 { // resyncs
					p.again(key("r"))
					c.run(time.Hour)
				}
				if got := c.requests(); got != (requests{writes: 1, attempts: 1}) {
					t.Errorf("%+v, want one request", got)
				}
			})
		})
	}
}

// Messages repeat what tenants and HAProxy have said, whatever bytes these are.
func TestAnyMessageIsWrittenOnce(t *testing.T) {
	for _, m := range []string{"plain", "\xff\xfe in a block's type", "NUL \x00 and \u2028 < & >", strings.Repeat("ü", maxMessage), strings.Repeat("x", 1<<20)} {
		inCluster(t, func(t *testing.T, c *cluster) {
			for _, name := range []string{"one", "two"} {
				c.joinAs(Alone, name, "", lag, func(r *routev1.Route) *Desired {
					d := admit(r)
					d.Admitted, d.Reason, d.Message = false, "ExtendedValidationFailed", m
					d.ExtraConditions = []routev1.RouteIngressCondition{{Type: "SettingsIgnored", Status: corev1.ConditionTrue, Reason: "InvalidSettings", Message: m}}
					return d
				})
			}
			c.create("r", "www.example.org")
			c.run(time.Hour)
			if n := c.writesSoFar(); n != 1 {
				t.Errorf("%.20q: %d writes, want 1", m, n)
			}
			a := c.admitted("r")
			if a == nil || len(a.Message) > maxMessage || !utf8.ValidString(a.Message) || len(m) <= maxMessage && utf8.ValidString(m) && a.Message != m {
				t.Errorf("%.20q: condition is %+v", m, a)
			}
		})
	}
}

func rejected(reason string) func(*routev1.Route) *Desired {
	return func(r *routev1.Route) *Desired {
		d := admit(r)
		d.Admitted, d.Reason, d.Message = false, reason, "m"
		return d
	}
}

func TestTheTransitionTimeIsThatOfTheCondition(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		p := c.join("one", "", lag)
		c.create("r", "www.example.org")
		c.run(time.Minute)
		before := c.admitted("r").LastTransitionTime
		c.edit(key("r"), func(r *routev1.Route) { r.Spec.Host = "other.example.org" })
		c.run(time.Minute)
		e := c.entry("r")
		if e.Host != "other.example.org" || !condition(e, routev1.RouteAdmitted).LastTransitionTime.Equal(before) {
			t.Errorf("after a change of the host: %+v", e)
		}
		p.says(told("nobody", false))
		c.run(time.Minute)
		if e := c.entry("r"); len(e.Conditions) != 2 || !condition(e, routev1.RouteAdmitted).LastTransitionTime.Equal(before) {
			t.Errorf("with another condition: %+v", e)
		}
		p.says(rejected("HostAlreadyClaimed"))
		c.run(time.Minute)
		a := c.admitted("r")
		if a.Status != corev1.ConditionFalse || a.Reason != "HostAlreadyClaimed" || a.Message != "m" || !a.LastTransitionTime.After(before.Time) {
			t.Errorf("after the rejection: %+v", a)
		}
		if n := c.writesSoFar(); n != 4 {
			t.Errorf("%d writes, want 4", n)
		}
	})
}

func TestChangesOfOneRouteAreCoalesced(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		p := c.joinAs(Leading, "one", "", lag, nothing)
		r := c.create("r", "a.example.org")
		for i := range 100 {
			d := *admit(r)
			d.Host = fmt.Sprintf("h%d.example.org", i)
			p.writer.Set(d)
		}
		c.run(time.Minute)
		if e, n := c.entry("r"), c.writesSoFar(); n != 1 || e.Host != "h99.example.org" {
			t.Errorf("%d writes, entry %+v", n, e)
		}
	})
}

func TestFailuresAreRetried(t *testing.T) {
	tests := []struct {
		name string
		err  error
		kind string
	}{
		{"a refusal", apierrors.NewForbidden(routeResource, "r", errors.New("no")), "forbidden"},
		{"a time-out", context.DeadlineExceeded, "timeout"},
		{"a time-out of the server", apierrors.NewServerTimeout(routeResource, "update", 1), "timeout"},
		{"an overloaded server", apierrors.NewTooManyRequests("later", 7), "too_many_requests"},
		{"a broken connection", errors.New("connection reset"), "other"},
		{"a server that is broken", apierrors.NewInternalError(errors.New("no etcd")), "other"},
		{"a conflict that does not end", apierrors.NewConflict(routeResource, "r", errors.New("no")), "conflict"},
		{"an object that the server finds invalid", apierrors.NewInvalid(routev1.GroupVersion.WithKind("Route").GroupKind(), "r", nil), "invalid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inCluster(t, func(t *testing.T, c *cluster) {
				p := c.joinAs(Leading, "one", "", lag, admit)
				failing := true
				var last time.Time
				c.fail = func(string, string) error {
					if !failing {
						return nil
					}
					if delay, asked := apierrors.SuggestsClientDelay(tt.err); asked && time.Since(last) < time.Duration(delay)*time.Second {
						t.Errorf("tried again after %s", time.Since(last))
					}
					last = time.Now()
					return tt.err
				}
				fails := func(yes bool) {
					c.mu.Lock()
					defer c.mu.Unlock()
					failing = yes
				}
				c.create("r", "www.example.org")
				c.run(time.Hour)
				got := c.requests()
				if tries := got.attempts + got.reads; tries < 5 || tries > 90 {
					t.Errorf("%d requests in an hour of failures", tries)
				}
				if n := value(t, p.writer.metrics.failures.WithLabelValues(tt.kind)); n != got.attempts+got.reads {
					t.Errorf("%d failures are counted", n)
				}
				fails(false)
				c.run(100 * time.Second)
				if c.entry("r") == nil || c.writesSoFar() != 1 {
					t.Errorf("nothing was written after the failure ended")
				}
				// A first failure costs little time.
				fails(true)
				c.edit(key("r"), func(r *routev1.Route) { r.Spec.Host = "b.example.org" })
				c.run(3 * time.Second)
				fails(false)
				c.run(7 * time.Second)
				if e := c.entry("r"); e.Host != "b.example.org" {
					t.Errorf("entry is %+v", e)
				}
			})
		})
	}
}

// A tenant who edits a route all the time while writes fail costs no more
// requests than one who does not.
func TestEditsDoNotShortenTheTimeBetweenAttempts(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		c.joinAs(Leading, "one", "", lag, admit)
		c.fail = func(string, string) error { return apierrors.NewInternalError(errors.New("no etcd")) }
		c.create("r", "www.example.org")
		for i := range 600 {
			c.edit(key("r"), func(r *routev1.Route) { r.Annotations = map[string]string{"beat": fmt.Sprint(i)} })
			c.run(100 * time.Millisecond)
		}
		if got := c.requests(); got.attempts > 12 {
			t.Errorf("%d attempts in a minute", got.attempts)
		}
	})
}

func TestAConflictWithAnEditIsResolvedByTheWatch(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		c.joinAs(Leading, "one", "", lag, admit)
		c.create("r", "www.example.org")
		c.run(5 * time.Second)
		edits := 0
		c.fail = func(_, verb string) error {
			if verb == "update" && edits == 0 { // Somebody is between reading and writing.
				edits++
				c.editLocked(key("r"), func(r *routev1.Route) {
					r.Annotations = map[string]string{"a": "b"}
					r.Status.Ingress = append(r.Status.Ingress, routev1.RouteIngress{RouterName: "another"})
				})
			}
			return nil
		}
		c.edit(key("r"), func(r *routev1.Route) { r.Spec.Host = "b.example.org" })
		c.run(time.Second)
		r := c.route(key("r"))
		if e := c.entry("r"); e.Host != "b.example.org" || r.Annotations["a"] != "b" || len(r.Status.Ingress) != 2 {
			t.Errorf("route is %+v", r)
		}
		if got := c.requests(); got != (requests{writes: 2, attempts: 3}) {
			t.Errorf("%+v", got)
		}
	})
}

func TestAnEditThatIsNotSeenYetIsWaitedFor(t *testing.T) {
	for _, applied := range []string{"", "{}"} {
		inCluster(t, func(t *testing.T, c *cluster) {
			trim := func(r *routev1.Route) {
				if applied != "" {
					r.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: ""}
				}
			}
			p := c.joinAs(Leading, "one", "", 3*time.Second, nothing)
			old := c.create("r", "old.example.org")
			c.edit(key("r"), trim)
			p.says(func(r *routev1.Route) *Desired {
				d := *admit(r)
				if r.Spec.Host == old.Spec.Host {
					d.Admitted, d.Reason = false, "HostAlreadyClaimed"
				}
				return &d
			})
			// What the replica says is about what the route was before the edit.
			c.edit(key("r"), func(r *routev1.Route) { r.Spec.Host = "new.example.org" })
			c.run(2900 * time.Millisecond)
			got := c.requests()
			if got.writes != 0 {
				t.Errorf("an opinion about an older version was written: %+v", c.entry("r"))
			}
			if n := got.attempts + got.reads; n < 1 || n > 6 {
				t.Errorf("%d requests while the watch is behind", n)
			}
			c.run(4 * time.Second)
			if e, n := c.entry("r"), c.writesSoFar(); n != 1 || e.Host != "new.example.org" || e.Conditions[0].Status != corev1.ConditionTrue {
				t.Errorf("%d writes, entry %+v", n, e)
			}
		})
	}
}

func TestAVersionBeforeTheOwnWriteIsNoNews(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		p := c.joinAs(Leading, "one", "", lag, admit)
		older := c.create("r", "www.example.org")
		c.run(time.Minute)
		p.receive(delivery{key: key("r"), route: older})
		c.run(time.Minute)
		if got := c.requests(); got != (requests{writes: 1, attempts: 1}) {
			t.Errorf("%+v, want one request", got)
		}
	})
}

// What informers cut out of objects must not be taken out of the cluster's.
func TestAWriteKeepsWhatTheInformerDoesNotHave(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		r := c.create("r", "www.example.org")
		c.edit(key("r"), func(r *routev1.Route) { r.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: "{}"} })
		trimmed := c.route(key("r")).DeepCopy()
		trimmed.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: ""}
		p := c.joinAs(Leading, "one", "", time.Hour, nothing)
		p.writer.Observe(trimmed)
		p.writer.Set(*admit(r))
		c.run(5 * time.Second)
		if got := c.requests(); c.written == nil || c.written.Annotations[corev1.LastAppliedConfigAnnotation] != "{}" || got.reads != 1 {
			t.Errorf("%+v, written is %+v", got, c.written)
		}
	})
}

func TestADeletedRouteIsLetGo(t *testing.T) {
	for _, role := range []Role{Alone, Leading, Following} {
		inCluster(t, func(t *testing.T, c *cluster) {
			p := c.joinAs(role, "one", "", lag, admit)
			c.create("r", "www.example.org")
			c.run(5 * time.Second)
			p.writer.Set(Desired{Key: key("r"), UID: c.route(key("r")).UID, Host: "x.example.org"})
			c.remove(key("r"))
			c.run(time.Hour)
			if n := p.known(); n != 0 {
				t.Errorf("role %d: %d objects are remembered", role, n)
			}
			if got := c.requests(); got.attempts > 2 || got.reads > 1 {
				t.Errorf("role %d: %+v", role, got)
			}
		})
	}
}

func TestAnotherObjectOfTheNameIsNotWrittenTo(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		p := c.joinAs(Leading, "one", "", lag, admit)
		old := c.create("r", "www.example.org")
		c.run(5 * time.Second)
		c.remove(key("r"))
		c.create("r", "new.example.org")
		p.says(nothing)
		c.run(time.Minute)
		d := *admit(old)
		d.Host = "stale.example.org"
		p.writer.Set(d)
		p.again(key("r"))
		c.run(time.Hour)
		if e := c.entry("r"); e != nil {
			t.Errorf("the new object has %+v", e)
		}
	})
}

func TestARouteThatLeavesTheSelectionLosesTheEntry(t *testing.T) {
	for _, led := range []bool{true, false} {
		for _, watched := range []bool{true, false} {
			inCluster(t, func(t *testing.T, c *cluster) {
				for _, name := range []string{"one", "two", "three"} {
					c.join(name, "", lag)
				}
				if led {
					c.lead(c.replicas[1])
				}
				c.create("r", "www.example.org")
				c.edit(key("r"), func(r *routev1.Route) {
					r.Status.Ingress = []routev1.RouteIngress{{RouterName: "another", Host: "h"}}
				})
				c.run(5 * time.Second)
				if len(c.route(key("r")).Status.Ingress) != 2 {
					t.Fatal("no entry to begin with")
				}
				for _, p := range c.replicas {
					p.says(nothing)
					var known *routev1.Route
					if watched {
						known = c.route(key("r"))
					}
					p.writer.Remove(key("r"), known)
				}
				before := c.writesSoFar()
				c.run(10 * time.Second)
				if in := c.route(key("r")).Status.Ingress; len(in) != 1 || in[0].RouterName != "another" {
					t.Errorf("watched %v: entries are %+v", watched, in)
				}
				if n := c.writesSoFar() - before; n != 1 {
					t.Errorf("watched %v: %d writes", watched, n)
				}
				// Back in the selection, it is written again.
				for _, p := range c.replicas {
					p.says(admit)
				}
				c.run(10 * time.Second)
				if n := c.writesSoFar() - before; c.entry("r") == nil || n != 2 {
					t.Errorf("watched %v: back, but the entry is %+v after %d writes", watched, c.entry("r"), n)
				}
			})
		}
	}
}

func TestRemovingWhatIsGoneOrHasNoEntryWritesNothing(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		p := c.joinAs(Alone, "one", "", lag, nothing)
		c.create("r", "www.example.org")
		p.writer.Remove(key("r"), nil)
		p.writer.Remove(key("gone"), nil)
		c.run(time.Minute)
		if got := c.requests(); got.attempts != 0 || got.reads > 2 || p.known() > 1 {
			t.Errorf("%+v, %d objects are remembered", got, p.known())
		}
	})
}

func TestFiveReplicasWriteEachChangeOnce(t *testing.T) {
	for _, led := range []bool{true, false} {
		t.Run(fmt.Sprint("led ", led), func(t *testing.T) {
			inCluster(t, func(t *testing.T, c *cluster) { fiveReplicas(t, c, led) })
		})
	}
}

func fiveReplicas(t *testing.T, c *cluster, led bool) {
	const routes, edits = 200, 300
	rnd := rand.New(rand.NewPCG(3, 4))
	join := func(name string) *replica {
		return c.join(name, "router.example.org", time.Duration(5+rnd.IntN(100))*time.Millisecond)
	}
	elect := func() {
		if led {
			c.lead(c.replicas[rnd.IntN(len(c.replicas))])
		}
	}
	for i := range 5 {
		join(fmt.Sprint("replica-", i)).setPace(spread * time.Duration(i) / 5)
	}
	elect()
	for i := range routes {
		c.create(fmt.Sprint("r", i), "old.example.org")
	}
	c.run(time.Minute)
	if n := c.writesSoFar(); n != routes {
		t.Fatalf("%d writes for %d new routes", n, routes)
	}
	t.Logf("%d attempts for the first %d routes", c.requests().attempts, routes)
	before := c.requests()
	for i := range edits {
		c.edit(key(fmt.Sprint("r", rnd.IntN(routes))), func(r *routev1.Route) { r.Spec.Host = fmt.Sprintf("h%d.example.org", i) })
		c.run(time.Duration(rnd.IntN(3000)) * time.Millisecond)
		if i%50 == 0 { // A replica is replaced by a new one.
			at := rnd.IntN(len(c.replicas))
			pace := c.replicas[at].writer.pace
			c.replicas[at].stop()
			c.replicas = append(c.replicas[:at], c.replicas[at+1:]...)
			join(fmt.Sprint("later-", i)).setPace(pace)
			elect()
		}
	}
	c.run(time.Minute)
	for _, k := range c.keys() {
		if e := c.entry(k.Name); e.Host != c.route(k).Spec.Host {
			t.Errorf("%s says %s, want %s", k, e.Host, c.route(k).Spec.Host)
		}
	}
	// Quick edits of one route may be told as one.
	after := c.requests()
	if n := after.writes - before.writes; n > edits || n < edits-30 {
		t.Errorf("%d writes for %d changes", n, edits)
	}
	extra := after.attempts - before.attempts - edits
	if t.Logf("%d attempts too many for %d changes", extra, edits); led && extra > 0 || extra > edits/2 {
		t.Errorf("%d attempts too many for %d changes", extra, edits)
	}
	if after.reads > before.reads {
		t.Errorf("%d reads for changes that the watch has shown", after.reads-before.reads)
	}
	for range 48 {
		for _, p := range c.replicas {
			for _, k := range c.keys() {
				p.again(k)
			}
		}
		elect()
		c.run(30 * time.Minute)
	}
	if got := c.requests(); got != after {
		t.Errorf("a day without changes: %+v after %+v", got, after)
	}
}

// Followers keep what is to be written, and write what is missing once they lead.
func TestANewLeaderWritesWhatIsMissing(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		for _, name := range []string{"one", "two", "three"} {
			c.join(name, "", lag)
		}
		c.lead(c.replicas[0])
		for i := range 20 {
			c.create(fmt.Sprint("r", i), "www.example.org")
		}
		c.run(10 * time.Second)
		c.replicas[0].stop()
		const host = "b.example.org"
		for i := range 5 {
			c.edit(key(fmt.Sprint("r", i)), func(r *routev1.Route) { r.Spec.Host = host })
		}
		for _, p := range c.replicas[1:] {
			p.says(func(r *routev1.Route) *Desired {
				if r.Name == "r7" {
					return nil
				}
				return admit(r)
			})
			p.writer.Remove(key("r7"), nil)
		}
		c.run(18 * time.Second)
		if n := c.writesSoFar(); n != 20 {
			t.Errorf("without a leader there were %d writes", n-20)
		}
		c.lead(c.replicas[2])
		c.run(time.Second)
		if n := c.writesSoFar(); n != 26 || c.entry("r4").Host != host || c.entry("r7") != nil {
			t.Errorf("%d writes of the new leader, want 6", n-20)
		}
	})
}

// Whoever leads has the word, and a version that says something else begins to
// when it leads.
func TestFollowersDoNotContradict(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		older := c.joinAs(Leading, "old", "", lag, rejected("HostAlreadyClaimed"))
		newer := c.joinAs(Following, "new", "", lag, admit)
		for i := range 10 {
			c.create(fmt.Sprint("r", i), "www.example.org")
		}
		c.run(time.Hour)
		if n := c.writesSoFar(); n != 10 || c.admitted("r3").Reason != "HostAlreadyClaimed" {
			t.Errorf("%d writes, %+v", n, c.admitted("r3"))
		}
		older.stop()
		c.lead(newer)
		c.run(2 * time.Second)
		if n := c.writesSoFar(); n != 20 || c.admitted("r3").Reason != "" {
			t.Errorf("%d writes, %+v", n, c.admitted("r3"))
		}
		c.run(time.Hour)
		if n := c.writesSoFar(); n != 20 || value(t, newer.writer.metrics.contended)+value(t, older.writer.metrics.contended) > 0 {
			t.Errorf("%d writes, or contention", n)
		}
	})
}

// A namespace with many changes does not hold up another's.
func TestANamespaceWithManyChangesDoesNotHoldUpOthers(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		c.latency = 20 * time.Millisecond
		c.joinAs(Leading, "one", "", lag, admit)
		for i := range 1000 {
			c.create(fmt.Sprint("r", i), "www.example.org")
		}
		c.run(time.Second)
		if n := c.writesSoFar(); n > 300 {
			t.Fatalf("%d writes already", n)
		}
		other := model.RouteKey{Namespace: "quiet", Name: "r"}
		c.mu.Lock()
		c.put(&routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: other.Namespace, Name: other.Name, UID: "quiet"}, Spec: routev1.RouteSpec{Host: "q.example.org"}})
		c.mu.Unlock()
		c.run(500 * time.Millisecond)
		if r := c.route(other); len(r.Status.Ingress) != 1 {
			t.Errorf("after %d writes the other namespace waits", c.writesSoFar())
		}
	})
}
