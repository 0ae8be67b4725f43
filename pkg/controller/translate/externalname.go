package translate

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"router/pkg/model"
	"router/pkg/source"
)

// externalName are the servers of a service that is a name outside of the
// cluster: its addresses, as long as the router knows some. The name belongs
// to whoever has its DNS, so each address has to pass the same filter as those
// of endpoints, in a directory of manifests, too.
func (t *translation) externalName(to *target, svc *corev1.Service) []model.Server {
	if t.in.Candidate.NoPort != "" {
		t.noServers(to, svc, &endpointSet{}, nil)
		return nil
	}
	problem := model.Problem{
		Cause: model.ExternalNameNotResolved, Field: "service " + svc.Name + " spec.externalName", Value: svc.Spec.ExternalName, Service: svc.Name,
	}
	name := source.ExternalName(svc)
	if name == "" {
		problem.Cause, problem.Message = model.ExternalNameInvalid, "must be a DNS name"
		t.problem(problem)
		return nil
	}
	found := t.in.Lookup.Resolution(name)
	if found == nil || len(found.Addresses) == 0 {
		problem.Message = "cannot be resolved: the name servers have not answered yet"
		if found != nil {
			problem.Message = "cannot be resolved: " + found.Failure
		}
		t.problem(problem)
		return nil
	}
	at := t.externalPort(svc)
	if at.port < 1 || at.port > maxPort {
		t.problem(model.Problem{
			Cause: model.PortNotFound, Field: t.portField(), Value: strconv.Itoa(at.port), Service: svc.Name, Message: "must be a port from 1 to 65535",
		})
		return nil
	}
	var servers []model.Server
	var refused []string
	var own []endpoint
	for _, a := range found.Addresses {
		if a = a.Unmap(); !reachable(a) {
			refused = append(refused, a.String())
			continue
		}
		if at.address = a.String(); t.isOwn(at) {
			own = append(own, at)
			continue
		}
		servers = append(servers, t.server(svc.Name, at))
	}
	t.tellOwn(problem, own)
	if len(refused) > 0 {
		// The message is the same on all replicas, whichever of many addresses
		// each of them was given.
		problem.Cause, problem.Value = model.EndpointsRefused, withAddresses(problem.Value, refused)
		problem.Message = "is resolved to " + refusedAddresses
		t.problem(problem)
	}
	return servers
}

// maxPort is the highest port.
const maxPort = 65535

// externalPort is the port of a service that is a name: the one that
// spec.port.targetPort gives, else the service's first, else that of the
// protocol.
func (t *translation) externalPort(svc *corev1.Service) endpoint {
	var e endpoint
	e.port = 80
	if t.route.Termination == model.TerminationReencrypt || t.passthrough() {
		e.port = 443
	}
	if i := slices.IndexFunc(svc.Spec.Ports, func(p corev1.ServicePort) bool { return t.wantsPort(p.Name, int(p.Port)) }); i >= 0 {
		p := svc.Spec.Ports[i]
		e.portName, e.port, e.appProtocol = p.Name, int(p.Port), deref(p.AppProtocol)
	}
	if p := t.in.Candidate.Spec.Port; p != nil && p.TargetPort.IntValue() > 0 {
		e.port = p.TargetPort.IntValue()
	}
	return e
}
