package status_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/controller/admission"
	"router/pkg/controller/status"
	"router/pkg/model"
)

// replicas are routers of one name and configuration.
type replicas []*router

// fleet starts replicas.
func (l *lab) fleet(n int, s setup) (rs replicas) {
	l.t.Helper()
	for i := range n {
		index := admission.NewIndex(admission.Options{Validate: true, Now: time.Now})
		s.labels, s.router, s.indexFor = "shard="+l.shard, l.router, func(string) *admission.Index { return index }
		s.name = fmt.Sprint("replica-", i)
		rs = append(rs, start(l.t, l.Cluster, s))
	}
	return rs
}

func (rs replicas) sum(count func(*router) int64) (n int64) {
	for _, r := range rs {
		n += count(r)
	}
	return n
}

func (rs replicas) writes() int64 { return rs.sum(func(r *router) int64 { return r.writes.Load() }) }

func (rs replicas) late() int64 { return rs.sum(func(r *router) int64 { return r.late.Load() }) }

// leader is the replica that leads, nil if none or several do.
func (rs replicas) leader() (leader *router) {
	for _, r := range rs {
		if r.writer.Role() == status.Leading {
			if leader != nil {
				return nil
			}
			leader = r
		}
	}
	return leader
}

// calm waits until no replica has anything to do, and complains of any other
// number of writes than expected.
func (l *lab) calm(rs replicas, what string, before, writes int64) {
	l.t.Helper()
	l.eventually(what+": calm", 30*time.Second, func() string {
		if n := rs.sum(func(r *router) int64 { return int64(r.writer.Pending()) }); n > 0 {
			return fmt.Sprintf("%d routes are pending", n)
		}
		return ""
	})
	if got := rs.writes() - before; got != writes {
		l.t.Errorf("%s: %d writes, want %d", what, got, writes)
	}
}

// part is a part of the cluster with a shard, a router name and a namespace of
// its own.
func (l *lab) part(t *testing.T, name string) *lab {
	t.Helper()
	part := *l
	part.t, part.shard, part.router = t, name, name
	part.namespace(name)
	return &part
}

func (l *lab) key(i int) model.RouteKey {
	return model.RouteKey{Namespace: l.shard, Name: fmt.Sprint("r", i)}
}

func (l *lab) host(i int) string { return fmt.Sprintf("h%d.%s.example.org", i, l.shard) }

// add makes a route.
func (l *lab) add(k model.RouteKey, host string) {
	l.t.Helper()
	if _, err := l.create(k, routev1.RouteSpec{Host: host}); err != nil {
		l.t.Fatal(err)
	}
}

// rehost gives a route another host, and waits until its status has it.
func (l *lab) rehost(i int, host string, within time.Duration) time.Duration {
	l.t.Helper()
	l.edit(l.key(i), func(r *routev1.Route) { r.Spec.Host = host })
	return l.eventually("an edit is told", within, func() string { return l.says(l.key(i), host, "") })
}

// TestReplicasOnARealAPIServer is about who writes what, and when.
func TestReplicasOnARealAPIServer(t *testing.T) {
	l := newLab(t)
	t.Run("storm", func(t *testing.T) { storm(l.part(t, "storm")) })
	for name, test := range map[string]func(*lab){
		"leader": fiveReplicasWithALeader, "bare": withoutPermission, "rolling": rollingUpdate, "names": twoNames,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(l.part(t, name))
		})
	}
}

// traffic makes new routes, rivals for their hosts, edits and deletions, and
// counts: one write for each.
func (l *lab) traffic(rs replicas, hosts, rivals int) {
	l.t.Helper()
	others := l.shard + "-rivals"
	l.namespace(others)
	rival := func(i int) model.RouteKey { return model.RouteKey{Namespace: others, Name: fmt.Sprint("r", i)} }
	for i := range hosts {
		l.add(l.key(i), l.host(i))
	}
	l.nextSecond()
	for i := range rivals {
		l.add(rival(i), l.host(i))
	}
	for i := range hosts {
		l.eventually("a new route is admitted", 30*time.Second, func() string { return l.says(l.key(i), l.host(i), "") })
	}
	for i := range rivals {
		l.eventually("a rival is told", 30*time.Second, func() string { return l.says(rival(i), l.host(i), "HostAlreadyClaimed") })
	}
	l.calm(rs, "new routes", 0, int64(hosts+rivals))
	l.t.Logf("%d new routes; %d writes came late", hosts+rivals, rs.late())

	before, late, slowest := rs.writes(), rs.late(), time.Duration(0)
	for i := rivals; i < hosts; i++ {
		slowest = max(slowest, l.rehost(i, "new-"+l.host(i), 10*time.Second))
	}
	l.calm(rs, "edits", before, int64(hosts-rivals))
	l.t.Logf("the slowest of %d edits was told after %s; %d writes came late", hosts-rivals, slowest, rs.late()-late)

	// A winner's deletion admits the runner-up.
	before, slowest = rs.writes(), 0
	for i := range rivals {
		l.remove(l.key(i))
		slowest = max(slowest, l.eventually("a runner-up is admitted", 10*time.Second, func() string { return l.says(rival(i), l.host(i), "") }))
	}
	l.calm(rs, "deletions", before, int64(rivals))
	l.t.Logf("the slowest of %d runners-up was told after %s", rivals, slowest)
	if slowest > time.Second {
		l.t.Errorf("a runner-up was told after %s", slowest)
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
	l.edit(l.key(rivals), func(r *routev1.Route) { r.Annotations["unrelated"] = "yes" })
	l.rehost(rivals, "last."+l.host(rivals), 10*time.Second)
	l.calm(rs, "the steady state", before, 1)
}

// has complains unless exactly these routers have an entry.
func (l *lab) has(k model.RouteKey, routers ...string) string {
	in := l.route(k).Status.Ingress
	names := make([]string, len(in))
	for i := range in {
		names[i] = in[i].RouterName
	}
	if got, want := strings.Join(names, " "), strings.Join(routers, " "); got != want {
		return fmt.Sprintf("%s has entries of %q, want %q", k, got, want)
	}
	return ""
}

func fiveReplicasWithALeader(l *lab) {
	rs := l.fleet(5, setup{})
	const hosts, rivals = 40, 10
	l.traffic(rs, hosts, rivals)

	// The leader hangs, and nobody tells the API server.
	leader := rs.leader()
	if leader == nil {
		l.t.Fatal("not one replica leads")
	}
	before := rs.writes()
	leader.cut.Store(true)
	took := l.rehost(hosts-1, "dead."+l.host(hosts-1), 25*time.Second)
	l.t.Logf("a leader that is cut off was replaced after %s", took)
	if took > 20*time.Second {
		l.t.Errorf("a leader was replaced after %s", took)
	}
	leader.cut.Store(false)
	l.eventually("the old leader follows", 20*time.Second, func() string {
		if now := rs.leader(); now == nil || now == leader || leader.writer.Role() != status.Following {
			return "not one replica leads, or the old one"
		}
		return ""
	})
	l.calm(rs, "another leader", before, 1)

	// The leader ends, as in a rollout.
	before = rs.writes()
	rs.leader().stop()
	took = l.rehost(hosts-1, "gone."+l.host(hosts-1), 10*time.Second)
	l.t.Logf("a leader that ended was replaced after %s", took)
	if got := rs.writes() - before; got != 1 {
		l.t.Errorf("%d writes after the leader's end", got)
	}

	// A route that leaves the selection loses the entry, and no other's.
	before = rs.writes()
	foreign := func(k model.RouteKey) {
		l.t.Helper()
		r := l.route(k)
		r.Status.Ingress = append(r.Status.Ingress, routev1.RouteIngress{RouterName: "another", Host: "h"})
		if _, err := l.routes.RouteV1().Routes(k.Namespace).UpdateStatus(l.t.Context(), r, metav1.UpdateOptions{}); err != nil {
			l.t.Fatal(err)
		}
		l.edit(k, func(r *routev1.Route) { r.Labels["shard"] = "none" })
	}
	foreign(l.key(hosts - 2))
	took = l.eventually("the entry is taken out", 10*time.Second, func() string { return l.has(l.key(hosts-2), "another") })
	l.t.Logf("a route that left the selection lost the entry after %s", took)
	if got := rs.writes() - before; got != 1 {
		l.t.Errorf("leaving the selection: %d writes, want 1", got)
	}

	// So does one that left while nobody ran.
	for _, r := range rs {
		r.stop()
	}
	foreign(l.key(hosts - 3))
	rs = l.fleet(2, setup{})
	took = l.eventually("an entry that was left behind is taken out", 10*time.Second, func() string { return l.has(l.key(hosts-3), "another") })
	l.t.Logf("a route that had left lost the entry after %s", took)
	l.calm(rs, "after the start", 0, 1)
}

// log is a log that many write.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func withoutPermission(l *lab) {
	text := &log{}
	rs := l.fleet(5, setup{user: bareUser, logger: slog.New(slog.NewTextHandler(text, nil))})
	l.traffic(rs, 40, 10)
	text.mu.Lock()
	defer text.mu.Unlock()
	said := text.text.String()
	if n := strings.Count(said, "No leader"); n != len(rs) {
		l.t.Errorf("%d of %d replicas say that they have no leader", n, len(rs))
	}
	for _, part := range []string{"leases", "coordination.k8s.io", "get, create and update", "namespace=" + home, "lease=router-status-bare", "deploy/rbac.yaml"} {
		if !strings.Contains(said, part) {
			l.t.Errorf("%q is not in the log:\n%s", part, said)
		}
	}
	if strings.Contains(said, "level=ERROR") {
		l.t.Errorf("there are errors in the log:\n%s", said)
	}
}

// rollingUpdate replaces replicas one by one by those that say something else.
func rollingUpdate(l *lab) {
	const routes = 10
	older := l.fleet(2, setup{word: func(d *status.Desired) { d.Admitted, d.Reason = false, "OldWord" }})
	for i := range routes {
		l.add(l.key(i), l.host(i))
	}
	all := func(reason string) {
		l.t.Helper()
		for i := range routes {
			l.eventually("all have the reason "+reason, 20*time.Second, func() string { return l.says(l.key(i), l.host(i), reason) })
		}
	}
	all("OldWord")
	newer := l.fleet(2, setup{word: func(d *status.Desired) { d.Admitted, d.Reason = false, "NewWord" }})
	// They see changes, and the old ones tell them.
	l.edit(l.key(0), func(r *routev1.Route) { r.Spec.Host = "b." + l.host(0) })
	l.eventually("an edit is told", 10*time.Second, func() string { return l.says(l.key(0), "b."+l.host(0), "OldWord") })
	l.edit(l.key(0), func(r *routev1.Route) { r.Spec.Host = l.host(0) })
	all("OldWord")
	if n := newer.writes(); n > 0 || older.writes() != routes+2 {
		l.t.Errorf("%d writes of the new version, %d of the old one", n, older.writes())
	}
	follower := older[0]
	if follower == older.leader() {
		follower = older[1]
	}
	follower.stop()
	older.leader().stop()
	all("NewWord")
	l.calm(newer, "the update", 0, routes)
	if n := older.writes(); n != routes+2 {
		l.t.Errorf("%d writes of the old version", n)
	}
}

// storm edits the routes of a namespace all the time.
func storm(l *lab) {
	const routes = 100
	l.fleet(2, setup{})
	for i := range routes {
		l.add(l.key(i), l.host(i))
	}
	l.namespace("quiet")
	quiet := model.RouteKey{Namespace: "quiet", Name: "r"}
	l.add(quiet, "0.quiet.example.org")
	l.eventually("the first status", 20*time.Second, func() string { return l.says(quiet, "0.quiet.example.org", "") })
	done := make(chan struct{})
	var running sync.WaitGroup
	for worker := range 4 {
		running.Go(func() {
			for n := worker; ; n += 4 {
				select {
				case <-done:
					return
				default:
				}
				k := l.key(n % routes)
				r, err := l.routes.RouteV1().Routes(k.Namespace).Get(l.t.Context(), k.Name, metav1.GetOptions{})
				if err == nil {
					r.Spec.Host = fmt.Sprintf("n%d.%s", n, l.host(n%routes))
					_, _ = l.routes.RouteV1().Routes(k.Namespace).Update(l.t.Context(), r, metav1.UpdateOptions{}) // A conflict is part of the storm.
				}
			}
		})
	}
	var slowest time.Duration
	for i := 1; i <= 10; i++ {
		host := fmt.Sprintf("%d.quiet.example.org", i)
		l.edit(quiet, func(r *routev1.Route) { r.Spec.Host = host })
		slowest = max(slowest, l.eventually("a quiet namespace is told", 10*time.Second, func() string { return l.says(quiet, host, "") }))
	}
	close(done)
	running.Wait()
	l.t.Logf("the slowest edit beside the storm was told after %s", slowest)
	if slowest > 5*time.Second {
		l.t.Errorf("an edit beside the storm was told after %s", slowest)
	}
}

// twoNames runs two routers over the same routes.
func twoNames(l *lab) {
	const routes = 10
	other := *l
	other.router = "Names/2" // No name of an object, so the lease has another.
	first, second := l.fleet(2, setup{}), other.fleet(2, setup{})
	for i := range routes {
		l.add(l.key(i), l.host(i))
	}
	for i := range routes {
		l.eventually("one router", 20*time.Second, func() string { return l.says(l.key(i), l.host(i), "") })
		l.eventually("the other", 20*time.Second, func() string { return other.says(l.key(i), l.host(i), "") })
	}
	l.calm(first, "one router", 0, routes)
	l.calm(second, "the other", 0, routes)
	if first.leader() == nil || second.leader() == nil {
		l.t.Error("one of the routers has no leader")
	}
	// One of them loses interest in a route.
	for _, r := range second {
		r.mu.Lock()
		r.writer.Remove(l.key(0), r.routes[l.key(0)])
		r.mu.Unlock()
	}
	l.eventually("the entry is removed", 10*time.Second, func() string { return l.has(l.key(0), l.router) })
}
