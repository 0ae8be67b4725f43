package translate

import (
	"crypto/md5" //nolint:gosec // a name, not a secret: the reference router's cookie name
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"router/pkg/controller/routes"
	"router/pkg/httpheader"
	"router/pkg/model"
	"router/pkg/source"
)

// Lookup finds the objects that a route leads to. Its methods return nil for
// what is not there.
type Lookup interface {
	Service(namespace, name string) *corev1.Service
	EndpointSlices(namespace, service string) []*discoveryv1.EndpointSlice
	Endpoints(namespace, service string) *corev1.Endpoints //nolint:staticcheck // on request
	// ServiceNames yields the names of a namespace's services, in any order.
	ServiceNames(namespace string) iter.Seq[string]
	// Resolution is nil as long as nothing is known of a name.
	Resolution(name string) *source.Resolution
}

// Options are the router's defaults for routes. The names in the comments are
// those of the environment variables that set them.
type Options struct {
	// Balance is for HTTP routes (ROUTER_LOAD_BALANCE_ALGORITHM), TCPBalance
	// for passthrough ones (ROUTER_TCP_BALANCE_SCHEME).
	Balance, TCPBalance model.Balance
	// CheckInterval is ROUTER_BACKEND_CHECK_INTERVAL.
	CheckInterval time.Duration
	// CookieName is ROUTER_COOKIE_NAME; "" gives each route a name of its own.
	CookieName string
	// Forwarded is ROUTER_SET_FORWARDED_HEADERS.
	Forwarded model.ForwardedPolicy
	// HTTP2 offers HTTP/2 to re-encrypt servers.
	HTTP2 bool
	// DefaultDestinationCA is the path of the CA of services, "" for none.
	DefaultDestinationCA string
	// WatchEndpoints reads Endpoints, not EndpointSlices.
	WatchEndpoints bool
	// IncludeUDP keeps endpoint ports of the protocol UDP.
	IncludeUDP bool
	// CaseAdjust is whether header names to adjust are configured.
	CaseAdjust bool
	// Own is never an endpoint, wherever objects come from.
	Own Own
	// LocalEndpoints allows addresses of this machine. It is for the
	// directory source, whose objects are all the administrator's own.
	LocalEndpoints bool
	// MaxServersPerRoute bounds the servers of one route, 0 for no bound.
	MaxServersPerRoute int
}

// Input is one admitted candidate.
type Input struct {
	Candidate *routes.Candidate
	// Match is as admission normalised it.
	model.Match
	// Certificate is the checked pair, nil for the default certificate.
	Certificate *model.Certificate
	// DestinationCA is PEM, "" for none.
	DestinationCA string
	Lookup        Lookup
	// Shared is what others have found already; it may be nil.
	Shared *Shared
	// Namespace is nil where the namespace has no more servers than it may.
	Namespace *NamespaceBound
}

// Route translates a route. The problems are in a fixed order.
func (o Options) Route(in Input) (*model.Route, []model.Problem) {
	t := o.translation(in)
	t.annotations()
	t.headers()
	t.serverTLS()
	t.servers()
	t.balance()
	return t.route, t.problems
}

// translation begins the work on a route.
func (o Options) translation(in Input) *translation {
	r := in.Candidate
	t := &translation{options: o, in: in, cookieName: o.CookieName, sameSite: "None", route: &model.Route{
		Key: r.Key, Match: in.Match, Insecure: model.InsecureNone, Created: r.Created, Certificate: in.Certificate,
		Backend: model.Backend{CheckInterval: o.CheckInterval, Forwarded: o.Forwarded},
	}}
	if tls := r.Spec.TLS; tls != nil {
		t.route.Termination = model.Termination(tls.Termination)
		if tls.InsecureEdgeTerminationPolicy != "" {
			t.route.Insecure = model.InsecurePolicy(tls.InsecureEdgeTerminationPolicy)
		}
	}
	return t
}

// translation is the work on one route.
type translation struct {
	options  Options
	in       Input
	route    *model.Route
	problems []model.Problem

	// cookie settings and limits come from several annotations.
	noCookie   bool
	cookieName string
	sameSite   string
	limits     model.RateLimit
	// chosenBalance is the annotation's, "" without one.
	chosenBalance model.Balance
}

func (t *translation) passthrough() bool {
	return t.route.Termination == model.TerminationPassthrough
}

func (t *translation) problem(p model.Problem) { t.problems = append(t.problems, p) }

// routingKey names a route's cookie as the reference router does; the blank
// is where it has an empty termination.
func routingKey(k model.RouteKey) string {
	sum := md5.Sum([]byte(" " + k.Namespace + ":" + k.UniqueName())) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

// cookie puts the session cookie together once all annotations are read.
func (t *translation) cookie() {
	if t.passthrough() || t.noCookie {
		return
	}
	name := t.cookieName
	if name == "" {
		name = routingKey(t.route.Key)
	}
	// The UID is not known to clients, so that they cannot compute which
	// address a cookie stands for.
	key := sha256.Sum256([]byte(t.route.Key.String() + "/" + string(t.in.Candidate.UID)))
	c := &model.Cookie{Name: name, Key: model.NewSecret(hex.EncodeToString(key[:16]))}
	if t.route.Termination != model.TerminationNone && t.route.Insecure != model.InsecureAllow {
		c.Secure, c.SameSite = true, t.sameSite
	}
	t.route.Backend.Cookie = c
}

// serverTLS says how servers of a re-encrypt route are verified.
func (t *translation) serverTLS() {
	if t.route.Termination != model.TerminationReencrypt {
		return
	}
	tls := &model.ServerTLS{CA: t.in.DestinationCA, HTTP2: t.options.HTTP2}
	if tls.CA == "" {
		tls.CAFile = t.options.DefaultDestinationCA
	}
	t.route.Backend.TLS = tls
	if tls.CA == "" && tls.CAFile == "" {
		t.problem(model.Problem{
			Cause:   model.ServersNotVerified,
			Field:   "spec.tls.destinationCACertificate",
			Message: "there is no CA to verify the pods by, so their certificates are not verified; give the CA here",
		})
	}
}

// ownedHeaders are header names that a route must not touch: those that the
// Route API says, and the router's own; besides those that nobody may
// (httpheader.Framing).
var ownedHeaders = map[string]bool{
	"strict-transport-security": true, "proxy": true, "cookie": true, "set-cookie": true,
	// Without it, a route could send a request round for ever.
	strings.ToLower(model.HopHeader): true,
}

// maxActions bounds the actions of a route on requests, and on responses, as
// the Route API does.
const maxActions = 20

// headers takes spec.httpHeaders.
func (t *translation) headers() {
	h := t.in.Candidate.Spec.HTTPHeaders
	if h == nil {
		return
	}
	if t.passthrough() {
		t.problem(model.Problem{Field: "spec.httpHeaders", Message: "has no effect on a passthrough route, whose requests the router cannot read"})
		return
	}
	b := &t.route.Backend
	b.RequestHeaders = t.headerActions("spec.httpHeaders.actions.request", h.Actions.Request, httpheader.Request)
	b.ResponseHeaders = t.headerActions("spec.httpHeaders.actions.response", h.Actions.Response, httpheader.Response)
}

func (t *translation) headerActions(field string, actions []routev1.RouteHTTPHeader, dir httpheader.Direction) []model.HeaderAction {
	var out []model.HeaderAction
	if len(actions) > maxActions {
		t.problem(model.Problem{Field: field, Message: fmt.Sprintf("has %d actions; at most %d are possible, and the others are left out", len(actions), maxActions)})
		actions = actions[:maxActions]
	}
	for i, a := range actions {
		at := field + "[" + strconv.Itoa(i) + "]"
		switch {
		case !httpheader.ValidName(a.Name):
			t.problem(model.Problem{Field: at + ".name", Value: a.Name, Message: "is not a header name"})
		case ownedHeaders[strings.ToLower(a.Name)] || httpheader.Framing(a.Name):
			t.problem(model.Problem{Field: at + ".name", Value: a.Name, Message: "belongs to the router and cannot be changed by a route"})
		case a.Action.Type == routev1.Delete:
			out = append(out, model.HeaderAction{Name: a.Name, Delete: true})
		case a.Action.Type == routev1.Set && a.Action.Set != nil:
			value, err := httpheader.Parse(a.Action.Set.Value, dir)
			if err != nil {
				t.problem(model.Problem{Field: at + ".action.set.value", Value: a.Action.Set.Value, Message: err.Error()})
				continue
			}
			out = append(out, model.HeaderAction{Name: a.Name, Value: value})
		default:
			t.problem(model.Problem{Field: at + ".action", Value: string(a.Action.Type), Message: "type must be Set, with set.value, or Delete"})
		}
	}
	return out
}

// balance chooses the algorithm, which depends on how many services take part.
func (t *translation) balance() {
	b := &t.route.Backend
	switch {
	case t.chosenBalance != "":
		b.Balance = t.chosenBalance
	case t.activeServices() > 1:
		// Only a round keeps the shares of services exact.
		b.Balance = model.BalanceRoundRobin
	case t.passthrough():
		b.Balance = t.options.TCPBalance
	default:
		b.Balance = t.options.Balance
	}
}
