package manifests

import (
	"fmt"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"router/pkg/source"
)

// validate makes the checks of an API server that the rest of the router
// relies on: names, ports and addresses. Addresses of this machine, which a
// cluster refuses, are fine here. What is particular to routes is admission's.
func validate(k source.Key, o metav1.Object) []finding {
	var list []finding
	refuse := func(path, format string, args ...any) {
		list = append(list, finding{path: path, message: path + ": " + fmt.Sprintf(format, args...)})
	}
	valid := validation.IsDNS1123Subdomain
	if k.Kind == source.KindService || k.Kind == source.KindNamespace {
		valid = validation.IsDNS1123Label
	}
	if problems := valid(k.Name); len(problems) > 0 {
		refuse("metadata.name", "%s", strings.Join(problems, "; "))
	}
	if k.Namespace != "" {
		if problems := validation.IsDNS1123Label(k.Namespace); len(problems) > 0 {
			refuse("metadata.namespace", "%s", strings.Join(problems, "; "))
		}
	}
	switch v := o.(type) {
	case *corev1.Service:
		validateService(v, refuse)
	case *discoveryv1.EndpointSlice:
		validateSlice(v, refuse)
	case *corev1.Endpoints: //nolint:staticcheck // old manifests have them
		validateEndpoints(v, refuse)
	}
	return list
}

type refuseFunc func(path, format string, args ...any)

const portMessage = "%d is not a port: must be from 1 to 65535"

func isPort(n int32) bool { return n >= 1 && n <= 65535 }

func validateService(s *corev1.Service, refuse refuseFunc) {
	for i, p := range s.Spec.Ports {
		at := fmt.Sprintf("spec.ports[%d]", i)
		if !isPort(p.Port) {
			refuse(at+".port", portMessage, p.Port)
		}
		if p.TargetPort.StrVal == "" && !isPort(p.TargetPort.IntVal) && isPort(p.Port) {
			refuse(at+".targetPort", portMessage, p.TargetPort.IntVal)
		}
	}
}

func validateSlice(s *discoveryv1.EndpointSlice, refuse refuseFunc) {
	if s.Labels[discoveryv1.LabelServiceName] == "" {
		refuse("metadata.labels", "without the label %s the slice belongs to no service", discoveryv1.LabelServiceName)
	}
	for i, p := range s.Ports {
		if p.Port != nil && !isPort(*p.Port) {
			refuse(fmt.Sprintf("ports[%d].port", i), portMessage, *p.Port)
		}
	}
	switch s.AddressType {
	case discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6, discoveryv1.AddressTypeFQDN:
	default:
		refuse("addressType", "%q is not one of IPv4, IPv6, FQDN", s.AddressType)
		return
	}
	for i, e := range s.Endpoints {
		at := fmt.Sprintf("endpoints[%d].addresses", i)
		if len(e.Addresses) == 0 {
			refuse(at, "must have an address")
		}
		for j, address := range e.Addresses {
			if message := checkAddress(s.AddressType, address); message != "" {
				refuse(fmt.Sprintf("%s[%d]", at, j), "%s", message)
			}
		}
	}
}

func checkAddress(kind discoveryv1.AddressType, address string) string {
	if kind == discoveryv1.AddressTypeFQDN {
		if problems := validation.IsDNS1123Subdomain(address); len(problems) > 0 {
			return fmt.Sprintf("%q is not a DNS name: %s", address, strings.Join(problems, "; "))
		}
		return ""
	}
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Zone() != "" || ip.Is4() != (kind == discoveryv1.AddressTypeIPv4) {
		return fmt.Sprintf("%q is not an %s address", address, kind)
	}
	return ""
}

//nolint:staticcheck // old manifests have them
func validateEndpoints(e *corev1.Endpoints, refuse refuseFunc) {
	for i, subset := range e.Subsets {
		at := fmt.Sprintf("subsets[%d]", i)
		for j, p := range subset.Ports {
			if !isPort(p.Port) {
				refuse(fmt.Sprintf("%s.ports[%d].port", at, j), portMessage, p.Port)
			}
		}
		for _, list := range []struct {
			name      string
			addresses []corev1.EndpointAddress
		}{{"addresses", subset.Addresses}, {"notReadyAddresses", subset.NotReadyAddresses}} {
			for j, a := range list.addresses {
				if ip, err := netip.ParseAddr(a.IP); err != nil || ip.Zone() != "" {
					refuse(fmt.Sprintf("%s.%s[%d].ip", at, list.name, j), "%q is not an IP address", a.IP)
				}
			}
		}
	}
}
