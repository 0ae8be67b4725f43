package template

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
		Key: model.RouteKey{Namespace: "ns", Name: name}, Match: model.Match{Host: "h.test", Path: path},
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
	exact := func(r *model.Route) *model.Route { r.Exact = true; return r }
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
		{"an exact path has the key of its end", []*model.Route{exact(testRoute("a", "/x", none, ""))},
			map[string]string{"http h.test/x?": "be_http:ns:a"}},
		{"an exact path and a prefix share their name", []*model.Route{testRoute("b", "/x", none, ""), exact(testRoute("a", "/x", none, ""))},
			map[string]string{"http h.test/x/": "be_http:ns:b", "http h.test/x?": "be_http:ns:a"}},
		{"exact paths with and without slash are two", []*model.Route{exact(testRoute("a", "/x/", none, "")), exact(testRoute("b", "/x", none, ""))},
			map[string]string{"http h.test/x/?": "be_http:ns:a", "http h.test/x?": "be_http:ns:b"}},
		{"the exact root is not the whole host", []*model.Route{exact(testRoute("a", "/", none, "")), testRoute("b", "", none, "")},
			map[string]string{"http h.test/?": "be_http:ns:a", "http h.test/": "be_http:ns:b"}},
		{"an exact path that is hidden from plain HTTP is served by the prefix of its name",
			[]*model.Route{testRoute("b", "/x", none, ""), exact(testRoute("a", "/x", edge, ""))},
			map[string]string{"http h.test/x/": "be_http:ns:b", "http h.test/x?": "be_http:ns:b", "https h.test/x?": "be_edge_http:ns:a", "sni h.test": "_default"}},
		{"the exact root that is hidden from plain HTTP is served by the whole host",
			[]*model.Route{testRoute("b", "", none, ""), exact(testRoute("a", "/", edge, ""))},
			map[string]string{"http h.test/": "be_http:ns:b", "http h.test/?": "be_http:ns:b", "https h.test/?": "be_edge_http:ns:a", "sni h.test": "_default"}},
		{"no redirect of a broader route takes an exact path that is not about it",
			[]*model.Route{testRoute("b", "/x/", edge, redirect), exact(testRoute("a", "/x/", edge, ""))},
			map[string]string{"http h.test/x/": "_redirect", "http h.test/x/?": "_none",
				"https h.test/x/": "be_edge_http:ns:b", "https h.test/x/?": "be_edge_http:ns:a", "sni h.test": "_default"}},
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
			for _, e := range templates.Host(model.HostKey{Host: "h.test"}, tt.routes, false).Entries {
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
	text := (&Templates{files: layout}).Host(r.HostKey(), []*model.Route{r}, false)
	for _, e := range text.Entries {
		if e.Map != layout.Maps.HTTPWildcard.text && e.Map != layout.Maps.HTTPSWildcard.text && e.Map != layout.Maps.SNIWildcard.text {
			t.Errorf("entry in %s", e.Map)
		}
	}
	if text.Crt == nil || text.Crt.Filter != "*.w.test" {
		t.Errorf("crt-list entry is %+v", text.Crt)
	}
}

func TestAnyHostHasTablesOfItsOwnAndKeepsOutOfHosts(t *testing.T) {
	layout := testLayout(t)
	templates := &Templates{files: layout}
	entries := func(r *model.Route, hasCatchAll bool) map[string]string {
		got := map[string]string{}
		for _, e := range templates.Host(r.HostKey(), []*model.Route{r}, hasCatchAll).Entries {
			got[filepath.Base(e.Map)+" "+e.Key] = e.Value
		}
		return got
	}
	all := testRoute("a", "/x", model.TerminationEdge, model.InsecureRedirect)
	all.Host = model.CatchAllHost
	wild := testRoute("w", "", model.TerminationNone, "")
	wild.Host, wild.Wildcard = "w.test", true
	tests := []struct {
		name        string
		route       *model.Route
		hasCatchAll bool
		want        map[string]string
	}{
		{"any host", all, true, map[string]string{
			"http-any.map /x/": "_redirect", "http-any.map /x?": "_redirect", "https-any.map /x/": "be_edge_http:ns:a", "https-any.map /x?": "be_edge_http:ns:a"}},
		{"a host beside it", testRoute("b", "/y/", model.TerminationNone, ""), true, map[string]string{"http.map h.test/y/": "be_http:ns:b", "hosts.map h.test": "_none"}},
		{"a host that only TLS serves", testRoute("b", "", model.TerminationEdge, ""), true, map[string]string{
			"https.map h.test/": "be_edge_http:ns:b", "sni.map h.test": "_default", "hosts.map h.test": "_none"}},
		{"a wildcard beside it", wild, true, map[string]string{"http-wildcard.map w.test/": "be_http:ns:w", "hosts.map w.test*": "_none"}},
		{"a host without it", testRoute("b", "", model.TerminationNone, ""), false, map[string]string{"http.map h.test/": "be_http:ns:b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := entries(tt.route, tt.hasCatchAll); !maps.Equal(got, tt.want) {
				t.Errorf("got  %v\nwant %v", got, tt.want)
			}
		})
	}
}

func TestTargetsHaveTheFieldsThatTheFrontendsRead(t *testing.T) {
	at := func(cookie string, server, tunnel time.Duration) *model.Route {
		r := &model.Route{Key: model.RouteKey{Namespace: "ns", Name: "r"}}
		r.Backend.ServerTimeout, r.Backend.TunnelTimeout = server, tunnel
		if cookie != "" {
			r.Backend.Cookie = &model.Cookie{Name: cookie}
		}
		return r
	}
	for want, r := range map[string]*model.Route{
		"be_http:ns:r":                 at("", 0, 0),
		"be_http:ns:r|c":               at("c", 0, 0),
		"be_http:ns:r|c|5000":          at("c", 5*time.Second, 0),
		"be_http:ns:r|||1500":          at("", 0, 1500*time.Millisecond),
		"be_http:ns:r||1|2":            at("", time.Microsecond, 2*time.Millisecond),
		"be_http:ns:r|c|2147483647|60": at("c", 1000*time.Hour, 60*time.Millisecond),
	} {
		if got := target(r); got != want {
			t.Errorf("%+v: %q, want %q", r.Backend, got, want)
		}
		if backend, rest := SplitTarget(want); backend != "be_http:ns:r" || backend+rest != want {
			t.Errorf("%q is split into %q and %q", want, backend, rest)
		}
		renamed := RenamedTarget(want, "be_http:_spare:x")
		fields := strings.Split(renamed, "|")
		if len(fields) != 5 || fields[0] != "be_http:_spare:x" || fields[4] != "be_http:ns:r" || !strings.HasPrefix(strings.Join(fields[1:4], "|")+"|", strings.TrimPrefix(want[len("be_http:ns:r"):], "|")) {
			t.Errorf("under another name %q is %q", want, renamed)
		}
		if own, ok := OwnTarget(renamed, "be_http:ns:r"); !ok || own != want {
			t.Errorf("%q was %q, %v, want %q", renamed, own, ok, want)
		}
		if own, ok := OwnTarget(renamed, "be_http:ns:other"); ok {
			t.Errorf("%q was another backend's %q", renamed, own)
		}
		if same := RenamedTarget(want, "be_http:ns:r"); same != want {
			t.Errorf("under its own name %q is %q", want, same)
		}
	}
}
