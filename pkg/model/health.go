package model

import (
	"net/netip"
	"strconv"
	"strings"
)

// Health is whether connections to an endpoint can be made.
type Health struct {
	Address netip.AddrPort
	// Failing is whether its checks fail.
	Failing bool
	// Error is why the last of them failed, "" where they do not fail.
	Error string
	// Routes are those that have the endpoint, and have it checked.
	Routes []RouteKey
}

// EndpointAddress is the address in a server's ID; false where it has none.
func EndpointAddress(id string) (netip.AddrPort, bool) {
	fields := map[string]int{"ept": 4, "pod": 5}[id[:max(0, strings.IndexByte(id, ':'))]]
	parts := strings.SplitN(id, ":", fields)
	if fields == 0 || len(parts) < fields {
		return netip.AddrPort{}, false
	}
	// What is left is the address, which may have colons itself, and the port.
	address := parts[fields-1]
	colon := strings.LastIndexByte(address, ':')
	if colon < 0 {
		return netip.AddrPort{}, false
	}
	ip, err := netip.ParseAddr(address[:colon])
	port, portErr := strconv.ParseUint(address[colon+1:], 10, 16)
	return netip.AddrPortFrom(ip, uint16(port)), err == nil && portErr == nil
}
