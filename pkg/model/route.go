package model

import (
	"net/netip"
	"time"
)

// Termination says where TLS ends. The values are those of a Route's
// spec.tls.termination; the empty value is a route without TLS.
type Termination string

// The terminations.
const (
	TerminationNone        Termination = ""
	TerminationEdge        Termination = "edge"
	TerminationPassthrough Termination = "passthrough"
	TerminationReencrypt   Termination = "reencrypt"
)

// InsecurePolicy says what becomes of plain HTTP requests for a TLS route.
type InsecurePolicy string

// The insecure policies. InsecureNone covers the absent value.
const (
	InsecureNone     InsecurePolicy = "None"
	InsecureAllow    InsecurePolicy = "Allow"
	InsecureRedirect InsecurePolicy = "Redirect"
)

// Route is one admitted route, ready to be rendered. Values are immutable
// once handed over; a changed route is a new value.
type Route struct {
	Key RouteKey
	Match
	Termination Termination
	Insecure    InsecurePolicy
	// Created orders routes that share a host where one must win, such as the
	// certificate of a host with several paths. Older wins, then Key.
	Created time.Time
	// Certificate is nil where the default certificate serves the host.
	Certificate *Certificate
	Backend     Backend
}

// Certificate is a TLS certificate with its key, ready to be served.
type Certificate struct {
	// Chain is PEM: the leaf first, then its intermediates.
	Chain string
	// Key is the PEM private key of the leaf.
	Key Secret
}

// MaxServedRSABits is the largest RSA key that routes may serve. Each handshake
// costs a signature in HAProxy's event loop, where everybody waits for it: one
// of 8192 bits takes eight times as long as one of 4096 bits, one of 16384
// forty times. No authority asks for more than 4096.
const MaxServedRSABits = 4096

// Balance is a load-balancing algorithm.
type Balance string

// The balance algorithms that an annotation may name.
const (
	BalanceRandom     Balance = "random"
	BalanceRoundRobin Balance = "roundrobin"
	BalanceLeastConn  Balance = "leastconn"
	BalanceSource     Balance = "source"
)

// Backend is where the requests of one route go, and how.
type Backend struct {
	Balance Balance
	Servers []Server

	// ServerTimeout bounds the wait for a response, TunnelTimeout an idle
	// upgraded or passthrough connection. Zero means the router's default.
	ServerTimeout, TunnelTimeout time.Duration

	// Cookie is nil without session affinity.
	Cookie *Cookie
	// Allowlist is nil where every client may connect.
	Allowlist *Allowlist
	// RateLimit is nil without limits.
	RateLimit *RateLimit
	// Rewrite is nil where the path goes to the server as it came.
	Rewrite *Rewrite
	// Forwarded is how X-Forwarded-* and Forwarded are treated.
	Forwarded ForwardedPolicy
	// HSTS is the value of Strict-Transport-Security, "" for none.
	HSTS string
	// RequestHeaders and ResponseHeaders are carried out in their order.
	RequestHeaders, ResponseHeaders []HeaderAction
	// AdjustCase sends header names in the case that the router is configured with.
	AdjustCase bool
	// CheckInterval is the time between health checks of a server, if all
	// checks together do not take longer.
	CheckInterval time.Duration
	// MaxConnPerServer bounds the concurrent connections to a server, 0 means unlimited.
	MaxConnPerServer int
	// TLS is set where the connection to the servers is encrypted by the
	// router (re-encrypt), nil otherwise.
	TLS *ServerTLS
}

// Server is one endpoint of a backend.
type Server struct {
	// ID is the endpoint's identity, unique within its backend: an EndpointID as
	// text.
	ID string
	// Address is an IP address, never a name.
	Address string
	Port    int
	// Weight is 0 to 256; 0 takes no new session.
	Weight int
	// Service is the name of the service that the endpoint belongs to, Pod
	// the name of its pod if known.
	Service, Pod string
	// H2C means the server speaks HTTP/2 without TLS.
	H2C bool
	// Check is whether the server's health is checked.
	Check bool
	// Idled servers are asleep and must not be woken by a probe: they are
	// never checked, whatever becomes of their neighbours.
	Idled bool
	// Backup servers take traffic only when no other can.
	Backup bool
	// VerifyHost is the name that the server's certificate must carry,
	// "" where the name is not checked. Only with Backend.TLS.
	VerifyHost string
}

// ServerTLS is how the router verifies the servers of a re-encrypt backend.
type ServerTLS struct {
	// CA is PEM: the authorities to trust. "" with CAFile "" means the
	// certificate of the server is not verified.
	CA string
	// CAFile is a path to the authorities, used where CA is "".
	CAFile string
	// HTTP2 offers HTTP/2 to the server.
	HTTP2 bool
}

// Cookie is session affinity by a cookie that names a server.
type Cookie struct {
	Name string
	// Key is mixed into the cookie's value, so that it is the same on every
	// replica and does not reveal the server's address.
	Key Secret
	// Secure keeps the cookie off plain HTTP. SameSite is Lax, Strict, None
	// or "" for no attribute.
	Secure   bool
	SameSite string
}

// Allowlist names the clients that may connect. An empty list denies all.
type Allowlist struct {
	Prefixes []netip.Prefix
}

// RateLimit bounds what one client address may do; 0 means no such limit.
type RateLimit struct {
	// Deny refuses every connection: a limit is set but cannot be understood,
	// and protection fails closed.
	Deny bool
	// ConcurrentTCP is the number of open connections.
	ConcurrentTCP int
	// RateTCP is new connections in 3 s, RateHTTP requests in 10 s.
	RateTCP, RateHTTP int
}

// Rewrite replaces the route's path by Target in the request's path.
type Rewrite struct {
	Target string
	// DropRest leaves out what followed the route's path in the request.
	DropRest bool
}

// ForwardedPolicy is how forwarded headers of the client are treated.
type ForwardedPolicy string

// The policies for forwarded headers.
const (
	ForwardedAppend  ForwardedPolicy = "append"
	ForwardedReplace ForwardedPolicy = "replace"
	ForwardedIfNone  ForwardedPolicy = "if-none"
	ForwardedNever   ForwardedPolicy = "never"
)

// HeaderAction sets or deletes one header.
type HeaderAction struct {
	Name string
	// Delete removes the header; otherwise it is set to Value.
	Delete bool
	Value  []ValuePart
}

// ValuePart is a piece of a header's value: literal text, or, where Sample is
// not "", an expression over the request or response whose grammar was
// checked, such as "req.hdr(host),lower".
type ValuePart struct {
	Literal string
	Sample  string
	// Flags say how the expression's result is written: "+Q" quotes it, "+X"
	// is hexadecimal, "+E" escapes. "" writes it as it is.
	Flags string
}
