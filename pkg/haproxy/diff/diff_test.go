package diff_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"

	"router/conf"
	"router/pkg/haproxy/config"
	"router/pkg/haproxy/diff"
	"router/pkg/haproxy/live"
	"router/pkg/haproxy/runtime"
	"router/pkg/model"
	"router/pkg/template"
	"router/test/certs"
)

var update = flag.Bool("update", false, "write the plans into testdata")

// world is what a case says, before or after a change.
type world struct {
	Routes []routeCase `json:"routes"`
	// Down are addresses whose health checks fail.
	Down []string `json:"down"`
	// Settings of the router.
	StrictSNI          bool   `json:"strictSNI"`
	DefaultCertificate string `json:"defaultCertificate"`
	ClientCA           string `json:"clientCA"`
	ClientCRL          string `json:"clientCRL"`
	DestinationCA      string `json:"destinationCA"`
}

type routeCase struct {
	Name          string            `json:"name"`
	Host          string            `json:"host"`
	Path          string            `json:"path"`
	Exact         bool              `json:"exact"`
	Wildcard      bool              `json:"wildcard"`
	Termination   model.Termination `json:"termination"`
	Insecure      model.InsecurePolicy
	Balance       model.Balance `json:"balance"`
	Cookie        string        `json:"cookie"`
	Certificate   string        `json:"certificate"`
	DestinationCA string        `json:"destinationCA"`
	Allow         []string      `json:"allow"`
	RateHTTP      int           `json:"rateHTTP"`
	Timeout       string        `json:"timeout"`
	MaxConn       int           `json:"maxConn"`
	// Servers are "name@address", or "name@address weight". Many makes so many.
	Servers []string `json:"servers"`
	Many    int      `json:"many"`
	// Reserve has the route only keep its host.
	Reserve bool `json:"reserve"`
}

// pems are the texts that cases name.
type pems map[string]string

func newPEMs(t *testing.T) pems {
	t.Helper()
	p := pems{}
	for _, name := range []string{"one", "two", "default", "other-default"} {
		ca, err := certs.NewAuthority(name)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := ca.Issue(name+".test", "*.w.test")
		if name == "two" {
			pair, err = ca.IssueRSA(2048, name+".test")
		}
		if err != nil {
			t.Fatal(err)
		}
		p["ca "+name], p["certificate "+name] = ca.PEM, pair.Cert
		p["large ca "+name] = strings.Repeat(ca.PEM, runtime.MaxPayload/len(ca.PEM)+1)
		p["large certificate "+name] = pair.Cert + strings.Repeat(ca.PEM, runtime.MaxPayload/len(ca.PEM)+1)
		p["key "+name] = pair.Key
	}
	return p
}

func (p pems) certificate(name string) model.Certificate {
	key := p["key "+strings.TrimPrefix(name, "large ")]
	text := p["certificate "+name]
	if plain, large := strings.CutPrefix(name, "large "); large {
		text = p["large certificate "+plain]
	}
	return model.Certificate{Chain: text, Key: model.NewSecret(key)}
}

func (p pems) ca(name string) string {
	if plain, large := strings.CutPrefix(name, "large "); large {
		return p["large ca "+plain]
	}
	return p["ca "+name]
}

func (p pems) files(w *world) model.TLSFiles {
	return model.TLSFiles{
		DefaultCertificate: p.certificate(cmp.Or(w.DefaultCertificate, "default")), DestinationCA: p.ca(w.DestinationCA),
		ClientTrust: model.ClientTrust{CAs: p.ca(w.ClientCA), CRLs: p.ca(w.ClientCRL)},
	}
}

func (p pems) route(t *testing.T, c *routeCase) *model.Route {
	t.Helper()
	r := &model.Route{
		Key:   model.RouteKey{Namespace: "ns", Name: c.Name},
		Match: model.Match{Host: cmp.Or(c.Host, c.Name+".test"), Path: c.Path, Exact: c.Exact, Wildcard: c.Wildcard}, Termination: c.Termination, Insecure: c.Insecure,
		Backend: model.Backend{Balance: cmp.Or(c.Balance, model.BalanceRandom), Forwarded: model.ForwardedAppend, MaxConnPerServer: c.MaxConn},
	}
	if c.Certificate != "" {
		cert := p.certificate(c.Certificate)
		r.Certificate = &cert
	}
	if c.Termination == model.TerminationReencrypt {
		r.Backend.TLS = &model.ServerTLS{CA: p.ca(c.DestinationCA)}
	}
	if c.Cookie != "" {
		r.Backend.Cookie = &model.Cookie{Name: "c", Key: model.NewSecret(c.Cookie)}
	}
	if c.Allow != nil {
		r.Backend.Allowlist = &model.Allowlist{}
		for _, a := range c.Allow {
			r.Backend.Allowlist.Prefixes = append(r.Backend.Allowlist.Prefixes, netip.MustParsePrefix(a))
		}
	}
	if c.RateHTTP > 0 {
		r.Backend.RateLimit = &model.RateLimit{RateHTTP: c.RateHTTP}
	}
	if c.Timeout != "" {
		d, err := time.ParseDuration(c.Timeout)
		if err != nil {
			t.Fatal(err)
		}
		r.Backend.ServerTimeout = d
	}
	for i := range c.Many {
		c.Servers = append(c.Servers, fmt.Sprintf("p%02d@127.0.2.%d", i, i+1))
	}
	for _, s := range c.Servers {
		weight := 1
		if text, w, found := strings.Cut(s, " "); found {
			s = text
			if _, err := fmt.Sscan(w, &weight); err != nil {
				t.Fatal(err)
			}
		}
		name, address, _ := strings.Cut(s, "@")
		r.Backend.Servers = append(r.Backend.Servers, model.Server{
			ID: "pod:" + name + ":s::" + address + ":80", Address: address, Port: 80, Weight: weight, Check: true,
		})
	}
	return r
}

// change is what leads from one world to another.
func (p pems) change(t *testing.T, before, after *world) model.Change {
	t.Helper()
	var c model.Change
	if files := p.files(after); before == nil || !reflect.DeepEqual(files, p.files(before)) {
		c.Files = &files
	}
	gone := map[string]routeCase{}
	if before != nil {
		for _, r := range before.Routes {
			gone[r.Name] = r
		}
	}
	for i := range after.Routes {
		r := &after.Routes[i]
		old, known := gone[r.Name]
		if delete(gone, r.Name); known && reflect.DeepEqual(old, *r) {
			continue
		}
		m := p.route(t, r)
		if r.Reserve {
			c.Reserve = append(c.Reserve, model.Reservation{Key: m.Key, HostKey: m.HostKey()})
		} else {
			c.Upsert = append(c.Upsert, m)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(gone)) {
		c.Delete = append(c.Delete, model.RouteKey{Namespace: "ns", Name: name})
	}
	var keys []model.RouteKey
	for _, r := range after.Routes {
		keys = append(keys, model.RouteKey{Namespace: "ns", Name: r.Name})
	}
	state := map[string]bool{}
	if before != nil {
		for _, a := range before.Down {
			state[a] = false
		}
	}
	for _, a := range after.Down {
		state[a] = true
	}
	for _, a := range slices.Sorted(maps.Keys(state)) {
		c.Health = append(c.Health, model.Health{Address: netip.AddrPortFrom(netip.MustParseAddr(a), 80), Failing: state[a], Routes: keys})
	}
	return c
}

// versions are the features of the HAProxy versions that differ.
func versions() map[string]config.Features {
	return map[string]config.Features{
		"2.6": {Spares: 2}, "3.2": {DynamicServers: true, Spares: 2}, "3.4": {DynamicServers: true, AddBackend: true, Spares: 2},
	}
}

// TestPlans reads each case of testdata: what was loaded, what is wanted, and for
// each version of HAProxy the commands and reasons that lead there.
func TestPlans(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) < 40 {
		t.Fatalf("%d cases, %v", len(paths), err)
	}
	texts := newPEMs(t)
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{}
			for _, f := range archive.Files {
				files[f.Name] = string(f.Data)
			}
			results := &txtar.Archive{Comment: archive.Comment, Files: []txtar.File{
				{Name: "before.yaml", Data: []byte(files["before.yaml"])}, {Name: "after.yaml", Data: []byte(files["after.yaml"])},
			}}
			for _, version := range slices.Sorted(maps.Keys(versions())) {
				got := texts.plan(t, versions()[version], files["before.yaml"], files["after.yaml"])
				results.Files = append(results.Files, txtar.File{Name: version, Data: []byte(got)})
				if want := files[version]; got != want && !*update {
					t.Errorf("on %s the plan is\n%s\nwant\n%s", version, got, want)
				}
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(results), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// plan is the plan as text. On the way it checks what is true of each plan: it
// changes nothing itself, is the same each time, and leads to what is wanted.
func (p pems) plan(t *testing.T, f config.Features, before, after string) string {
	t.Helper()
	var was, is world
	for text, into := range map[string]*world{before: &was, after: &is} {
		if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	layout, err := template.NewLayout("/r")
	if err != nil {
		t.Fatal(err)
	}
	templates, err := template.New(conf.Files, "", layout)
	if err != nil {
		t.Fatal(err)
	}
	global := model.Global{
		Listen: model.Listen{HTTPPort: 80, HTTPSPort: 443}, HTTP2: true, Log: model.Log{Address: "/r/log", Facility: "local1", Level: "info"},
		TLS: model.ListenTLS{StrictSNI: is.StrictSNI},
	}
	global.SetFiles(p.files(&was))
	if was.ClientCA != "" {
		global.TLS.ClientAuth = "required"
	}
	desired, err := config.NewDesired(config.Options{Templates: templates, Layout: layout, Features: f, Global: global})
	if err != nil {
		t.Fatal(err)
	}
	f = desired.Features()
	apply := func(c model.Change) {
		t.Helper()
		if rejected, err := desired.Apply(c); err != nil || len(rejected) > 0 {
			t.Fatal(rejected, err)
		}
	}
	apply(p.change(t, nil, &was))
	worker := live.NewWorker(live.Options{Layout: layout, Features: f})
	worker.Load(config.NewImager(f).Image(desired.State, nil))
	for _, c := range diff.Diff(worker.Applied, desired.State, worker.Unloaded(desired.State), f, layout).Commands {
		effect(c, worker.Applied)
	}
	desired.Changes = config.NewChangeSet()
	apply(p.change(t, &was, &is))

	untouched := worker.Applied.Clone()
	plan := diff.Diff(worker.Applied, desired.State, desired.Changes, f, layout)
	if !reflect.DeepEqual(worker.Applied, untouched) {
		t.Error("planning changed the state that it planned from")
	}
	if again := diff.Diff(worker.Applied, desired.State, desired.Changes, f, layout); !reflect.DeepEqual(again, plan) {
		t.Errorf("planning again gives another plan: %+v", again)
	}
	for _, c := range plan.Commands {
		effect(c, worker.Applied)
	}
	rest := diff.Diff(worker.Applied, desired.State, config.FullChangeSet(worker.Applied, desired.State), f, layout)
	if len(plan.Reasons) == 0 && rest.Sent()+len(rest.Reasons) > 0 {
		t.Errorf("after the plan something still differs:\n%s", p.text(rest))
	}
	return p.text(plan)
}

func effect(c diff.Command, s *config.State) {
	if c.OnSuccess != nil {
		c.OnSuccess.Apply(s)
	}
}

// digest matches what differs from run to run: digests in names.
var digest = regexp.MustCompile(`\b[0-9a-f]{12,}\b`)

// text is a plan for people.
func (p pems) text(plan diff.Plan) string {
	var b strings.Builder
	for _, c := range plan.Commands {
		switch r := c.Replace.(type) {
		case diff.ReplaceMap:
			fmt.Fprintf(&b, "replace map %s: %d lines\n", r.Path, len(r.Lines))
			continue
		case diff.ReplaceACL:
			fmt.Fprintf(&b, "replace acl %s: %s\n", r.Path, strings.Join(r.Entries, " "))
			continue
		case diff.ReplaceCrtLine:
			fmt.Fprintf(&b, "replace ssl crt-list %s: %q by %q\n", r.List, r.Old, r.Now)
			continue
		}
		switch e := c.OnSuccess.(type) {
		case diff.PutBackend:
			if c.Kind == "" {
				fmt.Fprintf(&b, "(%s is %s)\n", e.Name, e.Backend.RuntimeName)
			}
		case diff.RetireBackend:
			fmt.Fprintf(&b, "(%s is retired as %s)\n", e.Backend.RuntimeName, e.Name)
		}
		if c.Kind != "" {
			b.WriteString(strings.TrimRight(c.Text, "\n") + "\n")
		}
	}
	for _, r := range plan.Reasons {
		b.WriteString(strings.TrimRight(fmt.Sprintf("reload: %s %s", r.Label, r.Object), " ") + "\n")
	}
	text := b.String()
	for _, name := range slices.Backward(slices.SortedFunc(maps.Keys(p), func(a, b string) int { return cmp.Compare(len(p[a]), len(p[b])) })) {
		text = strings.ReplaceAll(text, strings.TrimSpace(p[name]), "<"+name+">")
	}
	return digest.ReplaceAllString(text, "#")
}
