package dns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
)

// The families of addresses, as indexes. They are asked for one by one, so
// that name servers which fail for one of them do not hide the other.
const (
	four = iota
	six
	families
)

// The reasons why a name has no address.
const (
	noSuchName = "there is no such name, or it has no address"
	noAnswer   = "the name servers do not answer, or fail"
)

// reply is what the name servers said of one family of a name: addresses, or
// why there are none.
type reply struct {
	addresses []netip.Addr
	failure   string
}

// lookup asks for all families at a time.
func (w *watchedName) lookup(ctx context.Context) [families]reply {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	other := make(chan reply, 1)
	go func() { other <- w.ask(ctx, "ip6") }()
	return [families]reply{four: w.ask(ctx, "ip4"), six: <-other}
}

func (w *watchedName) ask(ctx context.Context, network string) reply {
	// The dot keeps the resolver from trying the machine's own domains: the name
	// is not meant to be relative to the router.
	list, err := w.opts.Resolver.LookupNetIP(ctx, network, w.key.Name+".")
	var failed *net.DNSError
	var unsuitable *net.AddrError
	switch {
	case errors.As(err, &failed) && failed.IsNotFound, errors.As(err, &unsuitable), err == nil && len(list) == 0:
		return reply{failure: noSuchName}
	case err != nil:
		return reply{failure: noAnswer}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	list = slices.Compact(list)
	return reply{addresses: list[:min(len(list), maxAddresses)]}
}

// choose takes one family: the others are most likely the same machines. It is
// IPv4, unless there is no way to it from here but one to IPv6.
func choose(known [families][]netip.Addr) []netip.Addr {
	if len(known[four]) == 0 || len(known[six]) > 0 && !hasRoute(known[four][0]) && hasRoute(known[six][0]) {
		return known[six]
	}
	return known[four]
}

// hasRoute reports whether the machine knows a way to an address. Nothing is
// sent: a UDP socket is only given its peer.
func hasRoute(a netip.Addr) bool {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 9)))
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}
