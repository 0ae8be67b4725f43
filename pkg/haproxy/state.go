package haproxy

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
	// Frame is the text of global, defaults and frontends, Profiles the lines of
	// the profiles by name, which do not change.
	Frame    string
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
	// Ready is what a running process has for backends that come; nil for states
	// that do not run.
	Ready *pool
}

// newState returns an empty state with the given tables.
func newState(tables []template.Path) *State {
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

// clone copies the state as deep as changes go.
func (s *State) clone() *State {
	c := &State{
		Frame: s.Frame, Profiles: s.Profiles, Backends: maps.Clone(s.Backends), Tables: make(map[string]map[string]string, len(s.Tables)),
		Certificates: maps.Clone(s.Certificates), Hosts: maps.Clone(s.Hosts), CAs: maps.Clone(s.CAs), CRLs: maps.Clone(s.CRLs), Lists: maps.Clone(s.Lists), SlotNames: maps.Clone(s.SlotNames), Ready: s.Ready,
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

	// What is so only in a running process: the spare backend that it has taken,
	// and whether requests are kept from it for being added half.
	Live        string
	Unpublished bool
}

// Server is one server of a backend as HAProxy knows it.
type Server struct {
	// Name is the endpoint's ID, or the name of a slot (see place).
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
	// Leaving servers are in maintenance until their last connection ends.
	Leaving bool
}

// placeholder is the address of a slot without an endpoint: the discard port
// of a loopback address that nothing listens on.
const (
	placeholderAddress = "127.255.255.254"
	placeholderPort    = 9
)

// addressPort joins the server's address and port as HAProxy writes them.
func (s *Server) addressPort() string {
	if strings.Contains(s.Address, ":") {
		return "[" + s.Address + "]:" + strconv.Itoa(s.Port)
	}
	return s.Address + ":" + strconv.Itoa(s.Port)
}

// line is the server's line in the configuration's file.
func (s *Server) line() string {
	text := "  server " + s.Name + " " + s.addressPort() + " weight " + strconv.Itoa(s.Weight) + s.Options
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

// equal reports whether two backends are the same but for leaving servers,
// which no file mentions.
func (b *Backend) equal(o *Backend) bool {
	return b.sameSettings(o) && b.Shareable == o.Shareable && b.CookieKey == o.CookieKey && slices.Equal(b.staying(), o.staying())
}

// sameSettings reports whether two backends differ in nothing that only a
// reload can change.
func (b *Backend) sameSettings(o *Backend) bool {
	return b.Profile == o.Profile && b.Settings == o.Settings
}

// staying are the servers that are not leaving.
func (b *Backend) staying() []Server {
	if !slices.ContainsFunc(b.Servers, func(s Server) bool { return s.Leaving }) {
		return b.Servers
	}
	return slices.DeleteFunc(slices.Clone(b.Servers), func(s Server) bool { return s.Leaving })
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
		if !b.Servers[i].Leaving {
			t.WriteString(b.Servers[i].line())
		}
	}
	return t.String()
}

// caFile is the CA file that the server is verified by, "" for none.
func (s *Server) caFile() string {
	_, rest, _ := strings.Cut(s.Options, " ca-file ")
	path, _, _ := strings.Cut(rest, " ")
	return path
}

// namedCAs are the CA files that servers are verified by.
func (s *State) namedCAs() map[string]bool {
	named, seen := map[string]bool{}, map[string]bool{}
	for _, b := range s.Backends {
		for i := range b.Servers {
			options := b.Servers[i].Options
			if seen[options] {
				continue // Most are like many others.
			}
			seen[options] = true
			if path := b.Servers[i].caFile(); path != "" {
				named[path] = true
			}
		}
	}
	return named
}

// configText joins the frame, what is prepared, and the backends, by name, and
// says at which line of the file each section of backends begins.
func (s *State) configText(f Features) (text string, lines []configSection) {
	var b strings.Builder
	line := 1
	write := func(text string, users ...string) {
		lines = append(lines, configSection{line, users})
		b.WriteString(text)
		line += strings.Count(text, "\n")
	}
	write(s.Frame)
	shared, names := map[string]string{}, s.backendNames()
	for _, section := range s.sectionsOf(names, f) {
		for _, user := range section.users {
			shared[user] = section.name
		}
		write("defaults "+section.name+"\n"+s.Profiles[section.key.profile]+section.key.lines+"\n", section.users...)
		for _, spare := range section.spares {
			b := Backend{}
			if !f.DynamicServers {
				b.Servers = emptySlots(section.key.options)
			}
			write(b.text(spare, section.name))
		}
	}
	for _, name := range names {
		write(s.Backends[name].text(name, shared[name]), name)
	}
	return b.String(), lines
}

// configSection is the first line of a section, and the backends that it is
// about.
type configSection struct {
	line     int
	backends []string
}

// tableText is the content of a lookup table's file.
func tableText(entries map[string]string) string {
	asTheyAre := func(value string) string { return value }
	return strings.Join(append(entriesOf(entries, asTheyAre), ""), "\n")
}
