package stats

import "strings"

// origin is the route that a backend stands for.
type origin struct{ backend, namespace, route string }

// originOf reads the name of a backend. Those of routes have a prefix that
// tells their termination; the router's own have no route.
func originOf(proxy string) origin {
	prefix, rest, _ := strings.Cut(proxy, ":")
	if namespace, route, ok := strings.Cut(rest, ":"); ok {
		switch prefix {
		case "be_http":
			return origin{"http", namespace, route}
		case "be_edge_http":
			return origin{"https-edge", namespace, route}
		case "be_secure":
			return origin{"https", namespace, route}
		case "be_tcp":
			return origin{"tcp", namespace, route}
		}
	}
	return origin{backend: "other/" + proxy}
}

// endpoint is what a server stands for.
type endpoint struct{ server, pod, service string }

// endpointOf reads an endpoint's identity, "pod:<pod>:<service>:<port
// name>:<ip>:<port>" or "ept:<service>:<port name>:<ip>:<port>". The address
// is what is left, since an IPv6 one has colons itself. Any other name is that
// of a server that is no endpoint, and ok is false.
func endpointOf(id string) (e endpoint, ok bool) {
	switch parts := strings.SplitN(id, ":", 5); {
	case len(parts) == 5 && parts[0] == "pod":
		return endpoint{server: parts[4], pod: parts[1], service: parts[2]}, true
	case len(parts) >= 4 && parts[0] == "ept":
		return endpoint{server: strings.Join(parts[3:], ":"), service: parts[1]}, true
	}
	return endpoint{server: id}, false
}
