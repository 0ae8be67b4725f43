package model

import (
	"net/netip"
	"strconv"
	"strings"
)

// EndpointID is the identity of an endpoint, which is the name of its server.
type EndpointID struct {
	// Pod is "" where no pod is known.
	Pod, Service, PortName string
	// Address is an IP address, an IPv6 one without brackets, a colon and a port.
	Address string
}

// String is "pod:<pod>:<service>:<port name>:<ip>:<port>", or with "ept:" and
// without the pod where there is none.
func (e EndpointID) String() string {
	prefix := "ept:"
	if e.Pod != "" {
		prefix = "pod:" + e.Pod + ":"
	}
	return prefix + e.Service + ":" + e.PortName + ":" + e.Address
}

// ParseEndpointID reads what String writes; ok is false for any other text. The
// address is all that is left, since an IPv6 one has colons itself.
func ParseEndpointID(id string) (e EndpointID, ok bool) {
	kind, rest, _ := strings.Cut(id, ":")
	switch kind {
	case "pod":
		e.Pod, rest, _ = strings.Cut(rest, ":")
	case "ept":
	default:
		return EndpointID{}, false
	}
	parts := strings.SplitN(rest, ":", 3)
	if len(parts) < 3 {
		return EndpointID{}, false
	}
	e.Service, e.PortName, e.Address = parts[0], parts[1], parts[2]
	return e, true
}

// AddrPort is the address; false if it is none.
func (e EndpointID) AddrPort() (netip.AddrPort, bool) {
	colon := strings.LastIndexByte(e.Address, ':')
	if colon < 0 {
		return netip.AddrPort{}, false
	}
	ip, err := netip.ParseAddr(e.Address[:colon])
	port, portErr := strconv.ParseUint(e.Address[colon+1:], 10, 16)
	return netip.AddrPortFrom(ip, uint16(port)), err == nil && portErr == nil
}
