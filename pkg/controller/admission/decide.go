package admission

import (
	"slices"

	routev1 "github.com/openshift/api/route/v1"

	"router/pkg/model"
)

// Decide gives every route its verdict, from nothing but the routes. It is the
// rule as it is written down: the oldest first, each gets what it wants unless
// one that has got something before is in its way.
func Decide(routes []*routev1.Route, o Options) map[model.RouteKey]Verdict {
	options := o.normal()
	claims := make([]*claim, 0, len(routes))
	for _, r := range routes {
		claims = append(claims, examine(r, nil, options))
	}
	slices.SortFunc(claims, older)
	verdicts := make(map[model.RouteKey]Verdict, len(routes))
	got := holders{hosts: map[string][]*claim{}, wildcards: map[string][]*claim{}, under: map[string][]*claim{}}
	for _, c := range claims {
		switch {
		case !c.holds:
			verdicts[c.key] = c.verdict
		case got.before(c, options) != nil:
			verdicts[c.key] = c.lost(got.before(c, options))
		default:
			verdicts[c.key] = c.verdict
			got.add(c)
		}
	}
	return verdicts
}

// holders are the claims that have got what they want, oldest first: those on
// a host, on a wildcard, and on any host that a wildcard would cover.
type holders struct{ hosts, wildcards, under map[string][]*claim }

func (g *holders) add(c *claim) {
	if c.Wildcard {
		g.wildcards[c.Host] = append(g.wildcards[c.Host], c)
		return
	}
	g.hosts[c.Host] = append(g.hosts[c.Host], c)
	g.under[domain(c.Host)] = append(g.under[domain(c.Host)], c)
}

// before is the oldest holder in the way of c, nil if there is none.
func (g *holders) before(c *claim, o *Options) *claim {
	lists := [][]*claim{g.hosts[c.Host], g.wildcards[domain(c.Host)]}
	if c.Wildcard {
		lists = [][]*claim{g.wildcards[c.Host], g.under[c.Host]}
	}
	var winner *claim
	for _, list := range lists {
		if i := slices.IndexFunc(list, func(h *claim) bool { return conflict(h, c, o) }); i >= 0 {
			winner = elder(winner, list[i])
		}
	}
	return winner
}

// elder is the older of two claims, either of which may be nil.
func elder(a, b *claim) *claim {
	if a == nil || b != nil && older(b, a) < 0 {
		return b
	}
	return a
}
