package model

// RouteReport is what the router says of one route to people: the body of
// GET /api/routes is a list of them.
type RouteReport struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Ingress is the name of the Ingress that the route is a path of, "" for a
	// route of its own.
	Ingress string `json:"ingress,omitempty"`
	// Match has the host as it is shown to people, and the path as it is written.
	Match
	Termination Termination `json:"termination"`
	Admitted    bool        `json:"admitted"`
	// Reason and Message say why a route is not admitted.
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// Problems are settings of the route that are not applied as written, and
	// what is wrong with what the route leads to.
	Problems []Problem      `json:"problems,omitempty"`
	Backend  string         `json:"backend"`
	Servers  []ServerReport `json:"servers"`
}

// ServerReport is one server of a route and its state in the running proxy.
type ServerReport struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Weight  int    `json:"weight"`
	// State is "up", "down", "drain" or "maint", as the proxy sees it, or
	// ServerUnknown.
	State   string `json:"state"`
	Service string `json:"service,omitempty"`
	Pod     string `json:"pod,omitempty"`
}

// ServerUnknown is the state of a server that the proxy does not have yet, or of
// all servers where the proxy does not answer.
const ServerUnknown = "unknown"

// Problem is one setting of an object that is not applied as it is written, or
// one cause why a route does not work as it should.
type Problem struct {
	// Cause is SettingIgnored, "", for a setting.
	Cause Cause `json:"cause,omitempty"`
	// Field is the path of the setting, such as
	// "metadata.annotations[haproxy.router.openshift.io/timeout]".
	Field string `json:"field"`
	// Value is the offending value, "" where it must not be shown.
	Value string `json:"value,omitempty"`
	// Message says what is wrong and what to write instead.
	Message string `json:"message"`
	// Service is the service that the cause is about, "" for none.
	Service string `json:"service,omitempty"`
	// Blocks means that the route is not served, or denies the traffic that
	// the setting was to protect, because of the problem.
	Blocks bool `json:"blocks,omitempty"`
	// Local means that other replicas of the router may have no such problem. It
	// is not written to the route's status, about which they would disagree.
	Local bool `json:"local,omitempty"`
}

// Text is the problem as people read it everywhere: the field, and what is wrong.
func (p Problem) Text() string { return p.Field + ": " + p.Message }

// WorkerReport is one process that a reload replaced and that lives on for its
// open connections: the body of GET /api/workers is a list of them.
type WorkerReport struct {
	PID int `json:"pid"`
	// OldSeconds is the time since it was replaced.
	OldSeconds float64 `json:"oldSeconds"`
	// Connections are those that are open; -1 if the process does not answer.
	Connections int `json:"connections"`
	// Closing is whether they are being closed, because the worker is too old.
	Closing bool `json:"closing,omitempty"`
}
