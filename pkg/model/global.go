package model

import "time"

// Global holds the settings of the router that apply to every route. The
// names in the comments are those of the environment variables that set them.
type Global struct {
	Listen   Listen
	TLS      ListenTLS
	Timeouts Timeouts
	Log      Log
	Headers  GlobalHeaders

	// MaxConnections is ROUTER_MAX_CONNECTIONS; 0 lets HAProxy compute it.
	MaxConnections int
	// RouteShare is ROUTER_ROUTE_CONNECTION_SHARE: what one route may have of
	// MaxConnections, in percent. 0 and 100 are no bound.
	RouteShare int
	// Threads is ROUTER_THREADS; 0 lets HAProxy choose.
	Threads int
	// BufferSize and MaxRewrite, in bytes, bound the headers of a message
	// (ROUTER_BUF_SIZE, ROUTER_MAX_REWRITE_SIZE).
	BufferSize, MaxRewrite int
	// HardStopAfter ends an old process after a reload; 0 means never.
	HardStopAfter time.Duration

	// Compression enables gzip for the media types in CompressionTypes.
	Compression      bool
	CompressionTypes []string

	// HTTP2 offers HTTP/2 to clients and re-encrypt servers; it is on unless
	// ROUTER_DISABLE_HTTP2.
	HTTP2 bool
	// IdleCloseOnResponse closes idle connections at a stop only after their
	// next response.
	IdleCloseOnResponse bool
	// RetryUnanswered sends a request that only reads once more where a pod
	// ends it without an answer (ROUTER_RETRY_UNANSWERED_REQUESTS).
	RetryUnanswered bool
	// ContStats, IgnoreProbes, DontLogNull and AbortOnClose are the HAProxy
	// options of these names.
	ContStats, IgnoreProbes, DontLogNull, AbortOnClose bool

	// ErrorPage503 and ErrorPage404 are paths of raw HTTP responses, "" for
	// the built-in ones. NotFound404 answers 404 instead of 503 where no
	// route matches.
	ErrorPage503, ErrorPage404 string
	NotFound404                bool

	// Identifier tells this router from all others in the header HopHeader, so
	// that it knows a request that it has sent itself. It consists of letters and
	// digits; "" for no such header.
	Identifier string

	// DestinationCA is PEM: what re-encrypt servers are verified by where the
	// route gives nothing; "" for none.
	DestinationCA string
}

// HopHeader is the request header that routers add a value to, each of its own.
const HopHeader = "Router-Hops"

// percent divides a share in percent.
const percent = 100

// RouteConnections is how many connections one route may have at a time, 0 for
// as many as there are: what HAProxy computes by itself is not known here.
func (g *Global) RouteConnections() int {
	if g.MaxConnections <= 0 || g.RouteShare <= 0 || g.RouteShare >= percent {
		return 0
	}
	return max(1, g.MaxConnections*g.RouteShare/percent)
}

// SetFiles takes the contents of the TLS files over.
func (g *Global) SetFiles(f TLSFiles) {
	g.TLS.DefaultCertificate, g.TLS.ClientTrust, g.DestinationCA = f.DefaultCertificate, f.ClientTrust, f.DestinationCA
}

// IPMode says which address families are listened on.
type IPMode string

// The modes of ROUTER_IP_V4_V6_MODE.
const (
	IPv4     IPMode = "v4"
	IPv6     IPMode = "v6"
	IPv4IPv6 IPMode = "v4v6"
)

// Listen says where clients come in.
type Listen struct {
	HTTPPort, HTTPSPort int
	Mode                IPMode
	// Address restricts the listeners to one address, "" for all.
	Address string
	// AcceptProxy expects the PROXY protocol on both ports.
	AcceptProxy bool
	// InspectDelay bounds the wait for a client's first bytes.
	InspectDelay time.Duration
}

// ListenTLS is the TLS of the listeners.
type ListenTLS struct {
	// DefaultCertificate serves hosts without a certificate of their own.
	DefaultCertificate Certificate
	// MinVersion and MaxVersion are in OpenSSL's spelling, "TLSv1.2"; "" for none.
	MinVersion, MaxVersion string
	// Ciphers is an OpenSSL list for TLS up to 1.2, CipherSuites for 1.3,
	// Curves the groups; "" keeps the library's default.
	Ciphers, CipherSuites, Curves string
	// DHParam is the size of Diffie-Hellman parameters in bits.
	DHParam int
	// StrictSNI refuses clients that name no known host.
	StrictSNI bool
	// ClientAuth is "", "none", "optional" or "required".
	ClientAuth  string
	ClientTrust ClientTrust
	// ClientDNFilter is a regular expression on the subject, "" for none.
	ClientDNFilter string
	// KeepClientHeaders leaves the client's headers in place whose names are
	// for what the router says of its certificate
	// (ROUTER_MUTUAL_TLS_HEADER_FILTER=false).
	KeepClientHeaders bool
}

// VerifiesClients reports whether clients' certificates are checked.
func (t ListenTLS) VerifiesClients() bool { return t.ClientAuth != "" && t.ClientAuth != "none" }

// Timeouts are the defaults that routes may change for themselves.
type Timeouts struct {
	Connect, Client, ClientFin, Server, ServerFin time.Duration
	HTTPRequest, HTTPKeepAlive, Tunnel            time.Duration
}

// LogStdout is the address of the router's own standard output.
const LogStdout = "stdout"

// Log says where and how requests are logged.
type Log struct {
	// Address is a syslog target, "stdout" for the router's own output, or
	// "" for no access log.
	Address         string
	MaxLength       int
	Facility, Level string
	// Format is a HAProxy log-format, "" for the built-in one.
	Format string
}

// GlobalHeaders are header settings that apply to every request.
type GlobalHeaders struct {
	// Forwarded is the policy of routes that choose none.
	Forwarded ForwardedPolicy
	// Request and Response are carried out for every route.
	Request, Response []HeaderAction
	// CaptureRequest and CaptureResponse put headers into the access log.
	CaptureRequest, CaptureResponse []Capture
	// CaptureCookie is nil where no cookie is logged.
	CaptureCookie *Capture
	// CaseAdjust lists header names in the case in which HTTP/1 sends them.
	CaseAdjust []string
	// UniqueIDFormat and UniqueIDHeader add an identifier to each request;
	// both or neither.
	UniqueIDFormat, UniqueIDHeader string
}

// Capture is a header or cookie to log: its name and how many bytes of it.
type Capture struct {
	Name   string
	Length int
	// Exact is for cookies: the name is the whole name, not a prefix.
	Exact bool
}
