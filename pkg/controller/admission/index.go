package admission

import (
	"maps"
	"slices"

	"router/pkg/controller/routes"
	"router/pkg/model"
)

// Index keeps the verdicts of changing routes. It belongs to one goroutine.
type Index struct {
	o        *Options
	claims   map[model.RouteKey]*claim
	verdicts map[model.RouteKey]Verdict
	// domains are by name: what a host is directly below, or a wildcard covers.
	domains map[string]*domainClaims
}

// NewIndex returns an empty index.
func NewIndex(o Options) *Index {
	return &Index{o: o.normal(), claims: map[model.RouteKey]*claim{}, verdicts: map[model.RouteKey]Verdict{}, domains: map[string]*domainClaims{}}
}

// Verdict is the verdict of a route; false if the route is not known.
func (x *Index) Verdict(k model.RouteKey) (Verdict, bool) {
	v, ok := x.verdicts[k]
	return v, ok
}

// Update takes in routes that are new or changed, and routes that are gone, each
// key at most once. It returns them and those whose verdicts have changed,
// sorted. It costs as much as there are routes on the hosts that change, and in
// a domain whose wildcard gets another owner as there are in the domain.
func (x *Index) Update(set []*routes.Candidate, gone []model.RouteKey) []model.RouteKey {
	changed := map[model.RouteKey]bool{}
	for _, r := range set {
		changed[r.Key] = true
	}
	for _, k := range gone {
		changed[k] = true
	}
	x.apply(set, gone, changed)
	return slices.SortedFunc(maps.Keys(changed), model.RouteKey.Compare)
}

// dirty are the claims of a domain that need new verdicts.
type dirty struct {
	hosts     map[string]bool
	wildcards bool
}

// apply carries an update out, and adds the routes whose verdicts have changed
// to changed.
func (x *Index) apply(set []*routes.Candidate, gone []model.RouteKey, changed map[model.RouteKey]bool) {
	domains := map[string]*dirty{}
	for _, k := range gone {
		x.change((*byAge).remove, x.claims[k], domains)
		delete(x.claims, k)
		if _, known := x.verdicts[k]; known {
			delete(x.verdicts, k)
			changed[k] = true
		}
	}
	tell := func(k model.RouteKey, v Verdict) {
		if old, known := x.verdicts[k]; !known || !old.Equal(v) {
			x.verdicts[k] = v
			changed[k] = true
		}
	}
	for _, r := range set {
		k := r.Key
		before := x.claims[k]
		c := examine(r, before, x.o)
		if before != nil && c.same(before) {
			continue
		}
		x.change((*byAge).remove, before, domains)
		x.change((*byAge).add, c, domains)
		x.claims[k] = c
		if !c.holds {
			tell(k, c.verdict)
		}
	}
	for name, d := range domains {
		x.resolve(name, d, tell)
	}
}

// change adds a claim to its domain or removes it, and notes what needs new
// verdicts by that. A claim that is nil or holds nothing changes nothing.
func (x *Index) change(change func(*byAge, *claim), c *claim, domains map[string]*dirty) {
	if c == nil || !c.holds {
		return
	}
	name := c.Host
	if !c.Wildcard {
		name = domain(c.Host)
	}
	d, affected := x.domains[name], domains[name]
	if d == nil {
		d = &domainClaims{hosts: lists{}}
		x.domains[name] = d
	}
	if affected == nil {
		affected = &dirty{hosts: map[string]bool{}}
		domains[name] = affected
	}
	if c.Wildcard {
		affected.wildcards = true
		change(&d.wildcards, c)
		return
	}
	affected.hosts[c.Host] = true
	d.hostOwners.replace(d.hosts.change(c.Host, change, c))
}

// resolve works out the verdicts that the changes of a domain concern.
func (x *Index) resolve(name string, affected *dirty, tell func(model.RouteKey, Verdict)) {
	d := x.domains[name]
	// Only now: a wildcard that was edited is taken out and put back, for which
	// the owners of a large domain's hosts are not to be collected again.
	d.trackHostOwners(x.o.SharedHosts)
	before := d.owners
	d.owners = d.findOwners()
	if !sameOwner(d.owners.wildcard, before.wildcard) {
		for _, claims := range d.hosts {
			claims.resolve(x.o.SharedHosts, d.owners.claimedBy, tell)
		}
	} else {
		for host := range affected.hosts {
			if claims := d.hosts[host]; claims != nil {
				claims.resolve(x.o.SharedHosts, d.owners.claimedBy, tell)
			}
		}
	}
	if affected.wildcards || d.owners != before {
		d.wildcards.resolve(x.o.SharedHosts, d.owners.wildcardClaimedBy, tell)
	}
	if len(d.hosts) == 0 && len(d.wildcards) == 0 {
		delete(x.domains, name)
	}
}
