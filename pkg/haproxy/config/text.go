package config

import (
	"maps"
	"slices"
	"strings"

	"router/pkg/template"
)

// ConfigText joins the base, what is prepared, and the backends, by name, and
// says at which line of the file each section of backends begins.
func (s *State) ConfigText(f Features) (text string, lines []Section) {
	var b strings.Builder
	line := 1
	write := func(text string, users ...string) {
		lines = append(lines, Section{line, users})
		b.WriteString(text)
		line += strings.Count(text, "\n")
	}
	write(s.Base)
	shared, names := map[string]string{}, s.backendNames()
	for _, section := range s.sections(names, f) {
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

// Section is the first line of a section, and the backends that it is
// about.
type Section struct {
	Line     int
	Backends []string
}

// TableText is the content of a lookup table's file.
func TableText(entries map[string]string) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		b.WriteString(key + " " + entries[key] + "\n")
	}
	return b.String()
}

// File is the content of a file that HAProxy reads.
type File struct {
	Content string
	// Private files hold keys.
	Private bool
}

// Files are all files that say the state, by path.
func (s *State) Files(l template.Layout, f Features) map[string]File {
	text, _ := s.ConfigText(f)
	files := map[string]File{
		l.Config.String():  {Content: text, Private: true},
		l.CrtList.String(): {Content: crtListText(l.DefaultCertificate.String(), s.Hosts)},
	}
	for path, entries := range s.Tables {
		files[path] = File{Content: TableText(entries)}
	}
	if f.NamedSlots {
		files[l.Maps.Slots.String()] = File{Content: TableText(s.slotNames())}
	}
	for path, c := range s.Certificates {
		files[path] = File{Content: c.PEM.Reveal(), Private: true}
	}
	for path, content := range s.CAs {
		files[path] = File{Content: content}
	}
	for path, content := range s.CRLs {
		files[path] = File{Content: content}
	}
	for path, entries := range s.Lists {
		files[path] = File{Content: strings.Join(append(slices.Clone(entries), ""), "\n")}
	}
	return files
}
