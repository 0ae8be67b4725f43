package diff

import (
	"maps"
	"slices"

	"router/pkg/haproxy/config"
	"router/pkg/model"
	"router/pkg/template"
)

// Effect changes the applied state as a command has changed HAProxy.
type Effect interface{ Apply(*config.State) }

// PutBackend adds a backend. Where it goes by another name in the running
// process, it has acquired that.
type PutBackend struct {
	Name     string
	Backend  config.Backend
	Settings config.SettingsKey
}

// Apply implements Effect.
func (e PutBackend) Apply(s *config.State) {
	b := e.Backend
	s.Backends[e.Name] = &b
	if b.RuntimeName != "" {
		s.Spares.Acquire(e.Settings, b.RuntimeName, e.Name)
	}
}

// RetireBackend gives what a backend was the name of one that is no route's.
type RetireBackend struct {
	Name    string
	Backend config.Backend
}

// Apply implements Effect.
func (e RetireBackend) Apply(s *config.State) {
	b := e.Backend
	s.Backends[e.Name] = &b
}

// SetCookieKey changes what a backend's cookies are computed with.
type SetCookieKey struct {
	Backend string
	Key     model.Secret
}

// Apply implements Effect.
func (e SetCookieKey) Apply(s *config.State) {
	changeBackend(s, e.Backend, func(b *config.Backend) { b.CookieKey = e.Key })
}

// PublishBackend lets requests go to a backend, or keeps them from it.
type PublishBackend struct {
	Backend     string
	Unpublished bool
}

// Apply implements Effect.
func (e PublishBackend) Apply(s *config.State) {
	changeBackend(s, e.Backend, func(b *config.Backend) { b.Unpublished = e.Unpublished })
}

// PutServer replaces, or adds, a server.
type PutServer struct {
	Backend string
	Server  config.Server
}

// Apply implements Effect.
func (e PutServer) Apply(s *config.State) {
	changeBackend(s, e.Backend, func(b *config.Backend) {
		b.Servers = slices.Clone(b.Servers)
		if i := slices.IndexFunc(b.Servers, func(o config.Server) bool { return o.Name == e.Server.Name }); i >= 0 {
			b.Servers[i] = e.Server
		} else {
			b.Servers = append(b.Servers, e.Server)
		}
	})
}

// DropServer removes a server.
type DropServer struct{ Backend, Server string }

// Apply implements Effect.
func (e DropServer) Apply(s *config.State) {
	changeBackend(s, e.Backend, func(b *config.Backend) {
		b.Servers = slices.DeleteFunc(slices.Clone(b.Servers), func(s config.Server) bool { return s.Name == e.Server })
	})
}

// changeBackend changes a backend, if it is there.
func changeBackend(s *config.State, name string, change func(*config.Backend)) {
	if s.Backends[name] == nil {
		return // The command that was to add it was refused.
	}
	b := *s.Backends[name]
	change(&b)
	s.Backends[name] = &b
}

// PutEntries puts entries into a lookup table.
type PutEntries struct {
	Table   string
	Entries map[string]string
}

// Apply implements Effect.
func (e PutEntries) Apply(s *config.State) { maps.Copy(s.Tables[e.Table], e.Entries) }

// DropEntry takes an entry out of a lookup table.
type DropEntry struct{ Table, Key string }

// Apply implements Effect.
func (e DropEntry) Apply(s *config.State) { delete(s.Tables[e.Table], e.Key) }

// PutTable replaces a lookup table.
type PutTable struct {
	Table   string
	Entries map[string]string
}

// Apply implements Effect.
func (e PutTable) Apply(s *config.State) { s.Tables[e.Table] = e.Entries }

// PutSlotNames puts entries into the table of slots' names.
type PutSlotNames map[string]string

// Apply implements Effect.
func (e PutSlotNames) Apply(s *config.State) { maps.Copy(s.SlotNames, e) }

// PutCertificate loads a certificate file; nil removes it.
type PutCertificate struct {
	Path        string
	Certificate *template.Certificate
}

// Apply implements Effect.
func (e PutCertificate) Apply(s *config.State) {
	if e.Certificate == nil {
		delete(s.Certificates, e.Path)
	} else {
		s.Certificates[e.Path] = e.Certificate
	}
}

// PutCA loads a CA file.
type PutCA struct{ Path, Content string }

// Apply implements Effect.
func (e PutCA) Apply(s *config.State) { s.CAs[e.Path] = e.Content }

// PutCRL loads a list of revoked certificates.
type PutCRL struct{ Path, Content string }

// Apply implements Effect.
func (e PutCRL) Apply(s *config.State) { s.CRLs[e.Path] = e.Content }

// PutList replaces an allowlist.
type PutList struct {
	Path    string
	Entries []string
}

// Apply implements Effect.
func (e PutList) Apply(s *config.State) { s.Lists[e.Path] = e.Entries }

// PutCrtLine replaces the line of the crt-list for the names Old, by that for
// Now; either may be "", for none.
type PutCrtLine struct {
	Old, Now string
	Line     config.CrtLine
}

// Apply implements Effect.
func (e PutCrtLine) Apply(s *config.State) {
	if s.Hosts[e.Old].Path == e.Line.Path {
		delete(s.Hosts, e.Old)
	}
	if e.Now != "" {
		s.Hosts[e.Now] = e.Line
	}
}
