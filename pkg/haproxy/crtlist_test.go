package haproxy

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"router/pkg/haproxy/runtime"
	"router/pkg/model"
	"router/test/certs"
	"router/test/haproxies"
	"router/test/routertest"
)

func pairOf(t *testing.T, p certs.Pair, err error) *model.Certificate {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return &model.Certificate{Chain: p.Cert, Key: model.NewSecret(p.Key)}
}

// More hosts below a wildcard than HAProxy's line takes are no reason to lose
// the line: as many as fit keep their certificates, and the rest is told.
func TestMoreHostsBelowAWildcardThanALineTakes(t *testing.T) {
	const hosts = 700
	ca, err := certs.NewAuthority("routes")
	if err != nil {
		t.Fatal(err)
	}
	rsaPair, err := ca.IssueRSA(2048, "h.wild.test")
	own := pairOf(t, rsaPair, err)
	ecdsaPair, err := ca.Issue("*.wild.test")
	wild := pairOf(t, ecdsaPair, err)
	edge := func(name, host string, c *model.Certificate) *model.Route {
		return &model.Route{Key: model.RouteKey{Namespace: "ns", Name: name}, Match: model.Match{Host: host}, Termination: model.TerminationEdge, Certificate: c,
			Backend: model.Backend{Balance: model.BalanceRandom, Forwarded: model.ForwardedAppend}}
	}
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		d := newTestPlane(t, binary, nil)
		said := &routertest.Log{}
		d.opts.Logger = slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelWarn}))
		change := model.Change{Upsert: []*model.Route{edge("wild", "wild.test", wild)}}
		change.Upsert[0].Wildcard = true
		for i := range hosts {
			name := fmt.Sprintf("host-%03d", i)
			change.Upsert = append(change.Upsert, edge(name, name+"-with-a-name-of-some-length.wild.test", own))
		}
		if o, err := d.Apply(t.Context(), change); err != nil || len(o.Rejected) > 0 {
			t.Fatal(o.Rejected, err)
		}
		check := func(what string) {
			t.Helper()
			line := d.desired.State.Hosts["*.wild.test"]
			if n := len(line.Text("*.wild.test")); n > runtime.MaxPayload || n < runtime.MaxPayload-100 {
				t.Errorf("%s: the line has %d bytes", what, n)
			}
			if err := d.worker.Resync(t.Context()); err != nil {
				t.Fatal(err)
			}
			if shown := d.worker.Applied.Hosts; shown["*.wild.test"] != line || len(shown) != len(d.desired.State.Hosts) {
				t.Errorf("%s: the line is %q, want %q; %d lines", what, shown["*.wild.test"], line, len(shown))
			}
		}
		check("from the file")
		if text := said.String(); !strings.Contains(text, "*.wild.test") || !strings.Contains(text, "others=") {
			t.Errorf("it says %q", text)
		}
		if o, err := d.Apply(t.Context(), model.Change{Upsert: []*model.Route{edge("first", "first.wild.test", own)}}); err != nil || o.Reloaded {
			t.Fatalf("%+v, %v", o, err)
		}
		check("while running")
		if got := shown(t, d, "first.wild.test"); got != "h.wild.test" {
			t.Errorf("the host that came last gets the certificate of %s", got)
		}
		if o, err := d.Verify(t.Context()); err != nil || o.Reloaded || strings.Contains(said.String(), "differs from what is wanted") {
			t.Errorf("verifying: %+v, %v, %s", o, err, said.String())
		}
	})
}

// shown is the name in the certificate that a host's clients get.
func shown(t *testing.T, d Counting, host string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", d.opts.Global.Listen.HTTPSPort), &tls.Config{ServerName: host, InsecureSkipVerify: true}) //nolint:gosec // a test
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}
