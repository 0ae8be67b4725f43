package status

import (
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
)

// told is the opinion that a route is admitted, and degraded with a message if
// there is one.
func told(message string, unsettled bool) func(*routev1.Route) *Desired {
	return func(r *routev1.Route) *Desired {
		d := admit(r)
		if message != "" {
			d.ExtraConditions = []routev1.RouteIngressCondition{{Type: "Degraded", Status: corev1.ConditionTrue, Reason: "NoEndpoints", Message: message}}
		}
		if unsettled {
			d.Unsettled = "Degraded"
		}
		return d
	}
}

func (p *replica) decides(opinion func(*routev1.Route) *Desired) {
	p.opinion = opinion
	p.receive(delivery{to: p, key: key("r"), route: p.api.routes[key("r")]})
}

// message is that of the condition Degraded, "" without it.
func (c *cluster) message(t *testing.T) string {
	t.Helper()
	if d := condition(c.entry(t, "r"), "Degraded"); d != nil {
		return d.Message
	}
	return ""
}

// What a replica has not made up its mind about, it leaves to the others, and
// to the one that it was before it was started again.
func TestWhatIsUnsettledIsLeftAlone(t *testing.T) {
	c := newCluster()
	one := c.join("one", "", lag)
	one.opinion = told("nobody", false)
	c.create("r", "www.example.org")
	c.run(t, 5*time.Second)
	if c.writes != 1 || c.message(t) != "nobody" {
		t.Fatalf("%d writes, message %q", c.writes, c.message(t))
	}

	// Others come, and this one comes back.
	for _, name := range []string{"two", "three", "one again"} {
		c.join(name, "", lag).opinion = told("", true)
	}
	one.dead = true
	c.run(t, time.Hour)
	if c.writes != 1 {
		t.Fatalf("a start cost %d writes", c.writes-1)
	}
	// What else there is to say does not take it back.
	c.edit(key("r"), func(r *routev1.Route) { r.Spec.Host = "other.example.org" })
	c.run(t, time.Minute)
	if e := c.entry(t, "r"); c.writes != 2 || e.Host != "other.example.org" || c.message(t) != "nobody" {
		t.Fatalf("%d writes, entry %+v", c.writes, e)
	}
	// They agree one after the other; what they agree on stands there.
	for _, p := range c.replicas[1:] {
		p.decides(told("nobody", false))
		c.run(t, 3*time.Second)
	}
	if c.writes != 2 {
		t.Fatalf("agreeing cost %d writes", c.writes-2)
	}
	// It is over: told once, whoever sees it first.
	for _, p := range c.replicas[1:] {
		p.decides(told("", false))
		c.run(t, 300*time.Millisecond)
	}
	c.run(t, time.Minute)
	if c.writes != 3 || c.message(t) != "" {
		t.Fatalf("%d writes, message %q", c.writes, c.message(t))
	}
	// And again: one of them is earlier, and nobody contradicts.
	for _, p := range c.replicas[1:] {
		p.decides(told("", true))
	}
	c.run(t, time.Second)
	c.replicas[2].decides(told("nobody", false))
	c.run(t, 30*time.Second)
	if c.writes != 4 || c.message(t) != "nobody" {
		t.Fatalf("%d writes, message %q", c.writes, c.message(t))
	}
	for _, p := range c.replicas[1:] {
		p.decides(told("nobody", false))
	}
	c.run(t, time.Hour)
	if c.writes != 4 || c.attempts != 4 {
		t.Errorf("%d writes in %d attempts", c.writes, c.attempts)
	}
}
