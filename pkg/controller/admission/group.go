package admission

import (
	"slices"

	"router/pkg/model"
)

// seniority is a list of claims, oldest first.
type seniority []*claim

func (s seniority) oldest() *claim {
	if len(s) == 0 {
		return nil
	}
	return s[0]
}

func (s *seniority) add(c *claim) {
	i, _ := slices.BinarySearchFunc(*s, c, older)
	*s = slices.Insert(*s, i, c)
}

func (s *seniority) remove(c *claim) {
	if i, found := slices.BinarySearchFunc(*s, c, older); found {
		*s = slices.Delete(*s, i, i+1)
	}
}

// zone is a domain: the hosts directly below it, and the wildcards that cover
// them.
type zone struct {
	hosts     map[string]*seniority
	wildcards seniority
	// heads are the oldest claim of each host, kept only while there are
	// wildcards. Nothing but a head can be in a wildcard's way: the other
	// holders of a host are of the same namespace and younger.
	heads *heads
	now   standing
}

// heads are the oldest claims of hosts by namespace, and of each namespace the
// oldest of them.
type heads struct {
	of      map[string]*seniority
	leaders seniority
}

func (h *heads) add(c *claim) {
	list := h.of[c.key.Namespace]
	if list == nil {
		list = &seniority{}
		h.of[c.key.Namespace] = list
	}
	leader := list.oldest()
	list.add(c)
	h.lead(leader, list.oldest())
}

func (h *heads) remove(c *claim) {
	list := h.of[c.key.Namespace]
	leader := list.oldest()
	list.remove(c)
	h.lead(leader, list.oldest())
	if len(*list) == 0 {
		delete(h.of, c.key.Namespace)
	}
}

// lead takes in that a namespace's oldest head is another.
func (h *heads) lead(before, after *claim) {
	if before == after {
		return
	}
	if before != nil {
		h.leaders.remove(before)
	}
	if after != nil {
		h.leaders.add(after)
	}
}

// standing is what the wildcards and the hosts of a zone need to know of each
// other. It is zero where they have no influence: without wildcards, or where
// hosts are shared.
type standing struct {
	// owner is the oldest wildcard that holds. Its namespace owns what is
	// younger under the domain.
	owner *claim
	// first is the oldest head, foreign the oldest of another namespace.
	first, foreign *claim
}

// sameOwner reports whether two owners of a zone, either of which may be nil,
// are the same to the hosts below them. What else a wildcard route is edited
// in is none of the hosts' business, and there may be many.
func sameOwner(a, b *claim) bool {
	if a == nil || b == nil {
		return a == b
	}
	return older(a, b) == 0 && a.kind == b.kind && a.name == b.name && a.Host == b.Host
}

// trackHeads starts or ends the account of heads.
func (z *zone) trackHeads(shared bool) {
	switch {
	case len(z.wildcards) == 0 || shared:
		z.heads = nil
	case z.heads == nil:
		z.heads = &heads{of: map[string]*seniority{}}
		all := make(seniority, 0, len(z.hosts))
		for _, claims := range z.hosts {
			all = append(all, claims.oldest())
		}
		slices.SortFunc(all, older)
		for _, c := range all {
			z.heads.add(c)
		}
	}
}

// changeHead takes in that a host's oldest claim is another.
func (z *zone) changeHead(before, after *claim) {
	if z.heads == nil || before == after {
		return
	}
	if before != nil {
		z.heads.remove(before)
	}
	if after != nil {
		z.heads.add(after)
	}
}

// stand works out the zone's standing. Up to the oldest foreign head all
// holders under the domain are of one namespace, so a wildcard of that
// namespace can hold there, and none after it.
func (z *zone) stand() standing {
	if z.heads == nil {
		return standing{}
	}
	oldest := z.wildcards.oldest()
	if len(z.heads.leaders) == 0 {
		return standing{owner: oldest}
	}
	s := standing{first: z.heads.leaders[0]}
	if len(z.heads.leaders) > 1 {
		s.foreign = z.heads.leaders[1]
	}
	if older(oldest, s.first) < 0 {
		s.owner = oldest
		return s
	}
	i := slices.IndexFunc(z.wildcards, func(w *claim) bool { return w.key.Namespace == s.first.key.Namespace })
	if i >= 0 && (s.foreign == nil || older(z.wildcards[i], s.foreign) < 0) {
		s.owner = z.wildcards[i]
	}
	return s
}

// overHost is the claim of the zone's wildcards that is in the way of a host's.
func (s standing) overHost(c *claim) *claim {
	if s.owner != nil && s.owner.key.Namespace != c.key.Namespace && older(s.owner, c) < 0 {
		return s.owner
	}
	return nil
}

// overWildcard is the claim of another namespace, on a host or on the
// wildcard, that is in the way of a wildcard's.
func (s standing) overWildcard(c *claim) *claim {
	winner := s.overHost(c)
	head := s.first
	if head != nil && head.key.Namespace == c.key.Namespace {
		head = s.foreign
	}
	if head != nil && older(head, c) < 0 && s.overHost(head) == nil {
		winner = elder(winner, head)
	}
	return winner
}

// settle gives the claims on one host, or on one wildcard, their verdicts.
// above is the claim of elsewhere in the zone that is in a claim's way.
func (s seniority) settle(shared bool, above func(*claim) *claim, tell func(model.RouteKey, Verdict)) {
	var first, firstTLS, firstPassthrough *claim
	areas := make(map[area]*claim, len(s))
	for _, c := range s {
		winner := above(c)
		if first != nil && first.key.Namespace != c.key.Namespace && !shared {
			winner = elder(winner, first)
		} else {
			winner = elder(winner, areas[c.area()])
			switch {
			case c.passthrough:
				winner = elder(winner, firstTLS)
			case c.tls:
				winner = elder(winner, firstPassthrough)
			}
		}
		if winner != nil {
			tell(c.key, c.lost(winner))
			continue
		}
		tell(c.key, c.verdict)
		areas[c.area()] = c
		if first == nil {
			first = c
		}
		if c.tls && firstTLS == nil {
			firstTLS = c
		}
		if c.passthrough && firstPassthrough == nil {
			firstPassthrough = c
		}
	}
}
