package admission

import (
	"maps"
	"reflect"
	"slices"

	routev1 "github.com/openshift/api/route/v1"

	"router/pkg/model"
)

// Decide gives every route its verdict, from nothing but the routes.
func Decide(routes []*routev1.Route, o Options) map[model.RouteKey]Verdict {
	claims := make([]*claim, 0, len(routes))
	byHost := map[cell][]*claim{}
	wildcards := map[string]bool{}
	for _, r := range routes {
		c := examine(r, &o)
		claims = append(claims, c)
		if c.holds && c.wildcard {
			wildcards[c.host] = true
		}
	}
	for _, c := range claims {
		at := cellOf(c, wildcards)
		byHost[at] = append(byHost[at], c)
	}
	verdicts := make(map[model.RouteKey]Verdict, len(routes))
	for _, list := range byHost {
		maps.Copy(verdicts, decide(list, &o))
	}
	return verdicts
}

// cell is a set of claims that can be decided without looking at others: a
// host, or, where wildcards reach over hosts, a whole domain.
type cell struct {
	name   string
	domain bool
}

func cellOf(c *claim, wildcards map[string]bool) cell {
	d := domain(c.host)
	if c.wildcard {
		d = c.host
	}
	if c.holds && wildcards[d] {
		return cell{d, true}
	}
	return cell{c.host, false}
}

// Index keeps the verdicts of changing routes.
type Index struct {
	options  Options
	claims   map[model.RouteKey]*claim
	verdicts map[model.RouteKey]Verdict
	// hosts are the claims on each host; domains the hosts with claims in
	// each domain; wildcards the claims on each domain's wildcard.
	hosts     map[string]map[model.RouteKey]*claim
	domains   map[string]map[string]int
	wildcards map[string]map[model.RouteKey]*claim
}

// NewIndex returns an empty index.
func NewIndex(o Options) *Index {
	return &Index{
		options: o, claims: map[model.RouteKey]*claim{}, verdicts: map[model.RouteKey]Verdict{},
		hosts: map[string]map[model.RouteKey]*claim{}, domains: map[string]map[string]int{}, wildcards: map[string]map[model.RouteKey]*claim{},
	}
}

// Verdict is the verdict of a route; false if the route is not known.
func (x *Index) Verdict(k model.RouteKey) (Verdict, bool) {
	v, ok := x.verdicts[k]
	return v, ok
}

// Update takes routes that are new or changed, and keys of routes that are
// gone, and returns the routes whose verdicts may be others now, sorted. It
// costs as much as there are routes on the hosts that are touched.
func (x *Index) Update(set []*routev1.Route, gone []model.RouteKey) []model.RouteKey {
	touched := map[cell]bool{}
	changed := map[model.RouteKey]bool{}
	for _, k := range gone {
		x.remove(k, touched)
		delete(x.verdicts, k)
		changed[k] = true
	}
	for _, r := range set {
		k := model.RouteKey{Namespace: r.Namespace, Name: r.Name}
		x.remove(k, touched)
		x.insert(examine(r, &x.options), touched)
		changed[k] = true
	}
	for at := range touched {
		if !at.domain && touched[cell{domain(at.name), true}] {
			continue // The domain's decision is about its hosts as well.
		}
		for k, v := range decide(x.members(at), &x.options) {
			if old, ok := x.verdicts[k]; !ok || !reflect.DeepEqual(old, v) {
				x.verdicts[k] = v
				changed[k] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(changed), model.RouteKey.Compare)
}

// touch marks the cells that a claim's coming or going may change.
func (x *Index) touch(c *claim, touched map[cell]bool) {
	if c.wildcard {
		touched[cell{c.host, true}] = true
		return
	}
	if d := domain(c.host); len(x.wildcards[d]) > 0 && c.holds {
		touched[cell{d, true}] = true
		return
	}
	touched[cell{c.host, false}] = true
}

func (x *Index) insert(c *claim, touched map[cell]bool) {
	x.claims[c.key] = c
	if c.wildcard && c.holds {
		if x.wildcards[c.host] == nil {
			x.wildcards[c.host] = map[model.RouteKey]*claim{}
		}
		x.wildcards[c.host][c.key] = c
		x.touch(c, touched)
		return
	}
	if !c.holds {
		x.verdicts[c.key] = c.verdict
		return
	}
	if x.hosts[c.host] == nil {
		x.hosts[c.host] = map[model.RouteKey]*claim{}
	}
	x.hosts[c.host][c.key] = c
	d := domain(c.host)
	if x.domains[d] == nil {
		x.domains[d] = map[string]int{}
	}
	x.domains[d][c.host]++
	x.touch(c, touched)
}

func (x *Index) remove(k model.RouteKey, touched map[cell]bool) {
	c := x.claims[k]
	if c == nil {
		return
	}
	delete(x.claims, k)
	if !c.holds {
		return
	}
	x.touch(c, touched)
	if c.wildcard {
		delete(x.wildcards[c.host], k)
		if len(x.wildcards[c.host]) == 0 {
			delete(x.wildcards, c.host)
		}
		return
	}
	delete(x.hosts[c.host], k)
	if len(x.hosts[c.host]) == 0 {
		delete(x.hosts, c.host)
	}
	d := domain(c.host)
	if x.domains[d][c.host]--; x.domains[d][c.host] == 0 {
		delete(x.domains[d], c.host)
	}
	if len(x.domains[d]) == 0 {
		delete(x.domains, d)
	}
}

// members are the claims of a cell. A domain without wildcards is the sum of
// its hosts, so that it may be decided as one, too.
func (x *Index) members(at cell) []*claim {
	if !at.domain {
		return slices.Collect(maps.Values(x.hosts[at.name]))
	}
	claims := slices.Collect(maps.Values(x.wildcards[at.name]))
	for host := range x.domains[at.name] {
		claims = slices.AppendSeq(claims, maps.Values(x.hosts[host]))
	}
	return claims
}
