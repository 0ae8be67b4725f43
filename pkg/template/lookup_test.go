package template

import (
	"maps"
	"testing"

	"router/pkg/model"
)

func testLayout(t *testing.T) Layout {
	t.Helper()
	l, err := NewLayout("/w")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func testRoute(name, path string, term model.Termination, insecure model.InsecurePolicy) *model.Route {
	return &model.Route{
		Key: model.RouteKey{Namespace: "ns", Name: name}, Host: "h.test", Path: path,
		Termination: term, Insecure: insecure,
		Backend: model.Backend{Balance: model.BalanceRandom, Forwarded: model.ForwardedAppend},
	}
}

func TestHostEntries(t *testing.T) {
	const (
		none     = model.TerminationNone
		edge     = model.TerminationEdge
		reenc    = model.TerminationReencrypt
		pass     = model.TerminationPassthrough
		redirect = model.InsecureRedirect
		allow    = model.InsecureAllow
	)
	cert := &model.Certificate{Chain: "C", Key: model.NewSecret("K")}
	certID := NewCertificate("", *cert).ID
	withCert := func(r *model.Route) *model.Route { r.Certificate = cert; return r }
	tests := []struct {
		name   string
		routes []*model.Route
		want   map[string]string // "map key" -> value
	}{
		{"a whole host has one key", []*model.Route{testRoute("a", "", none, "")},
			map[string]string{"http h.test/": "be_http:ns:a"}},
		{"a path ends at a segment", []*model.Route{testRoute("a", "/x", none, "")},
			map[string]string{"http h.test/x/": "be_http:ns:a", "http h.test/x?": "be_http:ns:a"}},
		{"a trailing slash is only below it", []*model.Route{testRoute("a", "/x/", none, "")},
			map[string]string{"http h.test/x/": "be_http:ns:a"}},
		{"with and without slash are two paths", []*model.Route{testRoute("a", "/x/", none, ""), testRoute("b", "/x", none, "")},
			map[string]string{"http h.test/x/": "be_http:ns:a", "http h.test/x?": "be_http:ns:b"}},
		{"an edge route is not served in clear", []*model.Route{testRoute("a", "", edge, "")},
			map[string]string{"https h.test/": "be_edge_http:ns:a", "sni h.test": "_default"}},
		{"insecure Allow is served in clear", []*model.Route{testRoute("a", "", edge, allow)},
			map[string]string{"http h.test/": "be_edge_http:ns:a", "https h.test/": "be_edge_http:ns:a", "sni h.test": "_default"}},
		{"insecure Redirect is a verdict", []*model.Route{testRoute("a", "", reenc, redirect)},
			map[string]string{"http h.test/": "_redirect", "https h.test/": "be_secure:ns:a", "sni h.test": "_default"}},
		{"passthrough redirects too", []*model.Route{testRoute("a", "", pass, redirect)},
			map[string]string{"http h.test/": "_redirect", "sni h.test": "be_tcp:ns:a"}},
		{"passthrough is never served in clear", []*model.Route{testRoute("a", "", pass, allow)},
			map[string]string{"sni h.test": "be_tcp:ns:a"}},
		{"a broader redirect does not take a path that is not about it",
			[]*model.Route{testRoute("a", "", edge, redirect), testRoute("b", "/x", edge, "")},
			map[string]string{
				"http h.test/": "_redirect", "http h.test/x/": "_none", "http h.test/x?": "_none",
				"https h.test/": "be_edge_http:ns:a", "https h.test/x/": "be_edge_http:ns:b", "https h.test/x?": "be_edge_http:ns:b",
				"sni h.test": "_default"}},
		{"beyond a redirect a plain route serves a hidden path",
			[]*model.Route{testRoute("r", "", none, ""), testRoute("a", "/x", edge, redirect), testRoute("b", "/x/y", edge, "")},
			map[string]string{
				"http h.test/": "be_http:ns:r", "http h.test/x/": "_redirect", "http h.test/x?": "_redirect",
				"http h.test/x/y/": "be_http:ns:r", "http h.test/x/y?": "be_http:ns:r",
				"https h.test/x/": "be_edge_http:ns:a", "https h.test/x?": "be_edge_http:ns:a",
				"https h.test/x/y/": "be_edge_http:ns:b", "https h.test/x/y?": "be_edge_http:ns:b",
				"sni h.test": "_default"}},
		{"the oldest certificate of a host serves it",
			[]*model.Route{testRoute("a", "/x", edge, ""), withCert(testRoute("b", "", edge, ""))},
			map[string]string{
				"https h.test/": "be_edge_http:ns:b", "https h.test/x/": "be_edge_http:ns:a", "https h.test/x?": "be_edge_http:ns:a",
				"sni h.test": certID}},
	}
	layout := testLayout(t)
	names := map[string]string{layout.Maps.HTTP.text: "http", layout.Maps.HTTPS.text: "https", layout.Maps.SNI.text: "sni"}
	templates := &Templates{files: layout}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := map[string]string{}
			for _, e := range templates.Host(HostKey{Host: "h.test"}, tt.routes).Entries {
				got[names[e.Map]+" "+e.Key] = e.Value
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("got  %v\nwant %v", got, tt.want)
			}
		})
	}
}

func TestWildcardHostsHaveTablesOfTheirOwn(t *testing.T) {
	layout := testLayout(t)
	r := testRoute("a", "", model.TerminationEdge, model.InsecureAllow)
	r.Wildcard, r.Host, r.Certificate = true, "w.test", &model.Certificate{Chain: "C", Key: model.NewSecret("K")}
	text := (&Templates{files: layout}).Host(HostKeyOf(r), []*model.Route{r})
	for _, e := range text.Entries {
		if e.Map != layout.Maps.HTTPWildcard.text && e.Map != layout.Maps.HTTPSWildcard.text && e.Map != layout.Maps.SNIWildcard.text {
			t.Errorf("entry in %s", e.Map)
		}
	}
	if text.Crt == nil || text.Crt.Filter != "*.w.test" {
		t.Errorf("crt-list entry is %+v", text.Crt)
	}
}
