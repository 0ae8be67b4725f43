package haproxy

import (
	"net/netip"
	"slices"

	"router/pkg/model"
)

// noteHealth takes in what has changed of the health of endpoints.
func (d *DataPlane) noteHealth(changes []model.Health) {
	for _, h := range changes {
		if h.Failing {
			d.failing[h.Address] = true
		} else {
			delete(d.failing, h.Address)
		}
	}
	for _, h := range changes {
		for _, key := range h.Routes {
			name := d.backends[key]
			old := d.desired.Backends[name]
			if old == nil {
				continue // It has gone meanwhile.
			}
			now := *old
			now.Servers = slices.Clone(old.Servers)
			if d.markDown(name, now.Servers, d.routes[key]); !slices.Equal(now.Servers, old.Servers) {
				d.desired.Backends[name], d.pending.backends[name] = &now, true
			}
		}
	}
}

// markDown takes those servers of a route out whose health checks fail, unless
// none would be left that gets requests: where all fail, it is as likely that
// the checks are wrong, and a request that is tried is better than one that is
// refused. servers are in the order of the route's.
func (d *DataPlane) markDown(backend string, servers []Server, r *model.Route) {
	failing := make([]bool, len(servers))
	usable := false
	for i := range r.Backend.Servers {
		s := &r.Backend.Servers[i]
		address, err := netip.ParseAddr(s.Address)
		failing[i] = err == nil && s.Check && d.failing[netip.AddrPortFrom(address, uint16(s.Port))] //nolint:gosec // a port
		usable = usable || !failing[i] && s.Weight > 0 && !s.Backup
	}
	down := map[string]bool{}
	for i := range servers {
		if servers[i].Down = failing[i] && usable; servers[i].Down {
			down[servers[i].Endpoint] = true
		}
	}
	if len(down) > 0 {
		d.down.Store(backend, down)
	} else {
		d.down.Delete(backend)
	}
}

// IsDown reports whether an endpoint of a backend is taken out because its
// health checks fail. It may be called from any goroutine.
func (d *DataPlane) IsDown(backend, endpoint string) bool {
	down, ok := d.down.Load(backend)
	return ok && down.(map[string]bool)[endpoint]
}
