package template

import "router/pkg/model"

// BackendName is the name of a route's backend, with the reference router's
// prefixes, from which dashboards and log parsers know it.
func BackendName(r *model.Route) string {
	return backendPrefix(r.Termination) + ":" + r.Key.Namespace + ":" + r.Key.Name
}

const passthroughPrefix = "be_tcp"

func backendPrefix(t model.Termination) string {
	switch t {
	case model.TerminationEdge:
		return "be_edge_http"
	case model.TerminationReencrypt:
		return "be_secure"
	case model.TerminationPassthrough:
		return passthroughPrefix
	}
	return "be_http"
}

// fileSeparator stands between namespace and name in a file's name: a
// character that neither can have, and not the colon, behind which commands
// such as "del ssl crt-list" expect a number.
const fileSeparator = "+"

// fileStem is the name, without directory and ending, of the files that
// belong to one route.
func fileStem(k model.RouteKey) string { return k.Namespace + fileSeparator + k.Name }
