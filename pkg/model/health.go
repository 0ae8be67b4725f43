package model

import "net/netip"

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
