package haproxy

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"router/pkg/model"
	"router/pkg/pki"
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
			line := d.desired.Hosts["*.wild.test"]
			if n := len(line.text("*.wild.test")); n > maxPayload || n < maxPayload-100 {
				t.Errorf("%s: the line has %d bytes", what, n)
			}
			s, err := d.openSession(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			shown, err := showHosts(t.Context(), s, d.files.CrtList.String())
			if err != nil || shown["*.wild.test"] != line || len(shown) != len(d.desired.Hosts) {
				t.Errorf("%s: the line is %q, want %q; %d lines, %v", what, shown["*.wild.test"], line, len(shown), err)
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
func shown(t *testing.T, d *DataPlane, host string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", d.opts.Global.Listen.HTTPSPort), &tls.Config{ServerName: host, InsecureSkipVerify: true}) //nolint:gosec // a test
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestLinesOfTheDefaultCertificate(t *testing.T) {
	ca, err := certs.NewAuthority("default")
	if err != nil {
		t.Fatal(err)
	}
	many := []string{"first.test"}
	for i := range 900 {
		many = append(many, fmt.Sprintf("name-%03d.example.test", i))
	}
	for _, tt := range []struct {
		name  string
		names []string
		want  string
	}{
		{"names", []string{"A.test", "*.b.test", "b.test"}, "*.b.test a.test b.test"},
		{"what is no name of a host", []string{"a.test", "!b.test", "*", "x y", "[alpn", "#c", "*.*.test"}, "a.test"},
		{"no name at all", []string{"a b"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pair, err := ca.Issue(tt.names...)
			if got := strings.Join(namesOf(pki.Leaf(pairOf(t, pair, err).Chain)), " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	pair, err := ca.Issue(many...)
	d := &DataPlane{own: newOwnCertificates(), desired: newState(nil), pending: newScope(), opts: Options{Logger: slog.New(slog.DiscardHandler)}}
	d.opts.Global.TLS.StrictSNI, d.opts.Global.TLS.DefaultCertificate = true, *pairOf(t, pair, err)
	d.own.set("first.test", keyECDSA)
	d.wantDefaultNames()
	names := strings.Fields(d.defaultNames)
	if len(d.defaultNames) > maxPayload || len(names) < 500 || slices.Contains(names, "first.test") || d.desired.Hosts[d.defaultNames] != (CrtLine{}) {
		t.Errorf("%d names, %d bytes", len(names), len(d.defaultNames))
	}
}
