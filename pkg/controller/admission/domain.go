package admission

import (
	"slices"

	"router/pkg/model"
)

// byAge is a list of claims, oldest first.
type byAge []*claim

func (l byAge) oldest() *claim {
	if len(l) == 0 {
		return nil
	}
	return l[0]
}

func (l *byAge) add(c *claim) {
	i, _ := slices.BinarySearchFunc(*l, c, compareAge)
	*l = slices.Insert(*l, i, c)
}

func (l *byAge) remove(c *claim) {
	if i, found := slices.BinarySearchFunc(*l, c, compareAge); found {
		*l = slices.Delete(*l, i, i+1)
	}
}

// lists are lists of claims by host, or by namespace. None is empty.
type lists map[string]*byAge

// change adds c to the list of a key or removes it, and returns what was the
// oldest claim of the list and what is now, nil for none.
func (l lists) change(key string, change func(*byAge, *claim), c *claim) (before, after *claim) {
	list := l[key]
	if list == nil {
		list = &byAge{}
		l[key] = list
	}
	before = list.oldest()
	change(list, c)
	if len(*list) == 0 {
		delete(l, key)
	}
	return before, list.oldest()
}

// domainClaims are the claims of a domain: those on the hosts directly below
// it, and those of the wildcards that cover these hosts.
type domainClaims struct {
	hosts     lists
	wildcards byAge
	// hostOwners is nil while there are no wildcards, which alone need it.
	hostOwners *hostOwners
	owners     owners
}

// hostOwners are the oldest claims of a domain's hosts. Only they can keep a
// wildcard from being served: the other routes of a host that are served are
// of the same namespace, and younger.
type hostOwners struct {
	namespaces lists
	// oldest has the oldest of each namespace.
	oldest byAge
}

// replace notes that the oldest claim of a host is another; nil is for none.
func (h *hostOwners) replace(before, after *claim) {
	if h == nil || before == after {
		return
	}
	h.change((*byAge).remove, before)
	h.change((*byAge).add, after)
}

func (h *hostOwners) change(change func(*byAge, *claim), c *claim) {
	if c == nil {
		return
	}
	before, after := h.namespaces.change(c.key.Namespace, change, c)
	if before == after {
		return
	}
	if before != nil {
		h.oldest.remove(before)
	}
	if after != nil {
		h.oldest.add(after)
	}
}

// owners is what the wildcards and the hosts of a domain need to know of each
// other. It is zero where they have no influence: without wildcards, or where
// hosts are shared.
type owners struct {
	// wildcard is the oldest wildcard that is served. Its namespace owns what is
	// younger in the domain.
	wildcard *claim
	// host is the oldest claim on a host, foreignHost the oldest of a namespace
	// other than that one's.
	host, foreignHost *claim
}

// sameOwner reports whether a domain's hosts cannot tell two wildcards apart;
// either may be nil. Other edits of a wildcard route do not concern the hosts,
// of which there may be many.
func sameOwner(a, b *claim) bool {
	if a == nil || b == nil {
		return a == b
	}
	return compareAge(a, b) == 0 && a.Host == b.Host
}

// trackHostOwners collects the owners of hosts while there are wildcards.
func (d *domainClaims) trackHostOwners(shared bool) {
	switch {
	case len(d.wildcards) == 0 || shared:
		d.hostOwners = nil
	case d.hostOwners == nil:
		d.hostOwners = &hostOwners{namespaces: lists{}}
		all := make(byAge, 0, len(d.hosts))
		for _, claims := range d.hosts {
			all = append(all, claims.oldest())
		}
		slices.SortFunc(all, compareAge)
		for _, c := range all {
			d.hostOwners.change((*byAge).add, c)
		}
	}
}

// findOwners works out who owns the domain. Until the oldest claim of a second
// namespace, all that is served in the domain is of one namespace: a wildcard of
// that namespace can be served if it is older than that claim, and none that is
// younger.
func (d *domainClaims) findOwners() owners {
	if d.hostOwners == nil {
		return owners{}
	}
	wildcard := d.wildcards.oldest()
	if len(d.hostOwners.oldest) == 0 {
		return owners{wildcard: wildcard}
	}
	o := owners{host: d.hostOwners.oldest[0]}
	if len(d.hostOwners.oldest) > 1 {
		o.foreignHost = d.hostOwners.oldest[1]
	}
	if compareAge(wildcard, o.host) < 0 {
		o.wildcard = wildcard
		return o
	}
	i := slices.IndexFunc(d.wildcards, func(w *claim) bool { return w.key.Namespace == o.host.key.Namespace })
	if i >= 0 && (o.foreignHost == nil || compareAge(d.wildcards[i], o.foreignHost) < 0) {
		o.wildcard = d.wildcards[i]
	}
	return o
}

// claimedBy is the wildcard that keeps c from its host, nil if none does.
func (o owners) claimedBy(c *claim) *claim {
	if o.wildcard != nil && o.wildcard.key.Namespace != c.key.Namespace && compareAge(o.wildcard, c) < 0 {
		return o.wildcard
	}
	return nil
}

// wildcardClaimedBy is the claim of another namespace, on a host or on the
// wildcard, that keeps c from its wildcard; nil if none does.
func (o owners) wildcardClaimedBy(c *claim) *claim {
	winner := o.claimedBy(c)
	host := o.host
	if host != nil && host.key.Namespace == c.key.Namespace {
		host = o.foreignHost
	}
	if host != nil && compareAge(host, c) < 0 && o.claimedBy(host) == nil {
		winner = older(winner, host)
	}
	return winner
}

// resolve gives the claims on one host, or on one wildcard, their verdicts.
// claimedBy is the claim on something else in the domain that a claim loses to.
func (l byAge) resolve(shared bool, claimedBy func(*claim) *claim, tell func(model.RouteKey, Verdict)) {
	var first, firstTLS, firstPassthrough *claim
	served := make(map[model.Match]*claim, len(l))
	for _, c := range l {
		winner := claimedBy(c)
		if first != nil && first.key.Namespace != c.key.Namespace && !shared {
			winner = older(winner, first)
		} else {
			winner = older(winner, served[c.Match])
			switch {
			case c.passthrough:
				winner = older(winner, firstTLS)
			case c.tls:
				winner = older(winner, firstPassthrough)
			}
		}
		if winner != nil {
			tell(c.key, c.losesTo(winner))
			continue
		}
		tell(c.key, c.verdict)
		served[c.Match] = c
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
