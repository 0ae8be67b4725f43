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
	states, _ := d.ServerStates(ctx) // Without an answer they are unknown.
	reports := map[model.RouteKey]Report{}
	for r, name := range d.desired.Routes() {
		report := Report{Backend: name}
		for i := range r.Backend.Servers {
			s := &r.Backend.Servers[i]
			report.Servers = append(report.Servers, model.ServerReport{
				Name: s.ID, Address: net.JoinHostPort(s.Address, strconv.Itoa(s.Port)), Weight: s.Weight,
				Service: s.Service, Pod: s.Pod, State: states.Of(name, s.ID),
			})
		}
		reports[r.Key] = report
	}
	return reports
}
