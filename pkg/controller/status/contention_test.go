package status

import (
	"fmt"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
)

// A replica that sees a change of something else, such as a namespace, later
// than the others must not take their opinion back.
func TestALateReplicaDoesNotContradict(t *testing.T) {
	c := newCluster()
	allowed := map[string]bool{"one": true, "two": true}
	opinion := func(name string) func(*routev1.Route) *Desired {
		return func(r *routev1.Route) *Desired {
			d := admit(r)
			if d.Admitted = allowed[name]; !d.Admitted {
				d.Reason = "HostAlreadyClaimed"
			}
			return d
		}
	}
	for _, name := range []string{"one", "two"} {
		c.join(name, "", lag).opinion = opinion(name)
	}
	c.create("r", "www.example.org")
	c.run(t, 10*time.Second)
	for i := range 10 {
		order := []string{"one", "two"}
		if i%4 > 1 {
			order = []string{"two", "one"}
		}
		for _, name := range order {
			allowed[name] = i%2 == 1
			for _, p := range c.replicas {
				if p.name == name {
					p.receive(delivery{to: p, key: key("r"), route: c.routes[key("r")]})
				}
			}
			c.run(t, 800*time.Millisecond)
		}
		c.run(t, 10*time.Second)
	}
	if c.writes != 11 {
		t.Errorf("%d writes for 11 changes", c.writes)
	}
}

func TestRoutersOfOneNameThatDisagreeStop(t *testing.T) {
	c := newCluster()
	contended := &tally{}
	for _, name := range []string{"one", "two"} {
		c.join(name, name+".example.org", lag).writer.o.Metrics.Contended = contended
	}
	for i := range 50 {
		c.create(fmt.Sprint("r", i), "www.example.org")
	}
	c.run(t, 3*time.Minute)
	if c.writes > 50*2+2*strikesOfAll {
		t.Errorf("%d writes of 50 routes in the first minutes", c.writes)
	}
	if contended.n == 0 || c.replicas[0].writer.Stats().Contended+c.replicas[1].writer.Stats().Contended == 0 {
		t.Error("no contention was counted")
	}
	before := c.writes
	c.run(t, time.Hour)
	if perMinute := float64(c.writes-before) / 60; perMinute > 15 {
		t.Errorf("%.1f writes a minute in a fight that lasts", perMinute)
	}
	// A real change is told at once all the same.
	for _, p := range c.replicas {
		p.opinion = func(r *routev1.Route) *Desired { d := admit(r); d.Admitted, d.Reason = false, "InvalidHost"; return d }
	}
	c.edit(key("r7"), func(r *routev1.Route) { r.Spec.Host = "b_.example.org" })
	c.run(t, 5*time.Second)
	if e := c.entry(t, "r7"); e.Host != "b_.example.org" || e.Conditions[0].Reason != "InvalidHost" {
		t.Errorf("entry is %+v", e)
	}
	// Once one of them is gone, the other has its way.
	c.replicas[1].dead = true
	c.run(t, time.Hour)
	for k := range c.routes {
		if e := c.entry(t, k.Name); e.RouterCanonicalHostname != "one.example.org" {
			t.Errorf("%s: %+v", k, e)
		}
	}
	before = c.writes
	c.run(t, 24*time.Hour)
	if c.writes != before {
		t.Errorf("%d writes after the fight", c.writes-before)
	}
}

// A secret breaks: replicas that have seen it good go on serving the route, one
// that starts afterwards cannot. They do not fight about it.
func TestReplicasThatHaveForgottenAreNotContradictedForEver(t *testing.T) {
	const reason = "ExternalCertificateSecretDeleted"
	remembers := func(r *routev1.Route) *Desired {
		d := admit(r)
		d.Reason, d.Message = reason, "deleted; the last good certificate is served"
		return d
	}
	forgot := func(r *routev1.Route) *Desired {
		d := admit(r)
		d.Admitted, d.Reason, d.Message, d.OthersMayServe = false, "ExternalCertificateValidationFailed", "not found", true
		return d
	}
	c := newCluster()
	contended := &tally{}
	join := func(name string, opinion func(*routev1.Route) *Desired) *replica {
		p := c.join(name, "", lag)
		p.opinion, p.writer.o.Metrics.Contended = opinion, contended
		return p
	}
	const routes = 10
	for i := range 3 {
		join(fmt.Sprint("old-", i), remembers)
	}
	for i := range routes {
		c.create(fmt.Sprint("r", i), "www.example.org")
	}
	c.run(t, time.Minute)
	all := func(when string, want corev1.ConditionStatus) {
		t.Helper()
		for k := range c.routes {
			if a := condition(c.entry(t, k.Name), routev1.RouteAdmitted); a.Status != want {
				t.Errorf("%s: %s: %+v", when, k, a)
			}
		}
	}
	all("with three replicas", corev1.ConditionTrue)
	for i := range 2 {
		before := c.writes
		c.replicas[i].dead = true
		join(fmt.Sprint("new-", i), forgot)
		c.run(t, 20*time.Minute)
		all("while one serves", corev1.ConditionTrue)
		if got := c.writes - before; got > 2*routes {
			t.Errorf("a restart took %d writes of %d routes", got, routes)
		}
	}
	before := c.writes
	c.run(t, 24*time.Hour)
	all("a day later", corev1.ConditionTrue)
	if perDay := (c.writes - before) / routes; perDay > 2*24*2 {
		t.Errorf("%d writes a day for each route", perDay)
	}
	if contended.n > 0 {
		t.Errorf("contention was counted %d times", contended.n)
	}
	// When the last one is gone that served, and nobody starts in its place,
	// the others find out.
	c.replicas[2].dead = true
	c.run(t, 2*time.Hour)
	all("when nobody serves", corev1.ConditionFalse)
	before = c.writes
	c.run(t, 24*time.Hour)
	if c.writes != before {
		t.Errorf("%d writes when all agree", c.writes-before)
	}
}

func TestAnEntryThatIsTakenAwayIsPutBack(t *testing.T) {
	c := newCluster()
	c.join("one", "", lag)
	for i := range 100 {
		c.create(fmt.Sprint("r", i), "www.example.org")
	}
	c.run(t, 10*time.Second)
	for range 5 {
		for i := range 100 {
			c.edit(key(fmt.Sprint("r", i)), func(r *routev1.Route) { r.Status = routev1.RouteStatus{} })
		}
		c.run(t, 10*time.Second)
		for k := range c.routes {
			if c.entry(t, k.Name) == nil {
				t.Fatalf("%s has no entry", k)
			}
		}
	}
}

type tally struct{ n int }

func (c *tally) Inc() { c.n++ }
