package admission

import (
	"slices"

	"router/pkg/controller/routes"
	"router/pkg/model"
)

// Decide gives every route its verdict, from nothing but the routes. It is the
// rule as docs/admission.md has it: the oldest first, each gets what it wants
// unless it conflicts with one that is served already.
func Decide(candidates []*routes.Candidate, o Options) map[model.RouteKey]Verdict {
	options := o.normal()
	claims := make([]*claim, 0, len(candidates))
	for _, r := range candidates {
		claims = append(claims, examine(r, nil, options))
	}
	slices.SortFunc(claims, compareAge)
	verdicts := make(map[model.RouteKey]Verdict, len(candidates))
	served := served{hosts: map[string][]*claim{}, wildcards: map[string][]*claim{}, below: map[string][]*claim{}}
	for _, c := range claims {
		verdicts[c.key] = c.verdict
		if !c.holds {
			continue
		}
		if winner := served.conflicting(c, options); winner != nil {
			verdicts[c.key] = c.losesTo(winner)
		} else {
			served.add(c)
		}
	}
	return verdicts
}

// served are the claims that have got what they want, oldest first: by host, by
// the domain of a wildcard, and by the domain that a host is directly below.
type served struct{ hosts, wildcards, below map[string][]*claim }

func (s *served) add(c *claim) {
	if c.Wildcard {
		s.wildcards[c.Host] = append(s.wildcards[c.Host], c)
		return
	}
	s.hosts[c.Host] = append(s.hosts[c.Host], c)
	s.below[domain(c.Host)] = append(s.below[domain(c.Host)], c)
}

// conflicting is the oldest claim that c conflicts with, nil if there is none.
func (s *served) conflicting(c *claim, o *Options) *claim {
	lists := [][]*claim{s.hosts[c.Host], s.wildcards[domain(c.Host)]}
	if c.Wildcard {
		lists = [][]*claim{s.wildcards[c.Host], s.below[c.Host]}
	}
	var winner *claim
	for _, list := range lists {
		if i := slices.IndexFunc(list, func(h *claim) bool { return conflict(h, c, o) }); i >= 0 {
			winner = older(winner, list[i])
		}
	}
	return winner
}

// conflict reports whether c cannot have what it wants beside the older h.
func conflict(h, c *claim, o *Options) bool {
	foreign := h.key.Namespace != c.key.Namespace && !o.SharedHosts
	if h.Wildcard != c.Wildcard {
		return foreign && (h.Wildcard && domain(c.Host) == h.Host || c.Wildcard && domain(h.Host) == c.Host)
	}
	return h.Host == c.Host && (foreign || h.Match == c.Match || bothTLS(h, c))
}
