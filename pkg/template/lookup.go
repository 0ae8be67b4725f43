package template

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"router/pkg/model"
)

// The values of the lookup tables that are not the name of a backend.
const (
	// MapValueRedirect sends a plain HTTP request to https.
	MapValueRedirect = "_redirect"
	// MapValueNone hides a path that a broader route's redirect would take. In
	// the table of hosts it is the value of all.
	MapValueNone = "_none"
	// MapValueDefault is, in the SNI map, a host that the default certificate serves.
	MapValueDefault = "_default"
)

// Entry is one line of a lookup table.
type Entry struct {
	// Map is the path of the table's file.
	Map        string
	Key, Value string
}

// CrtEntry is one line of the crt-list: a certificate and the host that asks for it.
type CrtEntry struct {
	Certificate
	Filter string
}

// Certificate is a certificate file; its content holds a private key.
type Certificate struct {
	Path string
	PEM  model.Secret
	// ID is a digest of the content, for telling shared certificates.
	ID string
}

// HostText is what the routes of one host add to the lookup tables.
type HostText struct {
	// Entries are sorted by map and key.
	Entries []Entry
	// Crt is nil where the default certificate serves the host.
	Crt *CrtEntry
	// Passthrough is whether the host's TLS goes to its servers untouched.
	Passthrough bool
}

// Equal reports whether two texts say the same.
func (h HostText) Equal(o HostText) bool {
	return slices.Equal(h.Entries, o.Entries) && h.Passthrough == o.Passthrough &&
		(h.Crt == nil) == (o.Crt == nil) && (h.Crt == nil || *h.Crt == *o.Crt)
}

// NewCertificate is the file for c at path: the key behind the chain, as
// HAProxy reads it.
func NewCertificate(path string, c model.Certificate) Certificate {
	pem := strings.TrimRight(c.Chain, "\n") + "\n" + strings.TrimRight(c.Key.Reveal(), "\n") + "\n"
	sum := sha256.Sum256([]byte(pem))
	return Certificate{Path: path, PEM: model.NewSecret(pem), ID: hex.EncodeToString(sum[:12])}
}

// Host gives the lookup entries of the routes that share the host key. The
// routes must be admitted, so that no two of them have the same path. hasCatchAll
// is whether there are routes for model.CatchAllHost. They do not get the
// requests for this host, not even those for paths that it does not serve.
func (t *Templates) Host(key model.HostKey, routes []*model.Route, hasCatchAll bool) HostText {
	routes = slices.Clone(routes)
	slices.SortFunc(routes, func(a, b *model.Route) int {
		return cmp.Or(a.Created.Compare(b.Created), a.Key.Compare(b.Key))
	})
	m := t.files.Maps
	httpMap, httpsMap, sniMap, host, filter, owned := m.HTTP, m.HTTPS, m.SNI, key.Host, key.Host, key.Host
	switch {
	case key.Wildcard:
		httpMap, httpsMap, sniMap, filter, owned = m.HTTPWildcard, m.HTTPSWildcard, m.SNIWildcard, "*."+key.Host, key.Host+"*"
	case key.Host == model.CatchAllHost:
		httpMap, httpsMap, host, hasCatchAll = m.HTTPAny, m.HTTPSAny, "", false
	}
	var text HostText
	add := func(table Path, key, value string) {
		text.Entries = append(text.Entries, Entry{Map: table.text, Key: key, Value: value})
	}

	plain, tls := paths{}, paths{}
	sni := ""
	for _, r := range routes {
		plain.claim(pathOf(r), plainValue(r))
		switch r.Termination {
		case model.TerminationPassthrough:
			sni, text.Passthrough = BackendName(r), true
		case model.TerminationEdge, model.TerminationReencrypt:
			tls.claim(pathOf(r), target(r))
			if sni == "" {
				sni = MapValueDefault
			}
			if r.Certificate != nil && text.Crt == nil {
				cert := NewCertificate(t.files.Certificates.text+"/"+FileStem(r.Key)+".pem", *r.Certificate)
				text.Crt, sni = &CrtEntry{Certificate: cert, Filter: filter}, cert.ID
			}
		}
	}
	for path, value := range plain.resolveHidden().keys() {
		add(httpMap, host+path, value)
	}
	for path, value := range tls.keys() {
		add(httpsMap, host+path, value)
	}
	if sni != "" && host != "" {
		add(sniMap, host, sni)
	}
	if hasCatchAll {
		add(m.Hosts, owned, MapValueNone)
	}
	slices.SortFunc(text.Entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Map, b.Map), cmp.Compare(a.Key, b.Key))
	})
	return text
}

// targetSeparator stands between the fields of what a lookup finds.
const targetSeparator = "|"

// target is what the lookup of a request finds: the backend, the name of its
// session cookie, and the time-outs for its servers and tunnels in
// milliseconds. Fields that are empty are left out at the end.
func target(r *model.Route) string {
	fields := []string{BackendName(r), "", milliseconds(r.Backend.ServerTimeout), milliseconds(r.Backend.TunnelTimeout)}
	if c := r.Backend.Cookie; c != nil {
		fields[1] = c.Name
	}
	return strings.TrimRight(strings.Join(fields, targetSeparator), targetSeparator)
}

// LongestEntry is the longest key, and the longest value, of the entries that
// lead to a route. Where a path is hidden, a key may have another route's value.
func LongestEntry(r *model.Route) (key, value string) {
	return r.Host + r.Path + exactEnd, target(r)
}

// milliseconds writes a time-out, "" for none.
func milliseconds(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	ms := (min(d, maxTimeout) + time.Millisecond - 1) / time.Millisecond
	return strconv.FormatInt(int64(ms), 10)
}

// SplitTarget is the backend in the value of a lookup entry, and the rest.
func SplitTarget(value string) (backend, rest string) {
	backend, _, _ = strings.Cut(value, targetSeparator)
	return backend, value[len(backend):]
}

// renamedFields is how many fields stand before the name in RenamedTarget.
const renamedFields = 4

// RenamedTarget is the value of a lookup entry where the running process has
// the backend as proxy: it ends with the backend's own name, for the access log.
func RenamedTarget(value, proxy string) string {
	backend, rest := SplitTarget(value)
	if backend == proxy {
		return value
	}
	missing := renamedFields - strings.Count(rest, targetSeparator)
	return proxy + rest + strings.Repeat(targetSeparator, missing) + backend
}

// OwnTarget is the value that RenamedTarget made the given one of; false if it
// does not end with the backend's name.
func OwnTarget(value, backend string) (string, bool) {
	proxy, rest := SplitTarget(value)
	if proxy == backend {
		return value, true
	}
	fields, found := strings.CutSuffix(rest, targetSeparator+backend)
	if !found || strings.Count(fields, targetSeparator) != renamedFields-1 {
		return "", false
	}
	return backend + strings.TrimRight(fields, targetSeparator), true
}

// hidden marks a path that plain HTTP does not serve.
const hidden = ""

// plainValue is what a plain HTTP request for r gets.
func plainValue(r *model.Route) string {
	switch {
	case r.Termination == model.TerminationNone:
		return target(r)
	case r.Insecure == model.InsecureRedirect:
		return MapValueRedirect
	case r.Insecure == model.InsecureAllow && r.Termination != model.TerminationPassthrough:
		return target(r)
	}
	return hidden
}

// paths are the paths of one host and what they lead to. An exact path ends
// in exactEnd.
type paths map[string]string

// exactEnd stands for the end of a request's path, in which it cannot occur.
const exactEnd = "?"

// pathOf is what a route claims of its host.
func pathOf(r *model.Route) string {
	if r.Exact {
		return r.Path + exactEnd
	}
	return r.Path
}

// claim gives a path to the first that asks.
func (p paths) claim(path, value string) {
	if _, taken := p[path]; !taken {
		p[path] = value
	}
}

// resolveHidden decides what plain HTTP requests get on a path whose route does
// not serve them: what the nearest broader route that serves them gives, else
// nothing.
func (p paths) resolveHidden() paths {
	resolved := make(paths, len(p))
	for path, value := range p {
		if value == hidden {
			value = p.broader(path)
		}
		if value != hidden {
			resolved[path] = value
		}
	}
	return resolved
}

// broader is the value of the longest path that contains the given one and is
// not hidden. It is never the redirect of a broader route, which is not about
// this path: where there is nothing else, MapValueNone keeps it away.
func (p paths) broader(path string) string {
	value := hidden
	for candidate := range containing(path) {
		switch v := p[candidate]; v {
		case hidden:
		case MapValueRedirect:
			value = MapValueNone
		default:
			return v
		}
	}
	return value
}

// containing yields the paths that contain the given one, itself included, the
// longest first.
func containing(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		path := strings.TrimSuffix(path, exactEnd)
		if !yield(path) {
			return
		}
		for rest := strings.TrimSuffix(path, "/"); rest != ""; {
			i := strings.LastIndexByte(rest, '/')
			if !yield(rest) || !yield(rest[:i+1]) {
				return
			}
			rest = rest[:i]
		}
		yield("")
	}
}

// keys turns paths into map keys: "/a" is found as "/a/" and as "/a?", where
// "?" stands for the end of a request's path; "/a/" only below it. An exact
// path has only the key of the end, which is the longest that a request can
// match: it costs no lookup of its own, and wins over every prefix.
func (p paths) keys() map[string]string {
	keys := make(map[string]string, 2*len(p))
	for path, value := range p {
		switch {
		case path == "":
			keys["/"] = value
		case strings.HasSuffix(path, "/"), strings.HasSuffix(path, exactEnd):
			keys[path] = value
		default:
			if _, own := p[path+exactEnd]; !own {
				keys[path+exactEnd] = value
			}
			if _, own := p[path+"/"]; !own {
				keys[path+"/"] = value
			}
		}
	}
	return keys
}
