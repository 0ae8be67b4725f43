package admission

import (
	"maps"
	"slices"

	routev1 "github.com/openshift/api/route/v1"

	"router/pkg/model"
)

// Index keeps the verdicts of changing routes. It belongs to one goroutine.
type Index struct {
	o        *Options
	claims   map[model.RouteKey]*claim
	verdicts map[model.RouteKey]Verdict
	// zones are by domain: that of a host, or that which a wildcard covers.
	zones map[string]*zone
}

// NewIndex returns an empty index.
func NewIndex(o Options) *Index {
	return &Index{o: o.normal(), claims: map[model.RouteKey]*claim{}, verdicts: map[model.RouteKey]Verdict{}, zones: map[string]*zone{}}
}

// Verdict is the verdict of a route; false if the route is not known.
func (x *Index) Verdict(k model.RouteKey) (Verdict, bool) {
	v, ok := x.verdicts[k]
	return v, ok
}

// Set takes in a route that is new or changed, and returns the routes whose
// verdicts are others now, sorted.
func (x *Index) Set(r *routev1.Route) []model.RouteKey {
	return x.apply([]*routev1.Route{r}, nil, map[model.RouteKey]bool{})
}

// Delete takes in that a route is gone, and returns the routes whose verdicts
// are others now or no more, sorted.
func (x *Index) Delete(k model.RouteKey) []model.RouteKey {
	return x.apply(nil, []model.RouteKey{k}, map[model.RouteKey]bool{})
}

// Update does both for many routes, each key at most once, and returns them and
// those whose verdicts are others now, sorted. It costs as much as there are
// routes on the hosts that are touched, and in a domain whose wildcard changes
// hands as there are in the domain.
func (x *Index) Update(set []*routev1.Route, gone []model.RouteKey) []model.RouteKey {
	changed := map[model.RouteKey]bool{}
	for _, r := range set {
		changed[keyOf(r)] = true
	}
	for _, k := range gone {
		changed[k] = true
	}
	return x.apply(set, gone, changed)
}

func keyOf(r *routev1.Route) model.RouteKey {
	return model.RouteKey{Namespace: r.Namespace, Name: r.Name}
}

// touched are the parts of a zone that have to be settled anew.
type touched struct {
	hosts     map[string]bool
	wildcards bool
}

func (x *Index) apply(set []*routev1.Route, gone []model.RouteKey, changed map[model.RouteKey]bool) []model.RouteKey {
	zones := map[string]*touched{}
	for _, k := range gone {
		x.remove(x.claims[k], zones)
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
		k := keyOf(r)
		before := x.claims[k]
		c := examine(r, before, x.o)
		if before != nil && c.same(before) {
			continue
		}
		x.remove(before, zones)
		x.claims[k] = c
		if c.holds {
			x.insert(c, zones)
		} else {
			tell(k, c.verdict)
		}
	}
	for d, t := range zones {
		x.settle(d, t, tell)
	}
	return slices.SortedFunc(maps.Keys(changed), model.RouteKey.Compare)
}

// touch says that a claim's coming or going has to be taken into account.
func touch(c *claim, zones map[string]*touched) string {
	d := c.Host
	if !c.Wildcard {
		d = domain(c.Host)
	}
	t := zones[d]
	if t == nil {
		t = &touched{hosts: map[string]bool{}}
		zones[d] = t
	}
	if c.Wildcard {
		t.wildcards = true
	} else {
		t.hosts[c.Host] = true
	}
	return d
}

func (x *Index) insert(c *claim, zones map[string]*touched) {
	d := touch(c, zones)
	z := x.zones[d]
	if z == nil {
		z = &zone{hosts: map[string]*seniority{}}
		x.zones[d] = z
	}
	if c.Wildcard {
		z.wildcards.add(c)
		return
	}
	claims := z.hosts[c.Host]
	if claims == nil {
		claims = &seniority{}
		z.hosts[c.Host] = claims
	}
	before := claims.oldest()
	claims.add(c)
	z.changeHead(before, claims.oldest())
}

// remove takes a claim out; it may be nil.
func (x *Index) remove(c *claim, zones map[string]*touched) {
	if c == nil || !c.holds {
		return
	}
	z := x.zones[touch(c, zones)]
	if c.Wildcard {
		z.wildcards.remove(c)
		return
	}
	claims := z.hosts[c.Host]
	before := claims.oldest()
	claims.remove(c)
	z.changeHead(before, claims.oldest())
	if len(*claims) == 0 {
		delete(z.hosts, c.Host)
	}
}

// settle works out the verdicts that a zone's changes have made others.
func (x *Index) settle(d string, t *touched, tell func(model.RouteKey, Verdict)) {
	z := x.zones[d]
	// Not before: an edited wildcard is taken out and put back, and the account
	// of a large domain is kept meanwhile.
	z.trackHeads(x.o.SharedHosts)
	before := z.now
	z.now = z.stand()
	if !sameOwner(z.now.owner, before.owner) {
		for _, claims := range z.hosts {
			claims.settle(x.o.SharedHosts, z.now.overHost, tell)
		}
	} else {
		for host := range t.hosts {
			if claims := z.hosts[host]; claims != nil {
				claims.settle(x.o.SharedHosts, z.now.overHost, tell)
			}
		}
	}
	if t.wildcards || z.now != before {
		z.wildcards.settle(x.o.SharedHosts, z.now.overWildcard, tell)
	}
	if len(z.hosts) == 0 && len(z.wildcards) == 0 {
		delete(x.zones, d)
	}
}
