package exporter

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
