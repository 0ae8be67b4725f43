package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"router/pkg/haproxy/runtime"
	"router/pkg/model"
	"router/pkg/pki"
	"router/test/certs"
)

func pairOf(t *testing.T, p certs.Pair, err error) *model.Certificate {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return &model.Certificate{Chain: p.Cert, Key: model.NewSecret(p.Key)}
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
	d := &Desired{certs: newOwnCertificates(), State: NewState(nil), Changes: NewChangeSet()}
	d.opts.Global.TLS.StrictSNI, d.opts.Global.TLS.DefaultCertificate = true, *pairOf(t, pair, err)
	d.certs.set("first.test", keyECDSA)
	d.setDefaultNames()
	names := strings.Fields(d.certs.defaultNames)
	if len(d.certs.defaultNames) > runtime.MaxPayload || len(names) < 500 || slices.Contains(names, "first.test") || d.State.Hosts[d.certs.defaultNames] != (CrtLine{}) {
		t.Errorf("%d names, %d bytes", len(names), len(d.certs.defaultNames))
	}
}
