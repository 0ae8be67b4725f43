package admission_test

import (
	"fmt"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"router/pkg/controller/admission"
	"router/pkg/controller/routes"
)

// crowd is n routes of one domain, each with a host of its own, and, if asked
// for, a wildcard beside them.
func crowd(n int, wildcard bool) []*routes.Candidate {
	var all []*routes.Candidate
	add := func(name, host string, policy routev1.WildcardPolicyType) {
		all = append(all, routes.FromRoute(&routev1.Route{
			ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: name, UID: types.UID(name), CreationTimestamp: metav1.Unix(int64(len(all)), 0)},
			Spec:       routev1.RouteSpec{Host: host, WildcardPolicy: policy},
		}))
	}
	if wildcard {
		add("wildcard", "any.apps.example.org", routev1.WildcardPolicySubdomain)
	}
	for i := range n {
		add(fmt.Sprint("r", i), fmt.Sprintf("r%d.apps.example.org", i), routev1.WildcardPolicyNone)
	}
	return all
}

// edited is a candidate whose spec is another.
func edited(c *routes.Candidate, edit func(*routev1.RouteSpec)) *routes.Candidate {
	other, spec := *c, *c.Spec
	edit(&spec)
	other.Spec = &spec
	return &other
}

// BenchmarkSet moves one route of many to another host and back. Its cost must
// not follow the number of routes.
func BenchmarkSet(b *testing.B) {
	for _, n := range []int{100, 1000, 50000} {
		for _, wildcard := range []bool{false, true} {
			b.Run(fmt.Sprintf("routes=%d/wildcard=%v", n, wildcard), func(b *testing.B) {
				x := admission.NewIndex(admission.Options{AllowWildcards: true, Validate: true, Now: time.Now})
				all := crowd(n, wildcard)
				x.Update(all, nil)
				here := all[n/2]
				there := edited(here, func(s *routev1.RouteSpec) { s.Host = "elsewhere.apps.example.org" })
				for i := 0; b.Loop(); i++ {
					r := here
					if i%2 == 0 {
						r = there
					}
					if changed := x.Set(r); len(changed) != 1 {
						b.Fatalf("changed are %v", changed)
					}
				}
			})
		}
	}
}

// BenchmarkWildcard edits the wildcard route beside many hosts below it. What
// is the wildcard's own is no matter of theirs.
func BenchmarkWildcard(b *testing.B) {
	for _, n := range []int{1000, 10000, 50000} {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			x := admission.NewIndex(admission.Options{AllowWildcards: true, Validate: true, Now: time.Now})
			all := crowd(n, true)
			x.Update(all, nil)
			other := edited(all[0], func(s *routev1.RouteSpec) {
				s.TLS = &routev1.TLSConfig{Termination: routev1.TLSTerminationEdge, CACertificate: "nonsense"}
			})
			for i := 0; b.Loop(); i++ {
				r := all[0]
				if i%2 == 0 {
					r = other
				}
				if changed := x.Set(r); len(changed) != 1 {
					b.Fatalf("changed are %v", changed)
				}
			}
		})
	}
}

// BenchmarkPaths moves one of many paths of one host. This cost does follow
// their number: it is what a host that many routes share costs its owner.
func BenchmarkPaths(b *testing.B) {
	for _, n := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprintf("paths=%d", n), func(b *testing.B) {
			x := admission.NewIndex(admission.Options{Validate: true, Now: time.Now})
			all := crowd(n, false)
			for _, r := range all {
				r.Spec.Host, r.Spec.Path = "apps.example.org", "/"+r.Key.Name
			}
			x.Update(all, nil)
			moved := edited(all[n/2], func(s *routev1.RouteSpec) { s.Path = "/elsewhere" })
			for i := 0; b.Loop(); i++ {
				r := all[n/2]
				if i%2 == 0 {
					r = moved
				}
				if changed := x.Set(r); len(changed) != 1 {
					b.Fatalf("changed are %v", changed)
				}
			}
		})
	}
}

// BenchmarkStart decides about all routes at once, as after a start.
func BenchmarkStart(b *testing.B) {
	all := crowd(50000, true)
	o := admission.Options{AllowWildcards: true, Validate: true, Now: time.Now}
	b.Run("Index", func(b *testing.B) {
		for b.Loop() {
			admission.NewIndex(o).Update(all, nil)
		}
	})
	b.Run("Decide", func(b *testing.B) {
		for b.Loop() {
			admission.Decide(all, o)
		}
	})
}
