package routes

import (
	"fmt"
	"slices"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// port sets which endpoints the route uses. An Ingress names a port of the
// service, a Route that of the endpoints; the two share the name, which is ""
// where the service has one port only.
func (t *ingress) port(p *Candidate, b *networkingv1.IngressServiceBackend) {
	service := t.lookup.Service(t.object.Namespace, b.Name)
	if service == nil {
		p.Spec.Port = targetPort(noPort)
		return
	}
	i := slices.IndexFunc(service.Spec.Ports, func(port corev1.ServicePort) bool {
		if b.Port.Name != "" {
			return port.Name == b.Port.Name
		}
		return port.Port == b.Port.Number
	})
	switch {
	case i >= 0 && service.Spec.Ports[i].Name == "":
	case i >= 0:
		p.Spec.Port = targetPort(service.Spec.Ports[i].Name)
	case service.Spec.Type == corev1.ServiceTypeExternalName && b.Port.Number > 0:
		// A name outside of the cluster needs no list of ports.
		p.Spec.Port = &routev1.RoutePort{TargetPort: intstr.FromInt32(b.Port.Number)}
	default:
		p.Spec.Port = targetPort(noPort)
		p.NoPort = b.Port.Name
		if p.NoPort == "" {
			p.NoPort = fmt.Sprint(b.Port.Number)
		}
	}
}

// noPort is a name that no port has, since it is no name. Requests must not go
// to whatever port there is.
const noPort = "no such port"

func targetPort(name string) *routev1.RoutePort {
	return &routev1.RoutePort{TargetPort: intstr.FromString(name)}
}
