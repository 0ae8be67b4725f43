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
	inCluster(t, func(t *testing.T, c *cluster) {
		for _, name := range []string{"one", "two"} {
			c.join(name, "", lag)
		}
		c.create("r", "www.example.org")
		c.run(10 * time.Second)
		for i := range 10 {
			order := []int{0, 1}
			if i%4 > 1 {
				order = []int{1, 0}
			}
			opinion := rejected("HostAlreadyClaimed")
			if i%2 == 1 {
				opinion = admit
			}
			for _, at := range order {
				c.replicas[at].says(opinion)
				c.run(800 * time.Millisecond)
			}
			c.run(10 * time.Second)
		}
		if n := c.writesSoFar(); n != 11 {
			t.Errorf("%d writes for 11 changes", n)
		}
	})
}

// Two deployments with one name and different configuration, each with a leader
// of its own or with none.
func TestRoutersOfOneNameThatDisagreeStop(t *testing.T) {
	for name, role := range writingRoles {
		t.Run(name, func(t *testing.T) { inCluster(t, func(t *testing.T, c *cluster) { disagree(t, c, role) }) })
	}
}

func disagree(t *testing.T, c *cluster, role Role) {
	const routes = 50
	for _, name := range []string{"one", "two"} {
		c.joinAs(role, name, name+".example.org", lag, admit)
	}
	for i := range routes {
		c.create(fmt.Sprint("r", i), "www.example.org")
	}
	c.run(3 * time.Minute)
	if n := c.writesSoFar(); n > routes*(2+2*soonOverwrites) {
		t.Errorf("%d writes of %d routes in the first minutes", n, routes)
	}
	before := c.writesSoFar()
	c.run(time.Hour)
	if perMinute := float64(c.writesSoFar()-before) / 60; perMinute > 15 {
		t.Errorf("%.1f writes a minute in a fight that lasts", perMinute)
	}
	if value(t, c.replicas[0].writer.metrics.contended)+value(t, c.replicas[1].writer.metrics.contended) == 0 {
		t.Error("no contention was counted")
	}
	// A real change is told at once all the same.
	for _, p := range c.replicas {
		p.says(rejected("InvalidHost"))
	}
	c.edit(key("r7"), func(r *routev1.Route) { r.Spec.Host = "b_.example.org" })
	c.run(5 * time.Second)
	if e := c.entry("r7"); e.Host != "b_.example.org" || e.Conditions[0].Reason != "InvalidHost" {
		t.Errorf("entry is %+v", e)
	}
	// Once one of them is gone, the other has its way.
	c.replicas[1].stop()
	c.run(time.Hour)
	for _, k := range c.keys() {
		if e := c.entry(k.Name); e.RouterCanonicalHostname != "one.example.org" {
			t.Errorf("%s: %+v", k, e)
		}
	}
	before = c.writesSoFar()
	c.run(24 * time.Hour)
	if n := c.writesSoFar() - before; n != 0 {
		t.Errorf("%d writes after the fight", n)
	}
}

// Many routes over which two routers fight cost no more than a write a second
// of each of them.
func TestAFightAboutManyRoutesIsBounded(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		for _, name := range []string{"one", "two"} {
			c.joinAs(Leading, name, name+".example.org", lag, admit)
		}
		for i := range 2000 {
			c.create(fmt.Sprint("r", i), "www.example.org")
		}
		c.run(10 * time.Minute)
		before := c.writesSoFar()
		c.run(10 * time.Minute)
		if n := c.writesSoFar() - before; n > 2*10*60 {
			t.Errorf("%d writes in ten minutes", n)
		}
	})
}

// A secret breaks: replicas that have seen it good go on serving the route, one
// that starts afterwards cannot. They do not fight about it, whoever leads.
func TestReplicasThatHaveForgottenAreNotContradictedForEver(t *testing.T) {
	for _, led := range []bool{true, false} {
		t.Run(fmt.Sprint("led ", led), func(t *testing.T) { inCluster(t, func(t *testing.T, c *cluster) { forgotten(t, c, led) }) })
	}
}

func forgotten(t *testing.T, c *cluster, led bool) {
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
	join := func(name string, opinion func(*routev1.Route) *Desired) *replica {
		role := Alone
		if led {
			role = Following
		}
		return c.joinAs(role, name, "", lag, opinion)
	}
	const routes = 10
	for i := range 3 {
		join(fmt.Sprint("old-", i), remembers)
	}
	if led {
		c.lead(c.replicas[0])
	}
	for i := range routes {
		c.create(fmt.Sprint("r", i), "www.example.org")
	}
	c.run(time.Minute)
	// What one replica has just said is contradicted within seconds.
	all := func(when string, want corev1.ConditionStatus) {
		t.Helper()
		for _, k := range c.keys() {
			if c.admitted(k.Name).Status != want {
				c.run(2 * soonAfter)
			}
			if a := c.admitted(k.Name); a.Status != want {
				t.Errorf("%s: %s: %+v", when, k, a)
			}
		}
	}
	all("with three replicas", corev1.ConditionTrue)
	for i := range 2 {
		before := c.writesSoFar()
		c.replicas[i].stop()
		p := join(fmt.Sprint("new-", i), forgot)
		if led {
			c.lead(p)
		}
		c.run(20 * time.Minute)
		all("while one serves", corev1.ConditionTrue)
		if n := c.writesSoFar() - before; n > 2*routes {
			t.Errorf("a restart took %d writes of %d routes", n, routes)
		}
	}
	before := c.writesSoFar()
	c.run(24*time.Hour + 11*time.Minute)
	all("a day later", corev1.ConditionTrue)
	if perDay := (c.writesSoFar() - before) / routes; perDay > 2*24*2 {
		t.Errorf("%d writes a day for each route", perDay)
	}
	for _, p := range c.replicas {
		if n := value(t, p.writer.metrics.contended); n > 0 {
			t.Errorf("contention was counted %d times", n)
		}
	}
	// When the last one is gone that served, and nobody starts in its place,
	// the others find out.
	c.replicas[2].stop()
	c.run(2 * time.Hour)
	all("when nobody serves", corev1.ConditionFalse)
	before = c.writesSoFar()
	c.run(24 * time.Hour)
	if n := c.writesSoFar() - before; n != 0 {
		t.Errorf("%d writes when all agree", n)
	}
}

// An only replica that has forgotten says so at once.
func TestNobodyServesAfterARestart(t *testing.T) {
	for name, role := range writingRoles {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(t *testing.T, c *cluster) {
				p := c.joinAs(role, "old", "", lag, func(r *routev1.Route) *Desired {
					d := admit(r)
					d.Reason = "ExternalCertificateSecretDeleted"
					return d
				})
				c.create("r", "www.example.org")
				c.run(time.Minute)
				p.stop()
				c.joinAs(role, "new", "", lag, func(r *routev1.Route) *Desired {
					d := rejected("ExternalCertificateValidationFailed")(r)
					d.OthersMayServe = true
					return d
				})
				c.run(time.Second)
				if a := c.admitted("r"); a.Status != corev1.ConditionFalse {
					t.Errorf("condition is %+v", a)
				}
			})
		})
	}
}

func TestAnEntryThatIsTakenAwayIsPutBack(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		c.joinAs(Leading, "one", "", lag, admit)
		for i := range 100 {
			c.create(fmt.Sprint("r", i), "www.example.org")
		}
		c.run(10 * time.Second)
		for range 5 {
			for i := range 100 {
				c.edit(key(fmt.Sprint("r", i)), func(r *routev1.Route) { r.Status = routev1.RouteStatus{} })
			}
			c.run(10 * time.Second)
			for _, k := range c.keys() {
				if c.entry(k.Name) == nil {
					t.Fatalf("%s has no entry", k)
				}
			}
		}
	})
}

// An API server that takes a write and does not keep it is not asked all the
// time.
func TestAWriteThatIsNotKeptIsNotRepeatedAtOnce(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		c.loses = true
		c.joinAs(Leading, "one", "", lag, admit)
		c.create("r", "www.example.org")
		c.run(time.Minute)
		if n := c.writesSoFar(); n < 2 || n > 60 {
			t.Errorf("%d writes in a minute", n)
		}
	})
}
