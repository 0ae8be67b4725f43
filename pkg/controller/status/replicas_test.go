package status_test

import (
	"fmt"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/controller/admission"
	"router/pkg/model"
	"router/test/kubetest"
)

// replicas are routers of one name and configuration.
type replicas []*router

func (rs replicas) join(t *testing.T, c *kubetest.Cluster, name string) replicas {
	t.Helper()
	index := admission.NewIndex(admission.Options{Validate: true, Now: time.Now})
	return append(rs, start(t, c, name, "shard=one", func(string) *admission.Index { return index }))
}

func (rs replicas) writes() (n int64) {
	for _, r := range rs {
		n += r.writes.Load()
	}
	return n
}

func (rs replicas) late() (n int64) {
	for _, r := range rs {
		n += r.network.late.Load()
	}
	return n
}

func (rs replicas) pending() (n int) {
	for _, r := range rs {
		n += r.writer.Stats().Pending
	}
	return n
}

// busiest is the one that has written most since the counts were taken.
func (rs replicas) busiest(since []int64) *router {
	best := 0
	for i, r := range rs {
		if r.writes.Load()-since[i] > rs[best].writes.Load()-since[best] {
			best = i
		}
	}
	return rs[best]
}

func (rs replicas) counts() (n []int64) {
	for _, r := range rs {
		n = append(n, r.writes.Load())
	}
	return n
}

// calm waits until no replica has anything to do, and complains of any other
// number of writes than expected.
func (l *lab) calm(rs replicas, what string, before, writes int64) {
	l.t.Helper()
	l.eventually(what+": calm", 30*time.Second, func() string {
		if n := rs.pending(); n > 0 {
			return fmt.Sprintf("%d routes are pending", n)
		}
		return ""
	})
	if got := rs.writes() - before; got != writes {
		l.t.Errorf("%s: %d writes, want %d", what, got, writes)
	}
}

func TestFiveReplicasOnARealAPIServer(t *testing.T) {
	l := newLab(t)
	l.namespace("red")
	l.namespace("green")
	var rs replicas
	for i := range 5 {
		rs = rs.join(t, l.Cluster, fmt.Sprint("replica-", i))
	}
	winner := func(i int) model.RouteKey { return model.RouteKey{Namespace: "red", Name: fmt.Sprint("r", i)} }
	loser := func(i int) model.RouteKey { return model.RouteKey{Namespace: "green", Name: fmt.Sprint("r", i)} }
	host := func(i int) string { return fmt.Sprintf("h%d.example.org", i) }
	const hosts, rivals = 60, 20

	// New routes: one write each.
	add := func(k model.RouteKey, host string) {
		t.Helper()
		if _, err := l.create(k, routev1.RouteSpec{Host: host}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range hosts {
		add(winner(i), host(i))
	}
	l.nextSecond()
	for i := range rivals {
		add(loser(i), host(i))
	}
	for i := range hosts {
		l.eventually("a new route is admitted", 30*time.Second, func() string { return l.says(winner(i), host(i), "") })
	}
	for i := range rivals {
		l.eventually("a rival is told", 30*time.Second, func() string { return l.says(loser(i), host(i), "HostAlreadyClaimed") })
	}
	l.calm(rs, "new routes", 0, hosts+rivals)
	t.Logf("%d writes of %d new routes; %d came late", rs.writes(), hosts+rivals, rs.late())

	// Edits: one write each, at once, by whoever has learned to go first.
	before, late, counts := rs.writes(), rs.late(), rs.counts()
	var slowest time.Duration
	for i := rivals; i < hosts; i++ {
		l.edit(winner(i), func(r *routev1.Route) { r.Spec.Host = "new-" + host(i) })
		slowest = max(slowest, l.eventually("an edit is told", 10*time.Second, func() string { return l.says(winner(i), "new-"+host(i), "") }))
	}
	l.calm(rs, "edits", before, hosts-rivals)
	t.Logf("the slowest of %d edits was told after %s; %d writes came late", hosts-rivals, slowest, rs.late()-late)

	// A winner's deletion admits the runner-up.
	before, slowest = rs.writes(), 0
	for i := range rivals {
		l.remove(winner(i))
		slowest = max(slowest, l.eventually("a runner-up is admitted", 10*time.Second, func() string { return l.says(loser(i), host(i), "") }))
	}
	l.calm(rs, "deletions", before, rivals)
	t.Logf("the slowest of %d runners-up was told after %s", rivals, slowest)
	if slowest > time.Second {
		t.Errorf("a runner-up was told after %s", slowest)
	}

	// What all have seen again and again is not written again.
	before = rs.writes()
	for range 20 {
		for _, r := range rs {
			r.mu.Lock()
			for k, route := range r.routes {
				r.writer.Observe(route)
				r.tell(k, r.indexFor(k.Namespace))
			}
			r.mu.Unlock()
		}
	}
	l.edit(winner(rivals), func(r *routev1.Route) { r.Annotations["unrelated"] = "yes" })
	l.calm(rs, "the steady state", before, 0)

	// The one that goes first may not write any longer, or hangs, or is gone.
	for _, how := range []string{"forbidden", "hanging", "gone"} {
		before = rs.writes()
		leader := rs.busiest(counts)
		counts = rs.counts()
		if how == "gone" {
			leader.stop()
		} else {
			leader.broken.Store(how)
		}
		l.edit(winner(hosts-1), func(r *routev1.Route) { r.Spec.Host = how + ".example.org" })
		took := l.eventually("another takes over", 20*time.Second, func() string { return l.says(winner(hosts-1), how+".example.org", "") })
		t.Logf("%s: another took over after %s", how, took)
		leader.broken.Store("")
		if how != "gone" {
			l.calm(rs, how, before, 1)
		}
	}
	rs = rs.join(t, l.Cluster, "replica-5")

	// A route that leaves the selection loses the entry, and no other's.
	before = rs.writes()
	k := winner(hosts - 2)
	r, err := l.routes.RouteV1().Routes(k.Namespace).Get(t.Context(), k.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r.Status.Ingress = append(r.Status.Ingress, routev1.RouteIngress{RouterName: "another", Host: "h"})
	if _, err := l.routes.RouteV1().Routes(k.Namespace).UpdateStatus(t.Context(), r, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	l.edit(k, func(r *routev1.Route) { r.Labels["shard"] = "two" })
	took := l.eventually("the entry is taken out", 10*time.Second, func() string {
		r, err := l.routes.RouteV1().Routes(k.Namespace).Get(t.Context(), k.Name, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if len(r.Status.Ingress) != 1 || r.Status.Ingress[0].RouterName != "another" {
			return fmt.Sprintf("%+v", r.Status.Ingress)
		}
		return ""
	})
	t.Logf("a route that left the selection lost the entry after %s", took)
	if got := rs.writes() - before; got != 1 {
		t.Errorf("leaving the selection: %d writes, want 1", got)
	}
}
