package status

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pages lists the routes of a cluster one by one, and fails with the errors
// that it is given, one each time.
type pages struct {
	names    []string
	cluster  *cluster
	failures map[int]error
	calls    int
}

func (p *pages) List(_ context.Context, _ string, o metav1.ListOptions) (*routev1.RouteList, error) {
	p.calls++
	if err := p.failures[p.calls]; err != nil {
		return nil, err
	}
	at, _ := strconv.Atoi(o.Continue)
	list := &routev1.RouteList{Items: []routev1.Route{*p.cluster.route(key(p.names[at]))}}
	if at+1 < len(p.names) {
		list.Continue = strconv.Itoa(at + 1)
	}
	return list, nil
}

func TestEntriesThatWereLeftBehindAreRemoved(t *testing.T) { inCluster(t, sweeps) }

func sweeps(t *testing.T, c *cluster) {
	names := []string{"left", "selected", "decided", "others", "namesake", "none"}
	for _, name := range names {
		c.create(name, name+".example.org")
		if name == "none" {
			continue
		}
		c.edit(key(name), func(r *routev1.Route) {
			entry := routev1.RouteIngress{RouterName: "public", RouterCanonicalHostname: "router.example.org", Host: r.Spec.Host}
			switch name {
			case "others":
				entry.RouterName = "another"
			case "namesake":
				entry.RouterCanonicalHostname = "other.example.org"
			}
			r.Status.Ingress = []routev1.RouteIngress{entry, {RouterName: "third"}}
		})
	}
	list := &pages{names: names, cluster: c, failures: map[int]error{1: errors.New("no connection"), 4: apierrors.NewResourceExpired("too old")}}
	p := c.joinAs(Following, "one", "router.example.org", time.Hour, nothing)
	p.writer.sweep = &Sweep{List: list.List, Selected: func(r *routev1.Route) bool { return r.Name == "selected" }}
	// A route that enters the selection before the others are looked for.
	p.writer.Observe(c.route(key("decided")))
	p.writer.Set(*admit(c.route(key("decided"))))
	c.run(time.Minute)
	if list.calls > 0 {
		t.Errorf("a follower has listed all routes")
	}
	p.writer.SetRole(Leading)
	c.run(time.Minute)
	if list.calls != 2+2+len(names) {
		t.Errorf("%d requests", list.calls)
	}
	for name, want := range map[string]int{"left": 1, "selected": 2, "decided": 2, "others": 2, "namesake": 2, "none": 0} {
		if got := c.route(key(name)).Status.Ingress; len(got) != want {
			t.Errorf("%s has entries %+v", name, got)
		}
	}
	if got := c.route(key("left")).Status.Ingress; got[0].RouterName != "third" {
		t.Errorf("the wrong entry was removed: %+v", got)
	}
	// One write for the route that left, one for the one that entered.
	if n := c.writesSoFar(); n != 2 {
		t.Errorf("%d writes", n)
	}
}

func TestRoutesThatNeverHadAnEntryCostNothing(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster) {
		p := c.joinAs(Leading, "one", "", lag, nothing)
		r := c.create("r", "www.example.org")
		c.run(time.Second)
		p.writer.Remove(key("r"), r)
		c.run(time.Minute)
		if n := c.requests().reads; n != 0 || p.known() != 0 {
			t.Errorf("%d requests, %d objects are remembered", n, p.known())
		}
		// One that this router has an opinion of may have an entry by now.
		p.writer.Observe(r)
		p.writer.Set(*admit(r))
		c.run(100 * time.Millisecond)
		p.writer.Remove(key("r"), r)
		c.run(time.Minute)
		if in := c.route(key("r")).Status.Ingress; len(in) != 0 || c.requests().reads == 0 {
			t.Errorf("entries are %+v after %+v", in, c.requests())
		}
	})
}
