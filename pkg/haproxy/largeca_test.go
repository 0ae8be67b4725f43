package haproxy

import (
	"strings"
	"testing"

	"router/pkg/haproxy/config"
	"router/pkg/haproxy/runtime"
	"router/pkg/model"
	"router/test/certs"
	"router/test/haproxies"
)

// A CA file that no command can hold, of a route without endpoints, is loaded
// by no worker: it must not be missed at each verification.
func TestALargeCAWithoutServersCausesNoReloads(t *testing.T) {
	var bundle strings.Builder
	for bundle.Len() <= runtime.MaxPayload {
		ca, err := certs.NewAuthority("one of many")
		if err != nil {
			t.Fatal(err)
		}
		bundle.WriteString(ca.PEM)
	}
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		d := newTestPlane(t, binary, nil)
		r := simple("secure", "127.0.1.9")
		r.Termination, r.Backend.TLS = model.TerminationReencrypt, &model.ServerTLS{CA: bundle.String()}
		servers := r.Backend.Servers
		apply := func(servers []model.Server) {
			t.Helper()
			now := *r
			now.Backend.Servers = servers
			if o, err := d.Apply(t.Context(), model.Change{Upsert: []*model.Route{&now}}); err != nil || len(o.Rejected) > 0 {
				t.Fatalf("%+v, %v", o, err)
			}
		}
		quiet := func() {
			t.Helper()
			for range 3 {
				if o, err := d.Verify(t.Context()); err != nil || o.Reloaded {
					t.Errorf("a verification: %+v, %v", o, err)
				}
			}
		}
		apply(nil)
		_, _ = d.Verify(t.Context())
		quiet()
		apply(servers)
		quiet()
		if names := liveServers(t, d, "secure"); len(names) == 0 {
			t.Error("the first server does not come")
		}
		apply(nil)
		quiet()
	})
}

// liveServers are the servers that HAProxy has of a route.
func liveServers(t *testing.T, d Counting, name string) []config.Server {
	t.Helper()
	if err := d.worker.Resync(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d.worker.Applied.Backends[d.backendOf(model.RouteKey{Namespace: "ns", Name: name})].Servers
}
