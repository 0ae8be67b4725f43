package admission

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"router/pkg/controller/routes"
	"router/pkg/model"
)

// world is a set of routes that changes at random, and what somebody believes
// of it who listens to an index.
type world struct {
	rnd *rand.Rand
	o   Options
	// ingresses is whether some of the routes are paths of Ingresses.
	ingresses bool
	routes    map[model.RouteKey]*routev1.Route
	index     *Index
	believed  map[model.RouteKey]Verdict
	// hidden are namespaces and labels that the router does not select.
	hiddenNamespaces, hiddenLabels map[string]bool
	serial                         int
}

func newWorld(o Options, ingresses bool, seed uint64) *world {
	return &world{
		rnd: rand.New(rand.NewPCG(seed, 1)), o: o, ingresses: ingresses, routes: map[model.RouteKey]*routev1.Route{},
		index: NewIndex(o), believed: map[model.RouteKey]Verdict{},
		hiddenNamespaces: map[string]bool{}, hiddenLabels: map[string]bool{},
	}
}

func (w *world) pick(list ...string) string { return list[w.rnd.IntN(len(list))] }

func (w *world) host() string {
	switch w.rnd.IntN(20) {
	case 0:
		return ""
	case 1:
		return "Bad_" + w.pick("a", "b") + ".d.example.org"
	case 2:
		return w.pick("denied.example.org", "x.denied.example.org")
	case 3:
		if w.ingresses {
			return model.CatchAllHost
		}
	}
	return w.pick("a", "b") + "." + w.pick("d.example.org", "e.example.org", "a.d.example.org", "org")
}

// candidate makes some of the routes paths of Ingresses.
func (w *world) candidate(r *routev1.Route) *routes.Candidate {
	c := routes.FromRoute(r)
	if !w.ingresses {
		return c
	}
	path := func(ingress string) { c.Key.Kind, c.Key.Name, c.Key.Rule = model.KindIngress, ingress, r.Name }
	switch r.Name {
	case "r6", "r7":
		path("i")
		c.Exact = true
	case "r8":
		path("i")
	case "r9":
		path("j")
		c.Invalid = "something is wrong"
	}
	return c
}

func (w *world) keyOf(r *routev1.Route) model.RouteKey { return w.candidate(r).Key }

func (w *world) tls() *routev1.TLSConfig {
	switch w.rnd.IntN(6) {
	case 0, 1, 2:
		return nil
	case 3:
		return &routev1.TLSConfig{Termination: routev1.TLSTerminationPassthrough}
	case 4:
		return &routev1.TLSConfig{Termination: routev1.TLSTerminationEdge, Certificate: w.pick("", "", "nonsense")}
	}
	return &routev1.TLSConfig{Termination: routev1.TLSTerminationReencrypt}
}

func (w *world) wildcardPolicy() routev1.WildcardPolicyType {
	return routev1.WildcardPolicyType(w.pick("", "None", "None", "Subdomain", "Subdomain", "Other"))
}

func (w *world) path() string { return w.pick("", "/", "/x", "/x", "/x/", "no-slash") }

// create makes a route. Its age is often that of others, sometimes its UID as
// well, as manifests without one have it.
func (w *world) create() *routev1.Route {
	w.serial++
	r := &routev1.Route{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.pick("n1", "n2", "n3"), Name: fmt.Sprint("r", w.rnd.IntN(10)),
			UID: types.UID(fmt.Sprint("u", w.rnd.IntN(4)*w.serial)), Labels: map[string]string{"shard": w.pick("one", "two")},
			CreationTimestamp: metav1.Unix(int64(w.rnd.IntN(8)), 0),
		},
		Spec: routev1.RouteSpec{Host: w.host(), Path: w.path(), TLS: w.tls(), WildcardPolicy: w.wildcardPolicy()},
	}
	if w.rnd.IntN(10) == 0 {
		r.CreationTimestamp = metav1.Time{}
	}
	return r
}

func (w *world) edit(old *routev1.Route) *routev1.Route {
	r := old.DeepCopy()
	switch w.rnd.IntN(7) {
	case 0:
		r.Spec.Host = w.host()
	case 1:
		r.Spec.Path = w.path()
	case 2:
		r.Spec.WildcardPolicy = w.wildcardPolicy()
	case 3:
		r.Spec.TLS = w.tls()
	case 4:
		r.Labels = map[string]string{"shard": w.pick("one", "two")}
	case 5:
		r.Annotations = map[string]string{"nothing": fmt.Sprint(w.serial)}
	case 6: // deleted and made again between two looks
		again := w.create()
		again.Namespace, again.Name = r.Namespace, r.Name
		return again
	}
	return r
}

func (w *world) selected(r *routev1.Route) bool {
	return !w.hiddenNamespaces[r.Namespace] && !w.hiddenLabels[r.Labels["shard"]]
}

// step changes something and tells the index. It returns the domains that the
// change is about.
func (w *world) step() map[string]bool {
	about := map[string]bool{}
	var touched []model.RouteKey
	all := slices.SortedFunc(maps.Keys(w.routes), model.RouteKey.Compare)
	change := func(k model.RouteKey, r *routev1.Route) {
		for _, v := range []*routev1.Route{w.routes[k], r} {
			if v != nil {
				host := w.o.Naming.host(w.candidate(v))
				about[domain(host)] = true
			}
		}
		if touched = append(touched, k); r == nil {
			delete(w.routes, k)
		} else {
			w.routes[k] = r
		}
	}
	switch n := w.rnd.IntN(1000); {
	case n < 4: // a namespace appears or goes, a shard's labels change
		hidden, name := w.hiddenNamespaces, w.pick("n1", "n2", "n3")
		if n < 2 {
			hidden, name = w.hiddenLabels, w.pick("one", "two")
		}
		hidden[name] = !hidden[name] && w.rnd.IntN(3) == 0
		for _, k := range all {
			change(k, w.routes[k])
		}
	case len(all) == 0 || n < 300:
		r := w.create()
		change(w.keyOf(r), r)
	case n < 450:
		change(all[w.rnd.IntN(len(all))], nil)
	default:
		k := all[w.rnd.IntN(len(all))]
		change(k, w.edit(w.routes[k]))
	}
	w.tell(touched)
	return about
}

// tell gives changed routes to the index, one by one or together.
func (w *world) tell(keys []model.RouteKey) {
	var set []*routes.Candidate
	var gone []model.RouteKey
	for _, k := range keys {
		if r := w.routes[k]; r != nil && w.selected(r) {
			set = append(set, w.candidate(r))
		} else {
			gone = append(gone, k)
		}
	}
	var changed []model.RouteKey
	if len(keys) == 1 && w.rnd.IntN(2) == 0 {
		for _, r := range set {
			changed = append(changed, w.index.Set(r)...)
		}
		for _, k := range gone {
			changed = append(changed, w.index.Delete(k)...)
		}
	} else {
		changed = w.index.Update(set, gone)
	}
	for _, k := range changed {
		if v, known := w.index.Verdict(k); known {
			w.believed[k] = v
		} else {
			delete(w.believed, k)
		}
	}
}

// check compares what is believed with a fresh decision about the routes of
// some domains; nil means all.
func (w *world) check(t *testing.T, step int, about map[string]bool) {
	t.Helper()
	concerned := func(r *routev1.Route) bool {
		host := w.o.Naming.host(w.candidate(r))
		return about == nil || about[domain(host)]
	}
	var all []*routes.Candidate
	for _, r := range w.routes {
		if w.selected(r) && concerned(r) {
			all = append(all, w.candidate(r))
		}
	}
	want := Decide(all, w.o)
	for k, v := range want {
		if got, known := w.believed[k]; !known || !got.Equal(v) {
			t.Fatalf("step %d: %s is believed to be %+v, known %v, want %+v", step, k, got, known, v)
		}
		if v.Reason != HostAlreadyClaimed {
			continue
		}
		if !holdsWhatItNeeds(w, want, k, v) {
			t.Fatalf("step %d: %s lost to %s, which does not hold its host", step, k, v.Winner)
		}
		if !w.names(v.Message, k, v.Winner) {
			t.Fatalf("step %d: %s lost to %s, but is told: %s", step, k, v.Winner, v.Message)
		}
	}
	for k := range w.believed {
		r := w.routes[k]
		if r == nil || !w.selected(r) {
			t.Fatalf("step %d: %s is gone but has a verdict", step, k)
		}
		if _, wanted := want[k]; concerned(r) && !wanted {
			t.Fatalf("step %d: %s has a verdict too many", step, k)
		}
	}
}

// holdsWhatItNeeds reports whether a winner is one: it has not lost itself, it
// is older, and the two want the same.
func holdsWhatItNeeds(w *world, verdicts map[model.RouteKey]Verdict, loser model.RouteKey, v Verdict) bool {
	winner, known := verdicts[v.Winner]
	o := w.o.normal()
	a, b := examine(w.candidate(w.routes[v.Winner]), nil, o), examine(w.candidate(w.routes[loser]), nil, o)
	return known && winner.Winner == (model.RouteKey{}) && compareAge(a, b) < 0 && conflict(a, b, o)
}

// names reports whether a loser's message has the name of the winner, as a
// word of its own, and of nobody else but the loser. The namespace may be left out where it
// is the loser's.
func (w *world) names(message string, loser, winner model.RouteKey) bool {
	full := func(r *routev1.Route) string { return r.Namespace + "/" + w.keyOf(r).Name }
	want, self, found := full(w.routes[winner]), full(w.routes[loser]), false
	others := map[string]bool{}
	for _, r := range w.routes {
		others[full(r)] = true
	}
	for _, word := range strings.FieldsFunc(message, func(c rune) bool { return strings.ContainsRune(" ,;:", c) }) {
		if others[loser.Namespace+"/"+word] {
			word = loser.Namespace + "/" + word
		}
		switch {
		case word == want:
			found = true
		case others[word] && word != self:
			return false
		}
	}
	return found
}

func TestTheIndexAnswersLikeAFreshDecisionAfterAnyChange(t *testing.T) {
	const steps, fullEvery = 34000, 500
	base := Options{AllowWildcards: true, Validate: true, DeniedDomains: []string{"denied.example.org"}, Now: func() time.Time { return time.Unix(1e9, 0) }}
	shared, templated, anyHost := base, base, base
	shared.SharedHosts = true
	anyHost.DeniedDomains = nil // Any host can only be had where none is denied.
	templated.Naming = Naming{Template: "${name}-${namespace}.d.example.org", OverrideDomains: []string{"e.example.org"}}
	for i, o := range []Options{base, shared, templated, anyHost} {
		t.Run(fmt.Sprint("options ", i), func(t *testing.T) {
			t.Parallel()
			w := newWorld(o, !o.SharedHosts, uint64(i))
			lost := 0
			for step := range steps {
				about := w.step()
				w.check(t, step, about)
				if step%fullEvery == 0 {
					w.check(t, step, nil)
					for _, v := range w.believed {
						if v.Reason == HostAlreadyClaimed {
							lost++
						}
					}
				}
			}
			w.check(t, steps, nil)
			if lost < 25 {
				t.Errorf("only %d losers were seen: the test does not test", lost)
			}
		})
	}
}

func TestSetAndDeleteNameExactlyWhatChanged(t *testing.T) {
	w := newWorld(Options{AllowWildcards: true, Validate: true, Now: time.Now}, true, 9)
	for step := range 3000 {
		before := maps.Clone(w.index.verdicts)
		r := w.create()
		var changed []model.RouteKey
		if w.rnd.IntN(3) == 0 {
			changed = w.index.Delete(w.keyOf(r))
		} else {
			changed = w.index.Set(w.candidate(r))
		}
		var want []model.RouteKey
		for k, v := range w.index.verdicts {
			if old, known := before[k]; !known || !old.Equal(v) {
				want = append(want, k)
			}
		}
		for k := range before {
			if _, known := w.index.verdicts[k]; !known {
				want = append(want, k)
			}
		}
		slices.SortFunc(want, model.RouteKey.Compare)
		if !slices.Equal(changed, want) {
			t.Fatalf("step %d: changed are %v, want %v", step, changed, want)
		}
	}
}
