package template

import (
	"cmp"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"router/pkg/model"
)

// BaseConfig is the data of the parts that do not belong to one route: global,
// defaults and frontends.
type BaseConfig struct {
	Files Layout
	Maps  Maps
	TLS   BaseTLS

	// LooksAtSNI is whether TLS connections go through a front that reads the
	// server name, and a hop to the TLS frontend: for passthrough routes, and
	// where clients that name an unknown host are refused, but not those that
	// name none. Otherwise the TLS frontend listens itself.
	LooksAtSNI bool

	HTTPBinds, HTTPSBinds []Arg
	AcceptProxy           bool
	InspectDelay          Duration

	HardStopAfter                                             *Duration
	MaxConnections, Threads, BufferSize, MaxRewrite           int
	Timeouts                                                  BaseTimeouts
	CompressionTypes                                          []Arg
	HTTP2                                                     bool
	IdleCloseOnResponse, ContStats, IgnoreProbes, DontLogNull bool
	AbortOnClose, NotFound404, StripClientHeaders             bool
	RetryUnanswered                                           bool
	Log                                                       *BaseLog
	RequestHeaders, ResponseHeaders                           []HeaderView
	CaptureRequest, CaptureResponse                           []CaptureView
	CaptureCookie                                             *CaptureView
	CookieCaptureLength                                       int
	CaseAdjust                                                []CaseView
	UniqueIDFormat, UniqueIDHeader                            *Arg
	// UniqueIDSpellings matches the header in all spellings of a client's.
	UniqueIDSpellings *Arg
	Profiles          []Profile
	// SessionCookie is the name of the session cookie inside, see CookieView.
	SessionCookie Name
	// Counters is the section by which the counters of limits survive a reload,
	// LocalPeer the name of the one peer in it.
	Counters, LocalPeer Name
	// RouteShare is nil where a route may have all connections.
	RouteShare *RouteShare
	// Hops is nil where requests are not marked.
	Hops *HopsView
}

// BaseTLS is the TLS of the listeners.
type BaseTLS struct {
	MinVersion                    Arg
	MaxVersion                    *Arg
	Ciphers, CipherSuites, Curves *Arg
	DHParam                       int
	StrictSNI                     bool
	ClientAuth                    *Arg
	VerifiesClients               bool
	// VerifiesRevocation is whether there are lists of revoked certificates.
	VerifiesRevocation bool
	ClientDNFilter     *Arg
}

// BaseTimeouts are the default time-outs.
type BaseTimeouts struct {
	Connect, Client, ClientFin, Server, ServerFin, HTTPRequest, HTTPKeepAlive, Tunnel Duration
}

// BaseLog is the access log.
type BaseLog struct {
	Target          Arg
	MaxLength       int
	Facility, Level Arg
	// Raw leaves syslog's framing away, for standard output.
	Raw, Hostname bool
	// HTTPFormat is that of requests, TCPFormat that of connections whose TLS
	// is not terminated.
	HTTPFormat, TCPFormat Arg
	// Slots is whether servers are slots, whose names stand in a table.
	Slots bool
}

// HeaderView is one header action.
type HeaderView struct {
	Name   Arg
	Delete bool
	Value  Arg
}

// CaptureView is one header or cookie for the access log.
type CaptureView struct {
	Name   Arg
	Length int
}

// CaseView is one header name and the case to send it in.
type CaseView struct{ From, To Arg }

// Profile is a named defaults section that backends build on.
type Profile struct {
	*BaseConfig
	Name      Name
	HTTP      bool
	Forwarded model.ForwardedPolicy
}

// profiles are all the defaults sections; profileOf chooses among them.
func profiles(f *BaseConfig) []Profile {
	list := []Profile{{BaseConfig: f, Name: profileName(passthroughPrefix), HTTP: false}}
	for _, p := range []model.ForwardedPolicy{model.ForwardedAppend, model.ForwardedReplace, model.ForwardedIfNone, model.ForwardedNever} {
		list = append(list, Profile{BaseConfig: f, Name: profileName(string(p)), HTTP: true, Forwarded: p})
	}
	return list
}

func profileName(kind string) Name {
	if kind == passthroughPrefix {
		return Name{"route-tcp"}
	}
	return Name{"route-http-" + kind}
}

func profileOf(r *model.Route) Name {
	if r.Termination == model.TerminationPassthrough {
		return profileName(passthroughPrefix)
	}
	return profileName(string(r.Backend.Forwarded))
}

// LocalPeer is the name by which HAProxy's workers know each other.
const LocalPeer = "router"

// counters is BaseConfig.Counters.
const counters = "counters"

// defaultCookieLen is how many bytes HAProxy captures of a cookie unless told
// otherwise.
const defaultCookieLen = 63

// Needs are what BaseConfig depends on beside the options.
type Needs struct {
	// Passthrough is whether there are passthrough routes, Slots whether servers
	// are slots.
	Passthrough, Slots bool
}

// NewBaseConfig prepares the data. Errors name the setting whose
// value HAProxy's configuration cannot carry.
func NewBaseConfig(g model.Global, files Layout, n Needs) (BaseConfig, error) {
	b := builder{}
	f := BaseConfig{
		Files: files, Maps: files.Maps,
		LooksAtSNI:  n.Passthrough || g.TLS.StrictSNI,
		HTTPBinds:   b.binds(g.Listen, g.Listen.HTTPPort),
		HTTPSBinds:  b.binds(g.Listen, g.Listen.HTTPSPort),
		AcceptProxy: g.Listen.AcceptProxy, InspectDelay: NewDuration(g.Listen.InspectDelay),
		HardStopAfter:  optional(g.HardStopAfter),
		MaxConnections: g.MaxConnections, Threads: g.Threads, BufferSize: g.BufferSize, MaxRewrite: g.MaxRewrite,
		HTTP2: g.HTTP2, IdleCloseOnResponse: g.IdleCloseOnResponse,
		ContStats: g.ContStats, IgnoreProbes: g.IgnoreProbes, DontLogNull: g.DontLogNull, AbortOnClose: g.AbortOnClose,
		NotFound404: g.NotFound404, StripClientHeaders: !g.TLS.KeepClientHeaders, RetryUnanswered: g.RetryUnanswered,
		Timeouts: BaseTimeouts{
			Connect: NewDuration(g.Timeouts.Connect), Client: NewDuration(g.Timeouts.Client), ClientFin: NewDuration(g.Timeouts.ClientFin),
			Server: NewDuration(g.Timeouts.Server), ServerFin: NewDuration(g.Timeouts.ServerFin),
			HTTPRequest: NewDuration(g.Timeouts.HTTPRequest), HTTPKeepAlive: NewDuration(g.Timeouts.HTTPKeepAlive), Tunnel: NewDuration(g.Timeouts.Tunnel),
		},
		TLS: BaseTLS{
			MinVersion: b.arg("minimum TLS version", g.TLS.MinVersion), MaxVersion: b.optional("maximum TLS version", g.TLS.MaxVersion),
			Ciphers: b.optional("ciphers", g.TLS.Ciphers), CipherSuites: b.optional("cipher suites", g.TLS.CipherSuites), Curves: b.optional("curves", g.TLS.Curves),
			DHParam: g.TLS.DHParam, StrictSNI: g.TLS.StrictSNI,
			ClientAuth:         b.optional("client authentication", g.TLS.ClientAuth),
			VerifiesClients:    g.TLS.VerifiesClients(),
			VerifiesRevocation: g.TLS.ClientTrust.CRLs != "",
			ClientDNFilter:     b.optional("client DN filter", g.TLS.ClientDNFilter),
		},
		RequestHeaders: b.headers(g.Headers.Request), ResponseHeaders: b.headers(g.Headers.Response),
		CaptureRequest: b.captures(g.Headers.CaptureRequest), CaptureResponse: b.captures(g.Headers.CaptureResponse),
		UniqueIDFormat: b.optional("unique id format", g.Headers.UniqueIDFormat), UniqueIDHeader: b.optional("unique id header", g.Headers.UniqueIDHeader),
		SessionCookie: Name{sessionCookie}, Counters: Name{counters}, LocalPeer: Name{LocalPeer},
		Log:        b.log(g.Log, files.Maps.Slots, n.Slots),
		RouteShare: newRouteShare(g.RouteConnections()),
		Hops:       b.hops(g.Identifier),
	}
	f.Profiles = profiles(&f)
	if g.Compression {
		for _, t := range g.CompressionTypes {
			f.CompressionTypes = append(f.CompressionTypes, b.arg("compression type", t))
		}
	}
	if name := strings.ToLower(g.Headers.UniqueIDHeader); name != "" {
		f.UniqueIDSpellings = b.optional("unique id header", "^"+strings.ReplaceAll(regexp.QuoteMeta(strings.ReplaceAll(name, "_", "-")), "-", "[-_]")+"$")
	}
	if c := g.Headers.CaptureCookie; c != nil {
		name := c.Name
		if c.Exact {
			name += "="
		}
		f.CaptureCookie = &CaptureView{Name: b.arg("captured cookie", name), Length: c.Length}
		if c.Length > defaultCookieLen {
			f.CookieCaptureLength = c.Length
		}
	}
	for _, n := range g.Headers.CaseAdjust {
		f.CaseAdjust = append(f.CaseAdjust, CaseView{From: b.arg("header case", strings.ToLower(n)), To: b.arg("header case", n)})
	}
	return f, b.err
}

// builder turns values into types that templates may print, and keeps the
// first error.
type builder struct{ err error }

func (b *builder) fail(what string, err error) {
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("%s: %w", what, err)
	}
}

func (b *builder) arg(what, s string) Arg {
	a, err := NewArg(s)
	b.fail(what, err)
	return a
}

func (b *builder) optional(what, s string) *Arg {
	if s == "" {
		return nil
	}
	a := b.arg(what, s)
	return &a
}

func (b *builder) path(what, s string) *Path {
	if s == "" {
		return nil
	}
	p, err := NewPath(s)
	b.fail(what, err)
	return &p
}

func (b *builder) name(what, s string) Name {
	n, err := NewName(s)
	b.fail(what, err)
	return n
}

func (b *builder) headers(actions []model.HeaderAction) []HeaderView {
	var views []HeaderView
	for _, a := range actions {
		v := HeaderView{Name: b.arg("header name", a.Name), Delete: a.Delete}
		if !a.Delete {
			value, err := NewFormat(a.Value)
			b.fail("value of header "+a.Name, err)
			v.Value = value
		}
		views = append(views, v)
	}
	return views
}

func (b *builder) captures(list []model.Capture) []CaptureView {
	var views []CaptureView
	for _, c := range list {
		views = append(views, CaptureView{Name: b.arg("captured header", c.Name), Length: c.Length})
	}
	return views
}

func (b *builder) log(l model.Log, table Path, slots bool) *BaseLog {
	if l.Address == "" {
		return nil
	}
	v := &BaseLog{
		MaxLength: l.MaxLength, Hostname: true,
		Facility: b.arg("log facility", l.Facility), Level: b.arg("log level", l.Level),
		Slots: slots,
	}
	http, tcp := logNames{lookup: "txn.be"}, logNames{lookup: "sess.be"}
	if slots {
		http.slots, tcp.slots = table.text, table.text
	}
	v.HTTPFormat = b.arg("log format", http.in(cmp.Or(l.Format, httpLogFormat)))
	v.TCPFormat = b.arg("log format", tcp.in(tcpLogFormat))
	target := l.Address
	if target == model.LogStdout {
		v.Raw, v.Hostname = true, false
		// Requests are logged at level info; a higher threshold, sensible for
		// syslog, would leave standard output empty.
		v.Level = b.arg("log level", "info")
	}
	v.Target = b.arg("log address", target)
	return v
}

// binds lists the addresses of a port for the IP mode.
func (b *builder) binds(l model.Listen, port int) []Arg {
	p := strconv.Itoa(port)
	if l.Address != "" {
		return []Arg{b.arg("listen address", net.JoinHostPort(l.Address, p))}
	}
	v4 := Arg{":" + p}
	v6 := Arg{":::" + p + " v6only"}
	switch l.Mode {
	case model.IPv6:
		return []Arg{v6}
	case model.IPv4IPv6:
		return []Arg{v4, v6}
	}
	return []Arg{v4}
}
