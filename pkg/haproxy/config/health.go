package config

import (
	"net/netip"
	"slices"

	"router/pkg/model"
)

// applyHealth takes in what has changed of the health of endpoints.
func (d *Desired) applyHealth(changes []model.Health) {
	for _, h := range changes {
		if h.Failing {
			d.failing[h.Address] = true
		} else {
			delete(d.failing, h.Address)
		}
	}
	for _, h := range changes {
		for _, key := range h.Routes {
			m := d.routes[key]
			if m == nil || m.route == nil {
				continue // It has gone meanwhile.
			}
			old := d.State.Backends[m.backend]
			now := *old
			now.Servers = slices.Clone(old.Servers)
			if d.markDown(now.Servers, m.route); !slices.Equal(now.Servers, old.Servers) {
				d.State.Backends[m.backend], d.Changes.Backends[m.backend] = &now, true
			}
		}
	}
}

// markDown takes those servers of a route out whose health checks fail, unless
// none would be left that gets requests: where all fail, it is as likely that
// the checks are wrong, and a request that is tried is better than one that is
// refused. servers are in the order of the route's.
func (d *Desired) markDown(servers []Server, r *model.Route) {
	failing := make([]bool, len(servers))
	usable := false
	for i := range r.Backend.Servers {
		s := &r.Backend.Servers[i]
		address, err := netip.ParseAddr(s.Address)
		failing[i] = err == nil && s.Check && d.failing[netip.AddrPortFrom(address, uint16(s.Port))] //nolint:gosec // a port
		usable = usable || !failing[i] && s.Weight > 0 && !s.Backup
	}
	for i := range servers {
		servers[i].Down = failing[i] && usable
	}
}
