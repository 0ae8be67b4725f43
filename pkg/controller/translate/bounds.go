package translate

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"router/pkg/model"
)

// maxEndpoints bounds what is read of the endpoints of one service, each of
// their ports counted. It is five times what a namespace may have of servers
// unless the administrator says otherwise, and some tenths of a second of work;
// a slice of 1 MB could name 20 million.
const maxEndpoints = 50_000

// maxKept bounds the endpoints that a Shared keeps, and so its memory, to some
// 100 MB.
const maxKept = 10 * maxEndpoints

// Shared is what the translations of one moment have in common: the endpoints of
// services and the servers that come of them, found once however many routes
// lead there. It is for one goroutine,
// and as long as no object changes.
type Shared struct {
	found map[sharedKey]found
	// sets are by namespace and service, with kept endpoints in all.
	sets map[[2]string]*endpointSet
	kept int
}

// NewShared returns an empty Shared.
func NewShared() *Shared {
	return &Shared{found: map[sharedKey]found{}, sets: map[[2]string]*endpointSet{}}
}

// sharedKey is what the servers of a service depend on, and what is told of
// them.
type sharedKey struct {
	namespace, service, field, port, noPort string
	termination                             model.Termination
	unweighted                              bool
}

// found are the first servers of a service, as many as one route may have, how
// many there are, and what there is to tell of them.
type found struct {
	servers  []model.Server
	count    int
	problems []model.Problem
}

// once finds the servers of a service, unless another route has done so.
func (t *translation) once(to *target, find func() []model.Server) found {
	key := sharedKey{
		namespace: t.route.Key.Namespace, service: to.service, field: to.field, noPort: t.in.Candidate.NoPort,
		termination: t.route.Termination, unweighted: to.weight == 0,
	}
	if p := t.in.Candidate.Spec.Port; p != nil {
		key.port = p.TargetPort.String()
	}
	if t.in.Shared != nil {
		if f, ok := t.in.Shared.found[key]; ok {
			for _, p := range f.problems {
				t.problem(p)
			}
			return f
		}
	}
	before := len(t.problems)
	servers := find()
	f := found{count: len(servers), problems: slices.Clone(t.problems[before:]), servers: servers}
	if n := t.options.MaxServersPerRoute; n > 0 && len(servers) > n {
		f.servers = slices.Clone(servers[:n])
	}
	if t.in.Shared != nil {
		t.in.Shared.found[key] = f
	}
	return f
}

// NamespaceBound is what a route may have of its namespace's servers.
type NamespaceBound struct {
	// Servers is how many the route may have, Max how many all routes of the
	// namespace may have together.
	Servers, Max int
}

// Servers counts the servers that the route would have if it were alone in its
// namespace.
func (o Options) Servers(in Input) int {
	t := o.translation(in)
	targets := t.targets()
	t.find(targets)
	n := 0
	for i := range targets {
		n += targets[i].count
	}
	if o.MaxServersPerRoute > 0 {
		n = min(n, o.MaxServersPerRoute)
	}
	return n
}

// bound leaves out the servers beyond what one route may have, and beyond its
// part of what its namespace may have. The first by name stay: on every replica
// the same.
func (t *translation) bound(targets []target) {
	counts, wanted := make([]int, len(targets)), 0
	for i := range targets {
		counts[i] = targets[i].count
		wanted += counts[i]
	}
	may := wanted
	if n := t.options.MaxServersPerRoute; n > 0 && wanted > n {
		may = n
		t.problem(model.Problem{
			Field: targets[0].field, Value: strconv.Itoa(wanted) + " servers",
			Message: fmt.Sprintf("leads to %s servers, of which the first %d by name are used (--max-servers-per-route, ROUTER_MAX_SERVERS_PER_ROUTE)%s", orMore(wanted, n), n, t.portHint(targets)),
		})
	}
	if ns := t.in.Namespace; ns != nil && ns.Servers < may {
		may = ns.Servers
		t.problem(model.Problem{
			Field: targets[0].field, Value: fmt.Sprintf("%d of %d servers", may, wanted), Blocks: may == 0,
			// The numbers change with every route beside it, and stay out of the
			// status.
			Message: fmt.Sprintf("the routes of namespace %s lead to more servers than the %d there may be (--max-servers-per-namespace, ROUTER_MAX_SERVERS_PER_NAMESPACE); of this route, only the first by name are used", t.route.Key.Namespace, ns.Max),
		})
	}
	for i, n := range Allot(counts, may) {
		targets[i].servers = targets[i].servers[:n]
	}
}

// portHint says what to write where servers are many because of their ports.
func (t *translation) portHint(targets []target) string {
	if p := t.in.Candidate.Spec.Port; p != nil {
		return ""
	}
	for i := range targets {
		s := targets[i].servers
		if slices.ContainsFunc(s, func(o model.Server) bool { return o.Port != s[0].Port }) {
			return "; without spec.port.targetPort, each port of an endpoint is a server"
		}
	}
	return ""
}

// orMore is a number in words that do not change with every endpoint: each
// change would be written to the status. It is more than least.
func orMore(n, least int) string {
	unit := 1
	for n/unit >= 100 {
		unit *= 10
	}
	return strconv.Itoa(max(n/unit*unit, least+1)) + " or more"
}

// Allot divides a total among those who want parts of it, so that who wants
// little gets it, and nobody gets more than another who wants as much. What is
// left over goes to the first.
func Allot(wanted []int, total int) []int {
	order := make([]int, len(wanted))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(wanted[a], wanted[b]), cmp.Compare(b, a)) })
	parts := make([]int, len(wanted))
	for done, i := range order {
		parts[i] = min(wanted[i], total/(len(order)-done))
		total -= parts[i]
	}
	return parts
}
