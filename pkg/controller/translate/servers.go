package translate

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"router/pkg/model"
)

// target is one service that a route sends requests to.
type target struct {
	service string
	// weight is the service's share, 0 to 256.
	weight  int
	servers []model.Server
}

// maxWeight is the largest weight of a service in the Route API.
const maxWeight = 256

// targets are the services of the route; a name that is given twice counts as
// it is given last, as in the reference router.
func (t *translation) targets() []target {
	spec := t.in.Route.Spec
	refs := append([]routev1.RouteTargetReference{spec.To}, spec.AlternateBackends...)
	var list []target
	for i, ref := range refs {
		field := "spec.to"
		if i > 0 {
			field = "spec.alternateBackends[" + strconv.Itoa(i-1) + "]"
		}
		if ref.Kind != "" && ref.Kind != "Service" {
			t.problem(model.Problem{Field: field + ".kind", Value: ref.Kind, Message: "must be Service"})
			continue
		}
		weight := 1
		if ref.Weight != nil {
			weight = int(*ref.Weight)
		}
		if weight < 0 || weight > maxWeight {
			t.problem(model.Problem{Field: field + ".weight", Value: strconv.Itoa(weight), Message: "must be from 0 to 256; the nearest of these is used"})
			weight = min(max(weight, 0), maxWeight)
		}
		next := target{service: ref.Name, weight: weight}
		if j := slices.IndexFunc(list, func(o target) bool { return o.service == ref.Name }); j >= 0 {
			t.problem(model.Problem{Field: field + ".name", Value: ref.Name, Message: "is given twice; the last weight counts"})
			list[j] = next
			continue
		}
		list = append(list, next)
	}
	return list
}

// activeServices counts the services that have a share.
func (t *translation) activeServices() int {
	seen := map[string]bool{}
	spec := t.in.Route.Spec
	for _, ref := range append([]routev1.RouteTargetReference{spec.To}, spec.AlternateBackends...) {
		seen[ref.Name] = ref.Weight == nil || *ref.Weight > 0
	}
	n := 0
	for _, active := range seen {
		if active {
			n++
		}
	}
	return n
}

// servers finds the endpoints of every service and gives them weights.
func (t *translation) servers() {
	targets := t.targets()
	active := 0
	for i := range targets {
		targets[i].servers = t.endpoints(targets[i].service)
		if targets[i].weight > 0 {
			for _, s := range targets[i].servers {
				if !s.Idled {
					active++
				}
			}
		}
	}
	share(targets)
	b := &t.route.Backend
	for _, target := range targets {
		for _, s := range target.servers {
			if target.weight == 0 && t.passthrough() {
				continue // Without cookies nobody would ever reach it.
			}
			s.Check = active > 1 && !s.Idled
			if b.TLS != nil && b.TLS.CA == "" && b.TLS.CAFile != "" {
				s.VerifyHost = target.service + "." + t.route.Key.Namespace + ".svc"
			}
			b.Servers = append(b.Servers, s)
		}
	}
	slices.SortStableFunc(b.Servers, func(a, o model.Server) int { return cmp.Compare(a.ID, o.ID) })
}

// candidate is an endpoint before it is known whether it is used.
type candidate struct {
	address, pod string
	port         int
	portName     string
	protocol     corev1.Protocol
	appProtocol  string
	ready        bool
	terminating  bool
	family       corev1.IPFamily
}

// endpoints are the servers of a service, sorted and without repetitions.
func (t *translation) endpoints(service string) []model.Server {
	ns := t.route.Key.Namespace
	svc := t.in.Lookup.Service(ns, service)
	if svc != nil && svc.Spec.Type == corev1.ServiceTypeExternalName {
		return t.externalName(svc)
	}
	var all []candidate
	if t.options.WatchEndpoints {
		all = fromEndpoints(t.in.Lookup.Endpoints(ns, service))
	} else {
		all = fromSlices(t.in.Lookup.EndpointSlices(ns, service))
		if len(all) == 0 && t.options.LocalEndpoints {
			// Old manifests have Endpoints; no controller mirrors them here.
			all = fromEndpoints(t.in.Lookup.Endpoints(ns, service))
		}
	}
	if len(all) > 0 && !slices.ContainsFunc(all, func(c candidate) bool { return t.wantsPort(c.portName, c.port) }) {
		t.problem(model.Problem{
			Field: "spec.port.targetPort", Value: t.in.Route.Spec.Port.TargetPort.String(),
			Message: "service " + service + " has endpoints, but none with this port; give the name or the number of a target port",
		})
	}
	all = slices.DeleteFunc(all, func(c candidate) bool { return !t.usable(c) })
	if used := slices.DeleteFunc(slices.Clone(all), func(c candidate) bool { return !c.ready }); len(used) > 0 {
		all = used
	} else {
		// Pods that are about to end still answer; better than nobody.
		all = slices.DeleteFunc(all, func(c candidate) bool { return !c.terminating })
	}
	all = oneFamily(all, svc)
	if len(all) == 0 {
		return t.idled(svc)
	}
	servers := make([]model.Server, 0, len(all))
	for _, c := range all {
		servers = append(servers, t.server(service, c))
	}
	slices.SortFunc(servers, func(a, b model.Server) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(servers, func(a, b model.Server) bool { return a.ID == b.ID })
}

func (t *translation) server(service string, c candidate) model.Server {
	id := service + ":" + portName(c.portName) + ":" + c.address + ":" + strconv.Itoa(c.port)
	if c.pod != "" {
		id = "pod:" + c.pod + ":" + id
	} else {
		id = "ept:" + id
	}
	return model.Server{
		ID: id, Address: c.address, Port: c.port, Weight: 1, Service: service, Pod: c.pod,
		H2C: (c.appProtocol == "h2c" || c.appProtocol == "kubernetes.io/h2c") && t.route.Termination != model.TerminationReencrypt && !t.passthrough(),
	}
}

// usable reports whether an endpoint may be connected to by this route.
func (t *translation) usable(c candidate) bool {
	if c.protocol == corev1.ProtocolUDP && !t.options.IncludeUDP || c.port < 1 || c.port > maxPort {
		return false
	}
	if !t.wantsPort(c.portName, c.port) {
		return false
	}
	addr, err := netip.ParseAddr(c.address)
	return err == nil && (reachable(addr) || t.options.LocalEndpoints && addr.IsLoopback())
}

// wantsPort compares a port with spec.port.targetPort.
func (t *translation) wantsPort(name string, number int) bool {
	p := t.in.Route.Spec.Port
	if p == nil {
		return true
	}
	want := p.TargetPort.String()
	return want == "" || want == "0" || want == name || want == strconv.Itoa(number)
}

func fromSlices(list []*discoveryv1.EndpointSlice) []candidate {
	var all []candidate
	for _, s := range list {
		family := corev1.IPFamily(s.AddressType)
		if family != corev1.IPv4Protocol && family != corev1.IPv6Protocol {
			continue
		}
		for _, e := range s.Endpoints {
			c := candidate{family: family, ready: isTrue(e.Conditions.Ready, true)}
			c.terminating = isTrue(e.Conditions.Terminating, false) && isTrue(e.Conditions.Serving, false)
			c.pod = podName(e.TargetRef)
			for _, p := range s.Ports {
				c := c
				c.portName, c.port, c.protocol, c.appProtocol = deref(p.Name), int(deref(p.Port)), deref(p.Protocol), deref(p.AppProtocol)
				for _, address := range e.Addresses {
					c.address = address
					all = append(all, c)
				}
			}
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
		for _, a := range subset.Addresses {
			c := candidate{address: a.IP, ready: true, family: corev1.IPv4Protocol}
			if addr, err := netip.ParseAddr(a.IP); err == nil && addr.Is6() {
				c.family = corev1.IPv6Protocol
			}
			c.pod = podName(a.TargetRef)
			for _, p := range subset.Ports {
				c := c
				c.portName, c.port, c.protocol, c.appProtocol = p.Name, int(p.Port), p.Protocol, deref(p.AppProtocol)
				all = append(all, c)
			}
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
	for _, p := range svc.Spec.Ports {
		c := candidate{address: svc.Spec.ClusterIP, port: int(p.Port), portName: p.Name, protocol: p.Protocol, appProtocol: deref(p.AppProtocol)}
		if t.usable(c) {
			s := t.server(svc.Name, c)
			s.Idled = true
			servers = append(servers, s)
		}
	}
	return servers
}
