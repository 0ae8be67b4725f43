package template

// RouteShare is how many connections one route may have at a time.
type RouteShare struct {
	Connections int
	// Twice is for requests that take two connections each, see "frontends".
	Twice int
	// Local is for passthrough connections that come from the machine itself.
	Local int
}

// localShare divides a route's share into what connections from the machine
// itself may have: enough for its own processes, and few enough to end a loop of
// requests through this router soon.
const localShare = 10

func newRouteShare(connections int) *RouteShare {
	if connections == 0 {
		return nil
	}
	return &RouteShare{Connections: connections, Twice: max(1, connections/2), Local: max(1, connections/localShare)}
}
