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

// endpoint is an endpoint of a service, whether it is used or not.
type endpoint struct {
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
	set := t.endpointSet(to.service)
	if len(set.all) == maxEndpoints {
		t.problem(model.Problem{
			Field: to.field, Service: to.service,
			Message: fmt.Sprintf("service %s has %d endpoints or more, each port counted, of which so many are looked at", to.service, maxEndpoints),
		})
	}
	var ready, ending, own []endpoint
	wanted := t.wanted(set)
	for _, p := range wanted {
		switch e := *p; {
		case !t.mayConnect(e):
		case t.isOwn(e):
			own = append(own, e)
		case e.ready:
			ready = append(ready, e)
		case e.terminating:
			ending = append(ending, e)
		}
	}
	if len(ready) == 0 {
		ready = ending // Pods that are about to end still answer.
	}
	ready = oneFamily(ready, svc)
	t.tellOwn(model.Problem{Field: to.field + ".name", Value: to.service, Service: to.service}, own)
	if len(ready) == 0 {
		servers := t.idled(svc)
		// Where the only endpoint is this router itself, the other replicas have one
		// that is ready, and the status must not say otherwise.
		if len(servers) == 0 && !slices.ContainsFunc(own, func(e endpoint) bool { return e.ready || e.terminating }) {
			t.noServers(to, svc, set, wanted)
		}
		return servers
	}
	servers := make([]model.Server, 0, len(ready))
	for _, e := range ready {
		servers = append(servers, t.server(to.service, e))
	}
	slices.SortFunc(servers, func(a, b model.Server) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(servers, func(a, b model.Server) bool { return a.ID == b.ID })
}

// endpointSet has the endpoints of a service, whichever of its ports a route
// wants: a thousand routes to a thousand ports must not each read all of them.
type endpointSet struct {
	all []endpoint
	// ported are those that HAProxy can connect to, byPort the same by the names
	// and the numbers of their ports; listed are the ports in words. The latter two
	// are nil and "" before the first route that needs them.
	ported []*endpoint
	byPort map[string][]*endpoint
	listed string
}

// endpointSet reads the endpoints of a service, unless another route has done so.
func (t *translation) endpointSet(service string) *endpointSet {
	if t.in.Shared == nil {
		return t.newEndpointSet(service)
	}
	key := [2]string{t.route.Key.Namespace, service}
	s := t.in.Shared
	set := s.sets[key]
	if set == nil {
		set = t.newEndpointSet(service)
		if s.kept += len(set.all); s.kept > maxKept {
			clear(s.sets)
			s.kept = len(set.all)
		}
		s.sets[key] = set
	}
	return set
}

func (t *translation) newEndpointSet(service string) *endpointSet {
	set := &endpointSet{all: t.allEndpoints(service)}
	for i := range set.all {
		if e := &set.all[i]; t.hasPort(*e) {
			set.ported = append(set.ported, e)
		}
	}
	return set
}

// wanted are the endpoints with a port that the route wants.
func (t *translation) wanted(set *endpointSet) []*endpoint {
	want, one := t.wantedPort()
	if !one {
		return set.ported
	}
	if set.byPort == nil {
		set.byPort = map[string][]*endpoint{}
		for _, e := range set.ported {
			number := strconv.Itoa(e.port)
			set.byPort[number] = append(set.byPort[number], e)
			if e.portName != number {
				set.byPort[e.portName] = append(set.byPort[e.portName], e)
			}
		}
	}
	return set.byPort[want]
}

// allEndpoints are all endpoints of a service, whether they can be used or not.
func (t *translation) allEndpoints(service string) []endpoint {
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

func (t *translation) server(service string, e endpoint) model.Server {
	if a, err := netip.ParseAddr(e.address); err == nil {
		e.address = written(a)
	}
	id := model.EndpointID{Pod: e.pod, Service: service, PortName: portName(e.portName), Address: e.address + ":" + strconv.Itoa(e.port)}
	return model.Server{
		ID: id.String(), Address: e.address, Port: e.port, Weight: 1, Service: service, Pod: e.pod,
		H2C: (e.appProtocol == "h2c" || e.appProtocol == "kubernetes.io/h2c") && t.route.Termination != model.TerminationReencrypt && !t.passthrough(),
	}
}

// usable reports whether an endpoint may be connected to by this route.
func (t *translation) usable(e endpoint) bool {
	return t.hasPort(e) && t.wantsPort(e.portName, e.port) && t.mayConnect(e)
}

// hasPort reports whether an endpoint has a port that HAProxy can connect to.
func (t *translation) hasPort(e endpoint) bool {
	return (e.protocol != corev1.ProtocolUDP || t.options.IncludeUDP) && e.port >= 1 && e.port <= maxPort
}

// mayConnect reports whether routes may lead to the address of an endpoint.
func (t *translation) mayConnect(e endpoint) bool {
	addr, err := netip.ParseAddr(e.address)
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

func fromSlices(list []*discoveryv1.EndpointSlice) []endpoint {
	var all []endpoint
	for _, s := range list {
		family := corev1.IPFamily(s.AddressType)
		if family != corev1.IPv4Protocol && family != corev1.IPv6Protocol {
			continue
		}
		ports := make([]endpointPort, 0, len(s.Ports))
		for _, p := range s.Ports {
			ports = append(ports, endpointPort{deref(p.Name), int(deref(p.Port)), deref(p.Protocol), deref(p.AppProtocol)})
		}
		for _, from := range s.Endpoints {
			all = endpoint{
				family: family, ready: isTrue(from.Conditions.Ready, true), pod: podName(from.TargetRef),
				terminating: isTrue(from.Conditions.Terminating, false) && isTrue(from.Conditions.Serving, false),
			}.at(all, ports, from.Addresses...)
		}
	}
	return all
}

//nolint:staticcheck // Endpoints are deprecated, and read only on request.
func fromEndpoints(list *corev1.Endpoints) []endpoint {
	if list == nil {
		return nil
	}
	var all []endpoint
	for _, subset := range list.Subsets {
		ports := make([]endpointPort, 0, len(subset.Ports))
		for _, p := range subset.Ports {
			ports = append(ports, endpointPort{p.Name, int(p.Port), p.Protocol, deref(p.AppProtocol)})
		}
		for i, a := range slices.Concat(subset.Addresses, subset.NotReadyAddresses) {
			e := endpoint{ready: i < len(subset.Addresses), family: corev1.IPv4Protocol, pod: podName(a.TargetRef)}
			if addr, err := netip.ParseAddr(a.IP); err == nil && addr.Is6() {
				e.family = corev1.IPv6Protocol
			}
			all = e.at(all, ports, a.IP)
		}
	}
	return all
}

// at adds the candidate with each of some ports, or without one, at each of some
// addresses, up to maxEndpoints in all.
func (e endpoint) at(all []endpoint, ports []endpointPort, addresses ...string) []endpoint {
	if len(ports) == 0 {
		ports = []endpointPort{{}}
	}
	for _, e.endpointPort = range ports {
		if len(all) == maxEndpoints {
			break
		}
		for _, e.address = range addresses[:min(len(addresses), maxEndpoints-len(all))] {
			all = append(all, e)
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
func oneFamily(all []endpoint, svc *corev1.Service) []endpoint {
	if svc == nil || len(svc.Spec.IPFamilies) < 2 {
		return all
	}
	first := svc.Spec.IPFamilies[0]
	if !slices.ContainsFunc(all, func(e endpoint) bool { return e.family == first }) {
		return all
	}
	return slices.DeleteFunc(all, func(e endpoint) bool { return e.family != first })
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
	var own []endpoint
	for _, p := range svc.Spec.Ports {
		e := endpoint{address: svc.Spec.ClusterIP, endpointPort: endpointPort{p.Name, int(p.Port), p.Protocol, deref(p.AppProtocol)}}
		switch {
		case !t.usable(e):
		case t.isOwn(e):
			own = append(own, e)
		default:
			s := t.server(svc.Name, e)
			s.Idled = true
			servers = append(servers, s)
		}
	}
	t.tellOwn(model.Problem{Field: "service " + svc.Name + " spec.clusterIP", Value: svc.Name, Service: svc.Name}, own)
	return servers
}
