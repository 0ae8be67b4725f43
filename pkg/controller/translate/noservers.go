package translate

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"router/pkg/model"
	"router/pkg/spelling"
)

const (
	// maxNames is how many services a namespace may have for a misspelled one to
	// be looked for among them. So many are compared in a fraction of a millisecond,
	// and all routes of a namespace may be wrong at once.
	maxNames = 500
	// maxListed bounds the ports, and the addresses, that a problem lists: more
	// would hide what is wrong.
	maxListed = 10
)

// refusedAddresses ends the sentence about addresses that reachable refuses.
const refusedAddresses = "addresses of a machine itself, of its link, or of its cloud's metadata service; to those, no connection is made"

// noServers tells why a service has no server. set has its endpoints, wanted are
// those with the port that the route wants. The words do not depend on how many
// they are, which changes all the time.
func (t *translation) noServers(to *target, svc *corev1.Service, set *endpointSet, wanted []*endpoint) {
	p := model.Problem{Field: to.field + ".name", Value: to.service, Service: to.service}
	switch {
	case svc == nil:
		p.Cause, p.Message = model.ServiceNotFound, t.noService(to.service)
	case t.in.Candidate.NoPort != "":
		p.Cause, p.Field, p.Value = model.PortNotFound, t.portField(), t.in.Candidate.NoPort
		p.Message = fmt.Sprintf("service %s has no port %s%s", to.service, t.in.Candidate.NoPort, there("; it has ", portsOfService(svc)))
	case svc.Annotations[idledAnnotation] != "":
		return // It is asleep, as it is meant to be.
	case len(set.all) == 0:
		p.Cause, p.Message = model.NoEndpoints, "service "+to.service+" has no endpoints"
	case len(set.ported) == 0:
		p.Cause = model.PortNotFound
		p.Message = "the endpoints of service " + to.service + " have no TCP port; look at the ports of the service, and at those of its pods"
	case len(wanted) == 0:
		p.Cause, p.Field, p.Value = model.PortNotFound, t.portField(), t.in.Candidate.Spec.Port.TargetPort.String()
		p.Message = fmt.Sprintf("the endpoints of service %s have no port %s%s", to.service, p.Value, set.ports())
	case !slices.ContainsFunc(wanted, func(e *endpoint) bool { return t.mayConnect(*e) }):
		p.Cause, p.Message = model.EndpointsRefused, "service "+to.service+" leads to "+refusedAddresses
		addresses := make([]string, 0, len(wanted))
		for _, e := range wanted {
			addresses = append(addresses, e.address)
		}
		p.Value = withAddresses(p.Value, addresses)
	default:
		p.Cause, p.Message = model.NoReadyEndpoints, "service "+to.service+" has no endpoint that is ready"
	}
	t.problem(p)
}

// portField is where the route says which port it wants.
func (t *translation) portField() string {
	if t.in.Candidate.Backend != "" {
		return t.in.Candidate.Backend + ".port"
	}
	return "spec.port.targetPort"
}

// noService says that there is no service of a name, and which one may be meant.
func (t *translation) noService(name string) string {
	ns := t.route.Key.Namespace
	if name == "" {
		return "must be the name of a service"
	}
	message := "there is no service " + name + " in " + ns
	names := make([]string, 0, maxNames)
	for known := range t.in.Lookup.ServiceNames(ns) {
		if len(names) == maxNames {
			return message
		}
		names = append(names, known)
	}
	if near := spelling.Typo(name, names); near != "" {
		message += "; did you mean " + near + "?"
	}
	return message
}

// MayMean reports whether what is said of a service that is not there, under
// the first name, may be different now that a service of the second name has
// come or gone. services is how many its namespace has now.
func MayMean(name, service string, services int) bool {
	return services == maxNames || services == maxNames+1 || spelling.Typo(name, []string{service}) != ""
}

// port is a port as it is listed.
type port struct {
	name   string
	number int
}

func (p port) String() string {
	if p.name == "" {
		return strconv.Itoa(p.number)
	}
	return p.name + " (" + strconv.Itoa(p.number) + ")"
}

func portsOfService(svc *corev1.Service) []port {
	var list []port
	for _, p := range svc.Spec.Ports {
		list = append(list, port{portName(p.Name), int(p.Port)})
	}
	return list
}

// ports lists the ports of endpoints.
func (s *endpointSet) ports() string {
	if s.listed == "" {
		list := make([]port, 0, len(s.ported))
		for _, e := range s.ported {
			list = append(list, port{portName(e.portName), e.port})
		}
		s.listed = there("; they have ", list)
	}
	return s.listed
}

// there lists the ports that there are, after some words; it is "" for none.
func there(words string, list []port) string {
	slices.SortFunc(list, func(a, b port) int { return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.name, b.name)) })
	list = slices.Compact(list)
	if len(list) == 0 {
		return ""
	}
	texts := make([]string, 0, len(list))
	for _, p := range list {
		texts = append(texts, p.String())
	}
	return words + bounded(texts)
}

// withAddresses is a value beside addresses that belong to it.
func withAddresses(value string, addresses []string) string {
	slices.Sort(addresses)
	return value + " (" + bounded(slices.Compact(addresses)) + ")"
}

// bounded lists the first of some texts, and how many more there are.
func bounded(texts []string) string {
	more := ""
	if n := len(texts) - maxListed; n > 0 {
		texts, more = texts[:maxListed], fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(texts, ", ") + more
}
