package translate

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"router/pkg/model"
)

// candidate is an endpoint before it is known whether it is used.
type candidate struct {
	endpointPort
	address, pod string
	ready        bool
	terminating  bool
	family       corev1.IPFamily
}

// endpointPort is a port of an endpoint; port is 0 where there is none.
type endpointPort struct {
	portName    string
	port        int
	protocol    corev1.Protocol
	appProtocol string
}

// endpoints are the servers of a service, sorted and without repetitions. svc is
// nil where there is no such service; endpoints may be there all the same.
func (t *translation) endpoints(to *target, svc *corev1.Service) []model.Server {
	all := t.known(to.service)
	if len(all.candidates) == maxCandidates {
		t.problem(model.Problem{
			Field: to.field, Service: to.service,
			Message: fmt.Sprintf("service %s has %d endpoints or more, each port counted, of which so many are looked at", to.service, maxCandidates),
		})
	}
	var ready, ending, own []candidate
	wanted := t.wanted(all)
	for _, p := range wanted {
		switch c := *p; {
		case !t.mayConnect(c):
		case t.isOwn(c):
			own = append(own, c)
		case c.ready:
			ready = append(ready, c)
		case c.terminating:
			ending = append(ending, c)
		}
	}
	if len(ready) == 0 {
		ready = ending // Pods that are about to end still answer; better than nobody.
	}
	ready = oneFamily(ready, svc)
	t.tellOwn(model.Problem{Field: to.field + ".name", Value: to.service, Service: to.service}, own)
	if len(ready) == 0 {
		servers := t.idled(svc)
		// Where the router itself would serve, the other replicas see nothing wrong.
		if len(servers) == 0 && !slices.ContainsFunc(own, func(c candidate) bool { return c.ready || c.terminating }) {
			t.nobody(to, svc, all, wanted)
		}
		return servers
	}
	servers := make([]model.Server, 0, len(ready))
	for _, c := range ready {
		servers = append(servers, t.server(to.service, c))
	}
	slices.SortFunc(servers, func(a, b model.Server) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(servers, func(a, b model.Server) bool { return a.ID == b.ID })
}

// known is what is known of the endpoints of a service, whatever a route wants
// of them. Routes may ask for as many ports as there are routes, so that none
// looks at all endpoints again.
type known struct {
	candidates []candidate
	// ported are those that HAProxy can connect to, byPort the same by the names
	// and the numbers of their ports; listed are the ports in words. The latter two
	// are nil and "" before the first route that needs them.
	ported []*candidate
	byPort map[string][]*candidate
	listed string
}

// known looks at the endpoints of a service, unless another route has done so.
func (t *translation) known(service string) *known {
	if t.in.Shared == nil {
		return t.look(service)
	}
	key := [2]string{t.route.Key.Namespace, service}
	s := t.in.Shared
	k := s.known[key]
	if k == nil {
		k = t.look(service)
		if s.kept += len(k.candidates); s.kept > maxKept {
			clear(s.known)
			s.kept = len(k.candidates)
		}
		s.known[key] = k
	}
	return k
}

func (t *translation) look(service string) *known {
	k := &known{candidates: t.candidates(service)}
	for i := range k.candidates {
		if c := &k.candidates[i]; t.hasPort(*c) {
			k.ported = append(k.ported, c)
		}
	}
	return k
}

// wanted are the endpoints with a port that the route wants.
func (t *translation) wanted(k *known) []*candidate {
	want, one := t.wantedPort()
	if !one {
		return k.ported
	}
	if k.byPort == nil {
		k.byPort = map[string][]*candidate{}
		for _, c := range k.ported {
			number := strconv.Itoa(c.port)
			k.byPort[number] = append(k.byPort[number], c)
			if c.portName != number {
				k.byPort[c.portName] = append(k.byPort[c.portName], c)
			}
		}
	}
	return k.byPort[want]
}

// candidates are all endpoints of a service, whether they can be used or not.
func (t *translation) candidates(service string) []candidate {
	ns := t.route.Key.Namespace
	if t.options.WatchEndpoints {
		return fromEndpoints(t.in.Lookup.Endpoints(ns, service))
	}
	all := fromSlices(t.in.Lookup.EndpointSlices(ns, service))
	if len(all) == 0 && t.options.LocalEndpoints {
		// Old manifests have Endpoints; no controller mirrors them here.
		all = fromEndpoints(t.in.Lookup.Endpoints(ns, service))
	}
	return all
}

func (t *translation) server(service string, c candidate) model.Server {
	if a, err := netip.ParseAddr(c.address); err == nil {
		c.address = written(a)
	}
	id := model.EndpointID{Pod: c.pod, Service: service, PortName: portName(c.portName), Address: c.address + ":" + strconv.Itoa(c.port)}
	return model.Server{
		ID: id.String(), Address: c.address, Port: c.port, Weight: 1, Service: service, Pod: c.pod,
		H2C: (c.appProtocol == "h2c" || c.appProtocol == "kubernetes.io/h2c") && t.route.Termination != model.TerminationReencrypt && !t.passthrough(),
	}
}

// usable reports whether an endpoint may be connected to by this route.
func (t *translation) usable(c candidate) bool {
	return t.hasPort(c) && t.wantsPort(c.portName, c.port) && t.mayConnect(c)
}

// hasPort reports whether an endpoint has a port that HAProxy can connect to.
func (t *translation) hasPort(c candidate) bool {
	return (c.protocol != corev1.ProtocolUDP || t.options.IncludeUDP) && c.port >= 1 && c.port <= maxPort
}

// mayConnect reports whether routes may lead to the address of an endpoint.
func (t *translation) mayConnect(c candidate) bool {
	addr, err := netip.ParseAddr(c.address)
	return err == nil && (reachable(addr) || t.options.LocalEndpoints && addr.IsLoopback())
}

// wantsPort compares a port with spec.port.targetPort.
func (t *translation) wantsPort(name string, number int) bool {
	want, one := t.wantedPort()
	return !one || want == name || want == strconv.Itoa(number)
}

// wantedPort is the name or the number of the port that the route wants; false
// if any will do.
func (t *translation) wantedPort() (string, bool) {
	p := t.in.Candidate.Spec.Port
	if p == nil {
		return "", false
	}
	want := p.TargetPort.String()
	return want, want != "" && want != "0"
}

func fromSlices(list []*discoveryv1.EndpointSlice) []candidate {
	var all []candidate
	for _, s := range list {
		family := corev1.IPFamily(s.AddressType)
		if family != corev1.IPv4Protocol && family != corev1.IPv6Protocol {
			continue
		}
		ports := make([]endpointPort, 0, len(s.Ports))
		for _, p := range s.Ports {
			ports = append(ports, endpointPort{deref(p.Name), int(deref(p.Port)), deref(p.Protocol), deref(p.AppProtocol)})
		}
		for _, e := range s.Endpoints {
			all = candidate{
				family: family, ready: isTrue(e.Conditions.Ready, true), pod: podName(e.TargetRef),
				terminating: isTrue(e.Conditions.Terminating, false) && isTrue(e.Conditions.Serving, false),
			}.at(all, ports, e.Addresses...)
		}
	}
	return all
}

//nolint:staticcheck // Endpoints are deprecated, and read only on request.
func fromEndpoints(e *corev1.Endpoints) []candidate {
	if e == nil {
		return nil
	}
	var all []candidate
	for _, subset := range e.Subsets {
		ports := make([]endpointPort, 0, len(subset.Ports))
		for _, p := range subset.Ports {
			ports = append(ports, endpointPort{p.Name, int(p.Port), p.Protocol, deref(p.AppProtocol)})
		}
		for i, a := range slices.Concat(subset.Addresses, subset.NotReadyAddresses) {
			c := candidate{ready: i < len(subset.Addresses), family: corev1.IPv4Protocol, pod: podName(a.TargetRef)}
			if addr, err := netip.ParseAddr(a.IP); err == nil && addr.Is6() {
				c.family = corev1.IPv6Protocol
			}
			all = c.at(all, ports, a.IP)
		}
	}
	return all
}

// at adds the candidate with each of some ports, or without one, at each of some
// addresses, up to maxCandidates in all.
func (c candidate) at(all []candidate, ports []endpointPort, addresses ...string) []candidate {
	if len(ports) == 0 {
		ports = []endpointPort{{}}
	}
	for _, c.endpointPort = range ports {
		if len(all) == maxCandidates {
			break
		}
		for _, c.address = range addresses[:min(len(addresses), maxCandidates-len(all))] {
			all = append(all, c)
		}
	}
	return all
}

// podName is the pod that an endpoint refers to, "" for none. API servers do not
// look at what stands there.
func podName(ref *corev1.ObjectReference) string {
	if ref == nil || ref.Kind != "Pod" || len(validation.IsDNS1123Subdomain(ref.Name)) > 0 {
		return ""
	}
	return ref.Name
}

// portName is the name of a port as it stands in a server's name, "" for one
// that no API server would have taken.
func portName(name string) string {
	if len(validation.IsDNS1123Label(name)) > 0 {
		return ""
	}
	return name
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func isTrue(p *bool, absent bool) bool {
	if p == nil {
		return absent
	}
	return *p
}

// oneFamily keeps, where a service has endpoints of both address families,
// those of its first one: the others are the same pods again.
func oneFamily(all []candidate, svc *corev1.Service) []candidate {
	if svc == nil || len(svc.Spec.IPFamilies) < 2 {
		return all
	}
	first := svc.Spec.IPFamilies[0]
	if !slices.ContainsFunc(all, func(c candidate) bool { return c.family == first }) {
		return all
	}
	return slices.DeleteFunc(all, func(c candidate) bool { return c.family != first })
}

// idledAnnotation says that a service sleeps until a request comes.
const idledAnnotation = "idling.alpha.openshift.io/idled-at"

// idled is the service's own address while it sleeps: a connection to it
// wakes it up.
func (t *translation) idled(svc *corev1.Service) []model.Server {
	if svc == nil || svc.Annotations[idledAnnotation] == "" || svc.Spec.ClusterIP == "" || svc.Spec.ClusterIP == corev1.ClusterIPNone {
		return nil
	}
	var servers []model.Server
	var own []candidate
	for _, p := range svc.Spec.Ports {
		c := candidate{address: svc.Spec.ClusterIP, endpointPort: endpointPort{p.Name, int(p.Port), p.Protocol, deref(p.AppProtocol)}}
		switch {
		case !t.usable(c):
		case t.isOwn(c):
			own = append(own, c)
		default:
			s := t.server(svc.Name, c)
			s.Idled = true
			servers = append(servers, s)
		}
	}
	t.tellOwn(model.Problem{Field: "service " + svc.Name + " spec.clusterIP", Value: svc.Name, Service: svc.Name}, own)
	return servers
}
