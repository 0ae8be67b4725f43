package translate

import (
	"net/netip"
	"slices"
)

// metadataAddresses are cloud providers' services that only a machine itself
// may talk to.
var metadataAddresses = []netip.Addr{netip.MustParseAddr("168.63.129.16"), netip.MustParseAddr("fd00:ec2::254")}

// embedding are the first twelve bytes of IPv6 addresses that stand for the
// IPv4 address in their last four: compatible, mapped, and translated by NAT64
// (RFC 4291, sections 2.5.5.1 and 2.5.5.2; RFC 6052, section 2.1).
var embedding = [][12]byte{{}, {10: 0xff, 11: 0xff}, {1: 0x64, 2: 0xff, 3: 0x9b}}

// forms are an address, and the IPv4 address that it stands for.
func forms(a netip.Addr) []netip.Addr {
	list := []netip.Addr{a}
	if b := a.As16(); a.Is6() && slices.Contains(embedding, [12]byte(b[:12])) {
		list = append(list, netip.AddrFrom4([4]byte(b[12:])))
	}
	return list
}

// written is an address as inet_ntop(3) writes it. HAProxy tells the addresses
// of its servers so, and what differs would be set again and again.
func written(a netip.Addr) string {
	if b := a.As16(); a.Is6() && [12]byte(b[:12]) == embedding[0] && (b[12] != 0 || b[13] != 0) {
		return "::" + netip.AddrFrom4([4]byte(b[12:])).String()
	}
	return a.String()
}

// reachable refuses addresses through which a route could reach the router's
// own machine or its cloud's metadata service, IPv4 inside IPv6 included.
func reachable(a netip.Addr) bool {
	for _, f := range forms(a) {
		if !f.IsValid() || f.Zone() != "" || f.IsUnspecified() || f.IsLoopback() || f.IsLinkLocalUnicast() || f.IsMulticast() || slices.Contains(metadataAddresses, f) {
			return false
		}
	}
	return true
}
