package template

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"router/pkg/model"
)

// Templates are the parsed parts of the configuration.
type Templates struct {
	parts *template.Template
	files Layout
	// ownBackend is whether an operator's file gives the part "backend": it may
	// hold lines that no section of defaults can.
	ownBackend bool
}

// parts are the definitions that the embedded files give and that an
// operator's files may replace.
var requiredParts = [...]string{"global", "peers", "defaults", "profile", "frontends", "backend", "server"}

// New parses the parts in embedded, then those of override, a file or a
// directory of *.tmpl files; "" for none. A definition in override replaces
// the embedded one of the same name.
func New(embedded fs.FS, override string, files Layout) (*Templates, error) {
	root := template.New("conf").Option("missingkey=error").Funcs(template.FuncMap{"lookup": newLookup, "anyHost": newAnyHost})
	root, err := root.ParseFS(embedded, "*.tmpl")
	if err != nil {
		return nil, fmt.Errorf("parsing embedded templates: %w", err)
	}
	backend := root.Lookup("backend")
	if override != "" {
		paths := []string{override}
		if info, err := os.Stat(override); err != nil {
			return nil, fmt.Errorf("--template: %w", err)
		} else if info.IsDir() {
			if paths, err = filepath.Glob(filepath.Join(override, "*.tmpl")); err != nil || len(paths) == 0 {
				return nil, fmt.Errorf("--template: no *.tmpl file in directory %s", override)
			}
		}
		if root, err = root.ParseFiles(paths...); err != nil {
			return nil, fmt.Errorf("--template: %w", err)
		}
	}
	for _, name := range requiredParts {
		if root.Lookup(name) == nil {
			return nil, fmt.Errorf("template part %q is not defined", name)
		}
	}
	return &Templates{parts: root, files: files, ownBackend: root.Lookup("backend") != backend}, nil
}

// lookup is the data of the part that looks a normalised host up.
type lookup struct{ Exact, Wildcard Path }

func newLookup(exact, wildcard Path) lookup { return lookup{exact, wildcard} }

// anyHost is the data of the part that looks a path of any host up.
type anyHost struct{ Paths, Hosts Path }

func newAnyHost(paths, hosts Path) anyHost { return anyHost{paths, hosts} }

// Base renders global, peers, defaults and frontends.
func (t *Templates) Base(c BaseConfig) (string, error) {
	var b strings.Builder
	for _, part := range []string{"global", "peers", "defaults", "frontends"} {
		if err := t.parts.ExecuteTemplate(&b, part, c); err != nil {
			return "", fmt.Errorf("rendering %s: %w", part, err)
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// Profiles renders the lines of each profile, by its name.
func (t *Templates) Profiles(c BaseConfig) (map[string]string, error) {
	texts := make(map[string]string, len(c.Profiles))
	for _, p := range c.Profiles {
		var b strings.Builder
		if err := t.parts.ExecuteTemplate(&b, "profile", p); err != nil {
			return nil, fmt.Errorf("rendering profile %s: %w", p.Name, err)
		}
		texts[p.Name.text] = strings.Trim(b.String(), "\n") + "\n"
	}
	return texts, nil
}

// RouteText is what one route adds to HAProxy's files, but for the lookup
// tables, which are shared with the other routes of its host.
type RouteText struct {
	// Backend is the backend's name, Profile the defaults section that it builds
	// on, and Settings the lines of its own but for its servers.
	Backend, Profile, Settings string
	// Shareable is whether other backends may have the same settings.
	Shareable bool
	// CookieKey is what the values of the session cookie are computed with, ""
	// without one. It is a word that needs no quotes.
	CookieKey model.Secret
	Servers   []ServerText
	// SpareOptions are the options of a plain server, for slots that wait for
	// an endpoint.
	SpareOptions string
	// Allowlist has the lines of the route's allowlist, which may be none; it is
	// nil where there is no list.
	Allowlist []string
	// CA is the file that the servers are verified by, nil for none of the route's.
	CA *File
}

// ServerText is one server of a backend.
type ServerText struct {
	// ID is the endpoint's identity, used as the server's name.
	ID string
	// Address is without brackets; Port in decimal.
	Address string
	Port    int
	Weight  int
	// Options are the settings behind the address, with a leading blank.
	Options string
}

// File is a file that HAProxy reads.
type File struct {
	Path    string
	Content string
}

// Route renders what belongs to r alone. An error means that one of its
// values cannot be represented, and names it.
func (t *Templates) Route(r *model.Route) (RouteText, error) {
	view, err := newBackendView(r, t.files)
	if err != nil {
		return RouteText{}, err
	}
	var b strings.Builder
	if err := t.parts.ExecuteTemplate(&b, "backend", view); err != nil {
		return RouteText{}, fmt.Errorf("rendering backend: %w", err)
	}
	checked := builder{}
	text := RouteText{
		Backend: checked.name("route name", BackendName(r)).text, Profile: profileOf(r).text,
		Settings: b.String(), Shareable: view.isShareable() && !t.ownBackend,
	}
	if c := r.Backend.Cookie; c != nil && view.Cookie != nil {
		checked.name("cookie name", c.Name)
		checked.name("cookie key", c.Key.Reveal())
		text.CookieKey = c.Key
	}
	if checked.err != nil {
		return RouteText{}, checked.err
	}
	for i := range r.Backend.Servers {
		s, err := t.server(r, &r.Backend.Servers[i])
		if err != nil {
			return RouteText{}, err
		}
		text.Servers = append(text.Servers, s)
	}
	spare, err := t.server(r, &model.Server{ID: "spare", Address: "0.0.0.0", VerifyHost: firstVerifyHost(r)})
	if err != nil {
		return RouteText{}, err
	}
	text.SpareOptions = spare.Options
	if a := r.Backend.Allowlist; a != nil {
		text.Allowlist = []string{}
		for _, p := range a.Prefixes {
			text.Allowlist = append(text.Allowlist, p.String())
		}
	}
	if tls := r.Backend.TLS; tls != nil && tls.CA != "" {
		p, err := caPath(tls.CA, t.files)
		if err != nil {
			return RouteText{}, err
		}
		text.CA = &File{Path: p.text, Content: tls.CA}
	}
	return text, nil
}

func (t *Templates) server(r *model.Route, s *model.Server) (ServerText, error) {
	if _, err := NewName(s.ID); err != nil {
		return ServerText{}, fmt.Errorf("server: %w", err)
	}
	// HAProxy would resolve a name at its start, and connect to whatever comes.
	if addr, err := netip.ParseAddr(s.Address); err != nil || addr.Zone() != "" {
		return ServerText{}, fmt.Errorf("server %s: %w: address %q", s.ID, ErrUnrepresentable, s.Address)
	}
	view, err := newServerView(r, s, t.files)
	if err != nil {
		return ServerText{}, err
	}
	var b strings.Builder
	if err := t.parts.ExecuteTemplate(&b, "server", view); err != nil {
		return ServerText{}, fmt.Errorf("rendering server: %w", err)
	}
	return ServerText{
		ID: s.ID, Address: s.Address, Port: s.Port, Weight: s.Weight,
		Options: b.String(),
	}, nil
}

// firstVerifyHost is the name that a further server of r would be verified by.
func firstVerifyHost(r *model.Route) string {
	if len(r.Backend.Servers) == 0 {
		return ""
	}
	return r.Backend.Servers[0].VerifyHost
}

// ListFile is the path of the allowlist that a route may have.
func (t *Templates) ListFile(k model.RouteKey) string {
	return filepath.Join(t.files.Lists.text, FileStem(k)+".txt")
}

// StemOfFile is the FileStem of the route that a certificate or allowlist file
// belongs to; false where the path is in none of their directories.
func (t *Templates) StemOfFile(path string) (string, bool) {
	switch filepath.Dir(path) {
	case t.files.Certificates.text, t.files.Lists.text:
		base := filepath.Base(path)
		return strings.TrimSuffix(base, filepath.Ext(base)), true
	}
	return "", false
}
