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

// message is that of the condition Degraded, "" without it.
func (c *cluster) message() string {
	c.t.Helper()
	if d := condition(c.entry("r"), "Degraded"); d != nil {
		return d.Message
	}
	return ""
}

// What a replica has not made up its mind about, it leaves to the others, and
// to the one that it was before it was started again.
func TestWhatIsUnsettledIsLeftAlone(t *testing.T) { inCluster(t, unsettled) }

func unsettled(t *testing.T, c *cluster) {
	one := c.joinAs(Alone, "one", "", lag, told("nobody", false))
	c.create("r", "www.example.org")
	c.run(5 * time.Second)
	if c.writesSoFar() != 1 || c.message() != "nobody" {
		t.Fatalf("%d writes, message %q", c.writesSoFar(), c.message())
	}

	// Others come, and this one comes back.
	for i, name := range []string{"two", "three", "one again"} {
		c.joinAs(Alone, name, "", lag, told("", true)).setPace(time.Duration(i) * 100 * time.Millisecond)
	}
	one.stop()
	c.run(time.Hour)
	if n := c.writesSoFar(); n != 1 {
		t.Fatalf("a start cost %d writes", n-1)
	}
	// What else there is to say does not take it back.
	c.edit(key("r"), func(r *routev1.Route) { r.Spec.Host = "other.example.org" })
	c.run(time.Minute)
	if e := c.entry("r"); c.writesSoFar() != 2 || e.Host != "other.example.org" || c.message() != "nobody" {
		t.Fatalf("%d writes, entry %+v", c.writesSoFar(), e)
	}
	// They agree one after the other; what they agree on stands there.
	for _, p := range c.replicas[1:] {
		p.says(told("nobody", false))
		c.run(3 * time.Second)
	}
	if n := c.writesSoFar(); n != 2 {
		t.Fatalf("agreeing cost %d writes", n-2)
	}
	// It is over: told once, whoever sees it first.
	for _, p := range c.replicas[1:] {
		p.says(told("", false))
		c.run(300 * time.Millisecond)
	}
	c.run(time.Minute)
	if c.writesSoFar() != 3 || c.message() != "" {
		t.Fatalf("%d writes, message %q", c.writesSoFar(), c.message())
	}
	// And again: one of them is earlier, and nobody contradicts.
	for _, p := range c.replicas[1:] {
		p.says(told("", true))
	}
	c.run(time.Second)
	c.replicas[2].says(told("nobody", false))
	c.run(30 * time.Second)
	if c.writesSoFar() != 4 || c.message() != "nobody" {
		t.Fatalf("%d writes, message %q", c.writesSoFar(), c.message())
	}
	for _, p := range c.replicas[1:] {
		p.says(told("nobody", false))
	}
	c.run(time.Hour)
	if got := c.requests(); got.writes != 4 || got.attempts != 4 {
		t.Errorf("%+v", got)
	}
}
