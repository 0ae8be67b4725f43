package status

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/model"
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
	list := &routev1.RouteList{Items: []routev1.Route{*p.cluster.routes[key(p.names[at])]}}
	if at+1 < len(p.names) {
		list.Continue = strconv.Itoa(at + 1)
	}
	return list, nil
}

func TestEntriesThatWereLeftBehindAreRemoved(t *testing.T) { synctest.Test(t, sweeps) }

func sweeps(t *testing.T) {
	c := newCluster()
	p := c.join("one", "router.example.org", lag)
	p.opinion = func(*routev1.Route) *Desired { return nil }
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
	c.run(t, time.Second)
	// A route that enters the selection while the routes are listed.
	p.writer.Set(*admit(c.routes[key("decided")]))
	list := &pages{names: names, cluster: c, failures: map[int]error{1: errors.New("no connection"), 4: apierrors.NewResourceExpired("too old")}}
	p.writer.Sweep(t.Context(), SweepOptions{Lister: list, Selected: func(r *routev1.Route) bool { return r.Name == "selected" }})
	if list.calls != 2+2+len(names) {
		t.Errorf("%d requests", list.calls)
	}
	c.run(t, 10*time.Second)
	for name, want := range map[string]int{"left": 1, "selected": 2, "decided": 2, "others": 2, "namesake": 2, "none": 0} {
		if got := c.routes[key(name)].Status.Ingress; len(got) != want {
			t.Errorf("%s has entries %+v", name, got)
		}
	}
	if got := c.routes[key("left")].Status.Ingress; got[0].RouterName != "third" {
		t.Errorf("the wrong entry was removed: %+v", got)
	}
	// One write for the route that left, one for the one that entered.
	if c.writes != 2 {
		t.Errorf("%d writes", c.writes)
	}
}

func TestRoutesThatNeverHadAnEntryCostNothing(t *testing.T) {
	c := newCluster()
	p := c.join("one", "", lag)
	p.opinion = func(*routev1.Route) *Desired { return nil }
	r := c.create("r", "www.example.org")
	c.run(t, time.Second)
	p.writer.Remove(key("r"), r)
	c.run(t, time.Minute)
	if c.reads != 0 || len(p.writer.records) != 0 {
		t.Errorf("%d requests, %d records", c.reads, len(p.writer.records))
	}
	// One that this router has an opinion of may have an entry by now.
	p.writer.Set(*admit(r))
	c.run(t, 100*time.Millisecond)
	p.writer.Remove(key("r"), r)
	c.run(t, time.Minute)
	if in := c.routes[model.RouteKey{Namespace: r.Namespace, Name: r.Name}].Status.Ingress; len(in) != 0 || c.reads == 0 {
		t.Errorf("entries are %+v after %d requests", in, c.reads)
	}
}
