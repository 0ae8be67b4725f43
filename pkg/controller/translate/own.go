package translate

import (
	"net"
	"net/netip"
	"slices"
	"strconv"

	"router/pkg/model"
)

// Own is where the router itself can be reached. A route that leads there gets
// its own requests back, each as a new one, until all connections are used up.
type Own struct {
	// Addresses are those of the machine. Loopback and unspecified ones belong to
	// it without being named.
	Addresses []netip.Addr
	// Ports are those that the router listens on. On whichever of the addresses
	// it does: no other program needs the same port of the same machine.
	Ports []int
}

// has reports whether a connection to the address would reach the router, IPv4
// inside IPv6 included.
func (o Own) has(a netip.Addr, port int) bool {
	return slices.Contains(o.Ports, port) && slices.ContainsFunc(forms(a), func(f netip.Addr) bool {
		return f.IsLoopback() || f.IsUnspecified() || slices.Contains(o.Addresses, f)
	})
}

// isOwn reports whether an endpoint is the router itself.
func (t *translation) isOwn(e endpoint) bool {
	a, err := netip.ParseAddr(e.address)
	return err == nil && t.options.Own.has(a, e.port)
}

// tellOwn tells which endpoints were left out because they are the router. It is
// so on this replica alone: the others run on other machines.
func (t *translation) tellOwn(p model.Problem, own []endpoint) {
	if len(own) == 0 {
		return
	}
	addresses := make([]string, 0, len(own))
	for _, e := range own {
		if a, err := netip.ParseAddr(e.address); err == nil {
			addresses = append(addresses, net.JoinHostPort(written(a), strconv.Itoa(e.port)))
		}
	}
	slices.Sort(addresses)
	p.Cause, p.Local = model.EndpointsRefused, true
	p.Message = "service " + p.Service + " leads to this router itself (" + bounded(slices.Compact(addresses)) + "), which would get its own requests back again and again; to it, no connection is made"
	t.problem(p)
}
