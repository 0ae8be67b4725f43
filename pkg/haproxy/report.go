package haproxy

import (
	"context"
	"net"
	"strconv"

	"router/pkg/model"
)

// Report is what runs for one route.
type Report struct {
	Backend string
	Servers []model.ServerReport
}

// Reports says what runs for each route, with the servers' states as HAProxy
// has them now; "unknown" where it cannot be asked or does not have them yet.
func (d *DataPlane) Reports(ctx context.Context) map[model.RouteKey]Report {
	live := map[string]map[string]liveServer{}
	if d.process.running() {
		if answer, err := query(ctx, d.files.RuntimeSocket.String(), "show servers state"); err == nil {
			if parsed, err := parseServers(answer); err == nil {
				live = parsed
			}
		}
	}
	reports := make(map[model.RouteKey]Report, len(d.routes))
	for key, r := range d.routes {
		name := d.backends[key]
		report := Report{Backend: name}
		for i := range r.Backend.Servers {
			s := &r.Backend.Servers[i]
			report.Servers = append(report.Servers, model.ServerReport{
				Name: s.ID, Address: net.JoinHostPort(s.Address, strconv.Itoa(s.Port)), Weight: s.Weight,
				Service: s.Service, Pod: s.Pod, State: d.stateOf(name, s.ID, live),
			})
		}
		reports[key] = report
	}
	return reports
}

// stateOf is the state of the server that stands for an endpoint.
func (d *DataPlane) stateOf(backend, endpoint string, live map[string]map[string]liveServer) string {
	b := d.appliedBackend(backend)
	if b == nil {
		return "unknown"
	}
	for i := range b.Servers {
		if b.Servers[i].Endpoint != endpoint {
			continue
		}
		switch l, ok := live[d.applied.live(backend)][b.Servers[i].Name]; {
		case !ok:
			return "unknown"
		case l.drain:
			return "drain"
		case !l.ready:
			return "maint"
		case l.down:
			return "down"
		default:
			return "up"
		}
	}
	return "unknown"
}

// EndpointOf is the ID of the endpoint that a server stands for where servers
// are slots; false where a server's name is its endpoint's ID. It may be
// called from any goroutine.
func (d *DataPlane) EndpointOf(backend, server string) (id string, ok bool) {
	v, ok := d.slots.Load(backend + "/" + server)
	if !ok {
		return "", false
	}
	return v.(string), true
}

// Ask runs a command that only reads on the command socket of the running
// worker. It may be called from any goroutine.
func (d *DataPlane) Ask(ctx context.Context, command string) (string, error) {
	return query(ctx, d.files.RuntimeSocket.String(), command)
}
