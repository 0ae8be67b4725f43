// Package admissiontest has the table of admission cases: routes with their
// ages, the administrator's options, and what becomes of each route. The
// cases are files, so that they can be read without Go; unit tests compute
// them, end-to-end tests replay them on a real API server.
package admissiontest

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"router/pkg/controller/admission"
	"router/pkg/model"
)

//go:embed cases/*.yaml
var files embed.FS

// Now is the time at which the cases are decided, as far as it matters:
// certificates are made to be valid, expired or not yet valid around it.
func Now() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }

// Case is one row of the table.
type Case struct {
	// Name says what the case shows, in a sentence.
	Name string `json:"name"`
	// Options are the administrator's; absent ones are the router's defaults.
	Options Options `json:"options"`
	// Routes are what there is at first, the oldest first.
	Routes []Route `json:"routes"`
	// Then are changes, one after the other.
	Then []Change `json:"then"`
	// Verdicts are those after the last change, by "namespace/name".
	Verdicts map[string]Verdict `json:"verdicts"`
}

// Options are admission.Options as a file has them.
type Options struct {
	AllowWildcards   bool     `json:"allowWildcards"`
	SharedHosts      bool     `json:"sharedHosts"`
	NoValidation     bool     `json:"noValidation"`
	AllowedDomains   []string `json:"allowedDomains"`
	DeniedDomains    []string `json:"deniedDomains"`
	HostnameTemplate string   `json:"hostnameTemplate"`
	RouterDomain     string   `json:"routerDomain"`
	OverrideHostname bool     `json:"overrideHostname"`
	OverrideDomains  []string `json:"overrideDomains"`
}

// Route is a route of a case.
type Route struct {
	// Name is "namespace/name". The namespaces are red, green and blue.
	Name string            `json:"name"`
	Spec routev1.RouteSpec `json:"spec"`
	// SameAge makes the route as old as the one before it in the list, UID
	// gives it a UID of its own. A real API server gives out both itself.
	SameAge bool   `json:"sameAge"`
	UID     string `json:"uid"`
	// RefusedByAPI says that an API server with the Route's schema does not
	// store the route; manifests in a directory can have it.
	RefusedByAPI bool `json:"refusedByAPI"`
}

// Key is the route's namespace and name.
func (r *Route) Key() model.RouteKey { return key(r.Name) }

func key(name string) model.RouteKey {
	namespace, name, _ := strings.Cut(name, "/")
	return model.RouteKey{Namespace: namespace, Name: name}
}

// Change deletes a route, edits its spec, or creates one: a field that is
// empty is not done.
type Change struct {
	Delete string `json:"delete"`
	Edit   *Route `json:"edit"`
	Create *Route `json:"create"`
}

// Verdict is what is expected of a route. In a file it may be the word
// "admitted" alone.
type Verdict struct {
	Admitted bool             `json:"admitted"`
	Reason   admission.Reason `json:"reason"`
	// Message is the whole message; Contains, which may stand in its place, a
	// part of it.
	Message  string `json:"message"`
	Contains string `json:"contains"`
	Winner   string `json:"winner"`
	// Host and Path are as the verdict has them for people and for routing;
	// they are not compared where they are absent.
	Host string  `json:"host"`
	Path *string `json:"path"`
	// Problem is a part of the one problem that there is; without it there
	// must be none.
	Problem string `json:"problem"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Verdict) UnmarshalJSON(data []byte) error {
	if string(data) == `"admitted"` {
		*v = Verdict{Admitted: true}
		return nil
	}
	type plain Verdict
	return json.Unmarshal(data, (*plain)(v))
}

// Difference says in what a verdict is not as expected; "" if in nothing.
func (v *Verdict) Difference(got admission.Verdict) string {
	var winner string
	if got.Winner != (model.RouteKey{}) {
		winner = got.Winner.String()
	}
	problems := make([]string, len(got.Problems))
	for i, p := range got.Problems {
		problems[i] = p.Field + ": " + p.Message
	}
	switch {
	case got.Admitted != v.Admitted, got.Reason != v.Reason:
		return fmt.Sprintf("admitted %v, reason %q, message %q; want %v, %q", got.Admitted, got.Reason, got.Message, v.Admitted, v.Reason)
	case v.Contains == "" && got.Message != v.Message, !strings.Contains(got.Message, v.Contains):
		return fmt.Sprintf("message is %q, want %q", got.Message, cmp.Or(v.Message, v.Contains))
	case winner != v.Winner:
		return fmt.Sprintf("winner is %q, want %q", winner, v.Winner)
	case v.Host != "" && got.FullHost != v.Host:
		return fmt.Sprintf("host is %q, want %q", got.FullHost, v.Host)
	case v.Path != nil && got.Path != *v.Path:
		return fmt.Sprintf("path is %q, want %q", got.Path, *v.Path)
	case v.Problem == "" && len(problems) > 0, v.Problem != "" && (len(problems) != 1 || !strings.Contains(problems[0], v.Problem)):
		return fmt.Sprintf("problems are %q, want %q", problems, v.Problem)
	}
	return ""
}

// Load reads the table. In the fields of spec.tls, "<name>" stands for a PEM
// block of the material.
func Load(m *Material) ([]Case, error) {
	names, err := fs.Glob(files, "cases/*.yaml")
	if err != nil {
		return nil, err
	}
	var all []Case
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var cases []Case
		if err := yaml.UnmarshalStrict(data, &cases); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for i := range cases {
			for _, r := range cases[i].routes() {
				if err := m.fill(r.Spec.TLS); err != nil {
					return nil, fmt.Errorf("%s: %s: %w", name, cases[i].Name, err)
				}
			}
		}
		all = append(all, cases...)
	}
	return all, nil
}

// routes are all routes that a case mentions, and their later specs.
func (c *Case) routes() []*Route {
	var list []*Route
	for i := range c.Routes {
		list = append(list, &c.Routes[i])
	}
	for i := range c.Then {
		for _, r := range []*Route{c.Then[i].Edit, c.Then[i].Create} {
			if r != nil {
				list = append(list, r)
			}
		}
	}
	return list
}

// AdmissionOptions are the options that the case is decided by.
func (c *Case) AdmissionOptions() admission.Options {
	o := c.Options
	return admission.Options{
		Naming: admission.Naming{
			Template: o.HostnameTemplate, Domain: o.RouterDomain, Override: o.OverrideHostname, OverrideDomains: o.OverrideDomains,
		},
		AllowedDomains: o.AllowedDomains, DeniedDomains: o.DeniedDomains, AllowWildcards: o.AllowWildcards,
		SharedHosts: o.SharedHosts, Validate: !o.NoValidation, Now: Now,
	}
}

// Replayable reports whether a real API server can be brought to the case: it
// chooses ages and UIDs itself.
func (c *Case) Replayable() bool {
	return !slices.ContainsFunc(c.routes(), func(r *Route) bool { return r.SameAge || r.UID != "" })
}

// Objects are the routes at first and after each change, as a source would
// deliver them; a nil route is a deletion.
func (c *Case) Objects() []Event {
	var events []Event
	objects := map[string]*routev1.Route{}
	born := Now().Add(-24 * time.Hour)
	create := func(r *Route) {
		if !r.SameAge {
			born = born.Add(time.Minute)
		}
		k := r.Key()
		o := &routev1.Route{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: k.Namespace, Name: k.Name, CreationTimestamp: metav1.NewTime(born),
				UID: types.UID(cmp.Or(r.UID, fmt.Sprint("uid-", len(events)))),
			},
			Spec: *r.Spec.DeepCopy(),
		}
		objects[r.Name] = o
		events = append(events, Event{k, o})
	}
	for i := range c.Routes {
		create(&c.Routes[i])
	}
	for _, then := range c.Then {
		switch {
		case then.Create != nil:
			create(then.Create)
		case then.Edit != nil:
			o := objects[then.Edit.Name].DeepCopy()
			o.Spec = *then.Edit.Spec.DeepCopy()
			objects[then.Edit.Name] = o
			events = append(events, Event{then.Edit.Key(), o})
		default:
			delete(objects, then.Delete)
			events = append(events, Event{key(then.Delete), nil})
		}
	}
	return events
}

// Event is one change of a route.
type Event struct {
	Key model.RouteKey
	// Route is nil for a deletion.
	Route *routev1.Route
}

var namespace = regexp.MustCompile(`\b(red|green|blue)\b`)

// In returns the case with its namespaces renamed, so that many cases can be
// in one cluster at once. The new namespaces begin with the prefix.
func (c *Case) In(prefix string) *Case {
	rename := func(s string) string { return namespace.ReplaceAllString(s, prefix+"-$1") }
	placed := *c
	placed.Routes = slices.Clone(c.Routes)
	for i := range placed.Routes {
		placed.Routes[i].Name = rename(placed.Routes[i].Name)
	}
	placed.Then = nil
	for _, then := range c.Then {
		then.Delete = rename(then.Delete)
		for _, r := range []**Route{&then.Edit, &then.Create} {
			if *r != nil {
				renamed := **r
				renamed.Name = rename(renamed.Name)
				*r = &renamed
			}
		}
		placed.Then = append(placed.Then, then)
	}
	placed.Verdicts = map[string]Verdict{}
	for name, v := range c.Verdicts {
		v.Message, v.Contains, v.Winner, v.Host = rename(v.Message), rename(v.Contains), rename(v.Winner), rename(v.Host)
		placed.Verdicts[rename(name)] = v
	}
	return &placed
}

// Namespaces are those of the case's routes, sorted.
func (c *Case) Namespaces() []string {
	set := map[string]bool{}
	for _, r := range c.routes() {
		set[r.Key().Namespace] = true
	}
	return slices.Sorted(maps.Keys(set))
}
