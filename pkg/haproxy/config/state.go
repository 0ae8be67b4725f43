package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"router/pkg/model"
	"router/pkg/template"
)

// State is what HAProxy has, or is to have. The values behind the maps are
// immutable; a change replaces them.
type State struct {
	// Base is the text of global, defaults and frontends, Profiles the lines of
	// the profiles by name, which do not change.
	Base     string
	Profiles map[string]string
	// Backends by name.
	Backends map[string]*Backend
	// Tables are the lookup tables: by file, by key.
	Tables map[string]map[string]string
	// Certificates by file.
	Certificates map[string]*template.Certificate
	// Hosts are the lines of the crt-list by the names that they are for, with
	// blanks between them, but for the default certificate's first line.
	Hosts map[string]CrtLine
	// CAs are the destination CA files by path, Lists the allowlists.
	CAs map[string]string
	// CRLs are lists of revoked certificates by path.
	CRLs  map[string]string
	Lists map[string][]string
	// SlotNames is the table of slotnames.go, as a running process has it.
	SlotNames map[string]string
	// Spares is what a running process has for backends that come; nil for states
	// that do not run.
	Spares *Spares
}

// NewState returns an empty state with the given tables.
func NewState(tables []template.Path) *State {
	s := &State{
		Backends: map[string]*Backend{}, Tables: map[string]map[string]string{},
		Certificates: map[string]*template.Certificate{}, Hosts: map[string]CrtLine{},
		CAs: map[string]string{}, CRLs: map[string]string{}, Lists: map[string][]string{},
	}
	for _, t := range tables {
		s.Tables[t.String()] = map[string]string{}
	}
	return s
}

// Clone copies the state as deep as changes go.
func (s *State) Clone() *State {
	c := &State{
		Base: s.Base, Profiles: s.Profiles, Backends: maps.Clone(s.Backends), Tables: make(map[string]map[string]string, len(s.Tables)),
		Certificates: maps.Clone(s.Certificates), Hosts: maps.Clone(s.Hosts), CAs: maps.Clone(s.CAs), CRLs: maps.Clone(s.CRLs), Lists: maps.Clone(s.Lists), SlotNames: maps.Clone(s.SlotNames), Spares: s.Spares.clone(),
	}
	for name, entries := range s.Tables {
		c.Tables[name] = maps.Clone(entries)
	}
	return c
}

// Backend is one backend and its servers, in a fixed order.
type Backend struct {
	Route model.RouteKey
	// Profile is the section of defaults that the backend builds on, Settings
	// the lines of its own, which others may share where Shareable.
	Profile, Settings string
	Shareable         bool
	// CookieKey is what cookies are computed with; it changes while running.
	CookieKey model.Secret
	Servers   []Server
	// Options are those of a server that the backend may get, for slots.
	Options string

	// What is so only in a running process: the name that it has there, where that
	// is another, and whether requests are kept from it for being added half.
	RuntimeName string
	Unpublished bool
}

// Server is one server of a backend as HAProxy knows it.
type Server struct {
	// Name is the endpoint's ID, or the name of a slot (see AssignSlots).
	Name string
	// Endpoint is the ID of the endpoint that the server stands for, "" for a
	// slot that stands for none.
	Endpoint string
	Address  string
	Port     int
	Weight   int
	// Options is the text behind the address, from the one definition.
	Options string
	// Ready is whether the server takes requests; otherwise it is in maintenance.
	Ready bool
	// Down is whether a ready server gets no requests because its health checks
	// fail. No file can say it.
	Down bool
	// Draining servers are in maintenance until their last connection ends.
	Draining bool
}

// placeholder is the address of a slot without an endpoint: the discard port
// of a loopback address that nothing listens on.
const (
	placeholderAddress = "127.255.255.254"
	placeholderPort    = 9
)

// AddressPort joins the server's address and port as HAProxy writes them.
func (s *Server) AddressPort() string {
	if strings.Contains(s.Address, ":") {
		return "[" + s.Address + "]:" + strconv.Itoa(s.Port)
	}
	return s.Address + ":" + strconv.Itoa(s.Port)
}

// line is the server's line in the configuration's file.
func (s *Server) line() string {
	text := "  server " + s.Name + " " + s.AddressPort() + " weight " + strconv.Itoa(s.Weight) + s.Options
	if !s.Ready {
		text += " disabled"
	}
	return text + "\n"
}

// serverOf makes a server that stands for an endpoint under its own ID.
func serverOf(t *template.ServerText) Server {
	return Server{
		Name: t.ID, Endpoint: t.ID, Address: t.Address, Port: t.Port, Weight: t.Weight,
		Options: t.Options, Ready: true,
	}
}

// Equal reports whether two backends are the same but for draining servers,
// which no file mentions.
func (b *Backend) Equal(o *Backend) bool {
	return b.SameSettings(o) && b.Shareable == o.Shareable && b.CookieKey == o.CookieKey && slices.Equal(b.staying(), o.staying())
}

// SameSettings reports whether two backends differ in nothing that only a
// reload can change.
func (b *Backend) SameSettings(o *Backend) bool {
	return b.Profile == o.Profile && b.Settings == o.Settings
}

// HasDown reports whether any server is taken out because its checks fail.
func (b *Backend) HasDown() bool {
	return slices.ContainsFunc(b.Servers, func(s Server) bool { return s.Down })
}

// staying are the servers that are not draining.
func (b *Backend) staying() []Server {
	if !slices.ContainsFunc(b.Servers, func(s Server) bool { return s.Draining }) {
		return b.Servers
	}
	return slices.DeleteFunc(slices.Clone(b.Servers), func(s Server) bool { return s.Draining })
}

// text is the backend's section in the file; shared is the section of defaults
// that has its settings, "" where they are its own.
func (b *Backend) text(name, shared string) string {
	var t strings.Builder
	if shared != "" {
		t.WriteString("backend " + name + " from " + shared + "\n")
	} else {
		t.WriteString("backend " + name + " from " + b.Profile + "\n" + b.Settings)
	}
	if !b.CookieKey.IsEmpty() {
		t.WriteString("  dynamic-cookie-key " + b.CookieKey.Reveal() + "\n")
	}
	for i := range b.Servers {
		if !b.Servers[i].Draining {
			t.WriteString(b.Servers[i].line())
		}
	}
	return t.String()
}

// CAFile is the CA file that the server is verified by, "" for none.
func (s *Server) CAFile() string {
	_, rest, _ := strings.Cut(s.Options, " ca-file ")
	path, _, _ := strings.Cut(rest, " ")
	return path
}

// NamedCAs are the CA files that servers are verified by.
func (s *State) NamedCAs() map[string]bool {
	named, seen := map[string]bool{}, map[string]bool{}
	for _, b := range s.Backends {
		for i := range b.Servers {
			options := b.Servers[i].Options
			if seen[options] {
				continue // Most are like many others.
			}
			seen[options] = true
			if path := b.Servers[i].CAFile(); path != "" {
				named[path] = true
			}
		}
	}
	return named
}
