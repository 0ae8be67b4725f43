package haproxy

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"router/pkg/template"
)

// ca compares a CA file. A listener takes a new content over. A server keeps
// the one that it was made with, as long as it has no certificate of its own
// (HAProxy up to 3.2 at least, whatever "commit ssl ca-file" says); those to
// come would get the new one.
func (d *differ) ca(path string) {
	have, exists := d.applied.CAs[path]
	want, wanted := d.desired.CAs[path]
	if !wanted || exists && have == want {
		return
	}
	if exists && d.trustedByServers(path) {
		d.reload(ReasonServerCA, path)
		return
	}
	if len(want) > maxPayload {
		// No worker loads what no server names: there would be no end of reloads.
		// The first server that does asks for one.
		if exists || !d.features.DynamicServers || path == d.files.ClientCA.String() || d.trustedByServers(path) {
			d.reload(ReasonPayloadTooLarge, path)
		}
		return
	}
	if !exists {
		d.send(Command{Kind: "new ssl ca-file", Text: "new ssl ca-file " + path, benign: "already exists"})
	}
	d.send(Command{Kind: "set ssl ca-file", Text: payload("set ssl ca-file "+path, compactPEM(want))})
	d.send(Command{Kind: "commit ssl ca-file", Text: "commit ssl ca-file " + path, effect: func(s *State) { s.CAs[path] = want }})
}

// lacksCA reports whether a server would be verified by a file that can only
// come by a reload.
func (d *differ) lacksCA(s *Server) (path string, lacks bool) {
	if path = s.caFile(); path == "" {
		return "", false
	}
	_, exists := d.applied.CAs[path]
	return path, !exists && len(d.desired.CAs[path]) > maxPayload
}

// trustedByServers reports whether running servers are verified by the file.
func (d *differ) trustedByServers(path string) bool {
	for _, b := range d.applied.Backends {
		if slices.ContainsFunc(b.Servers, func(s Server) bool { return strings.Contains(s.Options+" ", " ca-file "+path+" ") }) {
			return true
		}
	}
	return false
}

// crl compares a file of revoked certificates. One that the process did not
// load yet comes with the frame that names it.
func (d *differ) crl(path string) {
	have, exists := d.applied.CRLs[path]
	want, wanted := d.desired.CRLs[path]
	if !wanted || !exists || have == want {
		return
	}
	if len(want) > maxPayload {
		d.reload(ReasonPayloadTooLarge, path)
		return
	}
	d.send(Command{Kind: "set ssl crl-file", Text: payload("set ssl crl-file "+path, compactPEM(want))})
	d.send(Command{Kind: "commit ssl crl-file", Text: "commit ssl crl-file " + path, effect: func(s *State) { s.CRLs[path] = want }})
}

// list compares an allowlist. Its entries are replaced in one step, so that
// no client is let in or kept out by a list that is half there.
func (d *differ) list(path string) {
	have, exists := d.applied.Lists[path]
	want, wanted := d.desired.Lists[path]
	if !exists || !wanted || slices.Equal(have, want) {
		return
	}
	d.send(Command{Kind: "replace acl", swap: &swap{kind: "acl", path: path, lines: want}, effect: func(s *State) { s.Lists[path] = want }})
}

// certificate compares a certificate file.
func (d *differ) certificate(path string) {
	have, want := d.applied.Certificates[path], d.desired.Certificates[path]
	switch {
	case want == nil && have == nil, want != nil && have != nil && have.ID == want.ID:
	case want == nil:
		d.remove(Command{Kind: "del ssl cert", Text: "del ssl cert " + path, effect: func(s *State) { delete(s.Certificates, path) }})
	case len(want.PEM.Reveal()) > maxPayload:
		d.reload(ReasonPayloadTooLarge, path)
	default:
		if have == nil {
			d.send(Command{Kind: "new ssl cert", Text: "new ssl cert " + path, benign: "already exists"})
		}
		d.send(Command{Kind: "set ssl cert", Text: payload("set ssl cert "+path, compactPEM(want.PEM.Reveal()))})
		d.send(Command{Kind: "commit ssl cert", Text: "commit ssl cert " + path, effect: func(s *State) { s.Certificates[path] = want }})
	}
}

// swapEntries is how many changes make it cheaper to replace a whole table:
// before 3.0 each "set map" and "del map" walks the table.
const swapEntries = 500

// tables compares lookup tables. An entry whose backend the running process
// does not have stays as it is until the reload that brings the backend.
func (d *differ) tables(keys map[tableKey]bool) {
	sorted := slices.SortedFunc(maps.Keys(keys), func(a, b tableKey) int {
		return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.key, b.key))
	})
	for len(sorted) > 0 {
		table := sorted[0].table
		n := slices.IndexFunc(sorted, func(k tableKey) bool { return k.table != table })
		if n < 0 {
			n = len(sorted)
		}
		d.table(table, sorted[:n])
		sorted = sorted[n:]
	}
}

func (d *differ) table(table string, keys []tableKey) {
	have, want := d.applied.Tables[table], d.desired.Tables[table]
	var add []string
	var set, del []Command
	for _, k := range keys {
		old, exists := have[k.key]
		value, wanted := want[k.key]
		switch {
		case exists == wanted && old == value && !d.isMoved(value):
		case wanted && !d.reachable(value):
		case !wanted:
			del = append(del, Command{Kind: "del map", Text: "del map " + table + " " + escapeWord(k.key), benign: "not found", effect: dropEntry(table, k.key), entries: []tableKey{k}})
		case exists:
			set = append(set, Command{Kind: "set map", Text: "set map " + table + " " + escapeWord(k.key) + " " + escapeWord(d.outward(value)), effect: putEntry(table, k.key, value), entries: []tableKey{k}})
		default:
			add = append(add, k.key)
		}
	}
	if len(set)+len(del) > swapEntries {
		entries := d.reachableEntries(want)
		d.send(Command{Kind: "replace map", swap: &swap{kind: "map", path: table, lines: entriesOf(entries, d.outward)}, effect: func(s *State) { s.Tables[table] = entries }})
		return
	}
	for len(add) > 0 {
		lines, n := entryLines(add, want, d.outward)
		added := add[:n]
		command := Command{Kind: "add map", Text: payload("add map "+table, lines), effect: func(s *State) {
			for _, key := range added {
				s.Tables[table][key] = want[key]
			}
		}}
		for _, key := range added {
			command.entries = append(command.entries, tableKey{table, key})
		}
		d.send(command)
		add = add[n:]
	}
	for _, c := range set {
		d.send(c)
	}
	// In front of the removals below it: certificates and servers go after
	// nothing leads to them.
	d.removals = slices.Insert(d.removals, 0, del...)
}

// reachable reports whether a table's value can be acted on by the running
// process: a verdict, or a backend that it has.
func (d *differ) reachable(value string) bool {
	if strings.HasPrefix(value, "_") || !strings.Contains(value, ":") {
		return true
	}
	backend, _ := template.SplitTarget(value)
	return d.applied.Backends[backend] != nil || d.coming[backend] != nil
}

// isMoved reports whether a value leads to a backend that is another proxy now.
func (d *differ) isMoved(value string) bool {
	if len(d.moved) == 0 {
		return false
	}
	backend, _ := template.SplitTarget(value)
	return d.moved[backend]
}

// outward is State.outward, once the commands before have been sent.
func (d *differ) outward(value string) string {
	backend, _ := template.SplitTarget(value)
	return template.RenamedTarget(value, d.live(backend))
}

func (d *differ) reachableEntries(want map[string]string) map[string]string {
	kept := make(map[string]string, len(want))
	for key, value := range want {
		if d.reachable(value) {
			kept[key] = value
		}
	}
	return kept
}

// entriesOf are the lines of a table, with the values as put makes them.
func entriesOf(entries map[string]string, put func(string) string) []string {
	lines := make([]string, 0, len(entries))
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		lines = append(lines, key+" "+put(entries[key]))
	}
	return lines
}

func putEntry(table, key, value string) func(*State) {
	return func(s *State) { s.Tables[table][key] = value }
}

func dropEntry(table, key string) func(*State) {
	return func(s *State) { delete(s.Tables[table], key) }
}

// entryLines are "key value" lines for as many of keys as fit a payload.
func entryLines(keys []string, values map[string]string, put func(string) string) (lines string, n int) {
	var b strings.Builder
	for _, key := range keys {
		value := put(values[key])
		if b.Len()+len(key)+len(value)+2 > maxPayload && n > 0 {
			break
		}
		b.WriteString(key + " " + value + "\n")
		n++
	}
	return b.String(), n
}

// compactPEM removes empty lines, which would end a payload.
func compactPEM(pem string) string {
	var b strings.Builder
	for line := range strings.Lines(pem) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(strings.TrimRight(line, "\r\n") + "\n")
		}
	}
	return b.String()
}
