package haproxy

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"router/pkg/haproxy/runtime"
	"router/pkg/model"
	"router/test/haproxies"
)

// TestDriftIsRepaired changes a running HAProxy behind the router's back, in
// every way that a change can be made, and has it verified.
func TestDriftIsRepaired(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		d := newTestPlane(t, binary, nil)
		w := newWorld(t, 1)
		edge, secure := w.route(0, model.RouteKey{Namespace: "ns", Name: "edge"}), w.route(2, model.RouteKey{Namespace: "ns", Name: "secure"})
		edge.Certificate, edge.Host, edge.Wildcard = &w.certs[0], "h0.test", false
		for _, r := range []*model.Route{edge, secure} {
			r.Backend.Servers = []model.Server{
				{ID: "pod:a:s::127.0.1.1:9000", Address: "127.0.1.1", Port: 9000, Weight: 5, Check: true},
				{ID: "pod:b:s::127.0.1.2:9000", Address: "127.0.1.2", Port: 9000, Weight: 6, Check: true},
			}
		}
		secure.Backend.TLS = &model.ServerTLS{CA: w.cas[0]}
		edge.Backend.Allowlist = &model.Allowlist{Prefixes: prefixes("10.0.0.0/8")}
		if _, err := d.Apply(t.Context(), model.Change{Upsert: []*model.Route{edge, secure}}); err != nil {
			t.Fatal(err)
		}
		want := observed(t, d)
		backend := d.backendOf(edge.Key)
		servers := d.worker.Applied.Backends[backend].Servers
		server := backend + "/" + servers[0].Name
		table := d.opts.Layout.Maps.HTTPS.String()
		key := slices.Sorted(maps.Keys(d.worker.Applied.Tables[table]))[0]
		cert := d.worker.Applied.Hosts["h0.test"].Path
		ca := slices.Collect(maps.Keys(d.desired.State.NamedCAs()))[0]
		list := slices.Sorted(maps.Keys(d.worker.Applied.Lists))[0]
		other := w.certs[1].Chain + w.certs[1].Key.Reveal()
		tampers := map[string][]string{
			"server in maintenance": {"set server " + server + " state maint"},
			"weight":                {"set server " + server + " weight 77"},
			"address":               {"set server " + server + " state maint", "set server " + server + " addr 127.0.1.9 port 9", "set server " + server + " state ready"},
			"health":                {"set server " + server + " health down"},
			"entry removed":         {"del map " + table + " " + runtime.EscapeWord(key)},
			"entry changed":         {"set map " + table + " " + runtime.EscapeWord(key) + " _redirect"},
			"entry added":           {"add map " + table + " evil.test/ " + backend},
			"certificate":           {runtime.Payload("set ssl cert "+cert, other), "commit ssl cert " + cert},
			"CA":                    {runtime.Payload("set ssl ca-file "+ca, w.cas[1]), "commit ssl ca-file " + ca},
			"allowlist":             {"add acl " + list + " 0.0.0.0/0"},
		}
		for _, name := range slices.Sorted(maps.Keys(tampers)) {
			t.Run(name, func(t *testing.T) {
				s := d.session(t)
				defer s.Close()
				for _, command := range tampers[name] {
					if _, err := s.Do(t.Context(), command); err != nil {
						t.Fatal(err)
					}
				}
				// HAProxy changes an address a moment after it has answered.
				for end := time.Now().Add(5 * time.Second); maps.Equal(observed(t, d), want); {
					if time.Now().After(end) {
						t.Fatal("the command changed nothing")
					}
				}
				before := drifts(t, d)
				o, err := d.Verify(t.Context())
				if err != nil || o.Reloaded {
					t.Fatalf("verifying: %+v, %v", o, err)
				}
				compare(t, name, observed(t, d), want)
				if drifts(t, d) <= before {
					t.Error("the drift was not counted")
				}
				if o, err = d.Verify(t.Context()); err != nil || o.Reloaded {
					t.Fatalf("verifying again: %+v, %v", o, err)
				}
			})
		}
	})
}

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// drifts adds the counter up over its labels.
func drifts(t *testing.T, d Counting) (total float64) {
	t.Helper()
	metrics := make(chan prometheus.Metric, 100)
	d.opts.Metrics.driftTotal.Collect(metrics)
	close(metrics)
	for m := range metrics {
		var value dto.Metric
		if err := m.Write(&value); err != nil {
			t.Fatal(err)
		}
		total += value.GetCounter().GetValue()
	}
	return total
}
