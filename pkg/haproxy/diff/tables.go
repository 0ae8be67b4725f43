package diff

import (
	"maps"
	"slices"
	"strings"

	"router/pkg/haproxy/config"
	"router/pkg/haproxy/runtime"
	"router/pkg/template"
)

// ReplaceEntries is how many changes make it cheaper to replace a whole table:
// before 3.0 each "set map" and "del map" walks the table.
const ReplaceEntries = 500

// tables compares lookup tables. An entry whose backend the running process
// does not have stays as it is until the reload that brings the backend.
func (d *differ) tables(keys map[config.TableKey]bool) {
	byTable := map[string][]string{}
	for k := range keys {
		byTable[k.Table] = append(byTable[k.Table], k.Key)
	}
	for _, table := range slices.Sorted(maps.Keys(byTable)) {
		slices.Sort(byTable[table])
		d.table(table, byTable[table])
	}
}

func (d *differ) table(table string, keys []string) {
	have, want := d.applied.Tables[table], d.desired.Tables[table]
	added := map[string]string{}
	var set, del []Command
	for _, key := range keys {
		old, exists := have[key]
		value, wanted := want[key]
		entry := []config.TableKey{{Table: table, Key: key}}
		switch {
		case exists == wanted && old == value && !d.isMoved(value):
		case wanted && !d.isReachable(value):
		case !wanted:
			del = append(del, Command{
				Kind: "del map", Text: "del map " + table + " " + runtime.EscapeWord(key),
				OKAnswer: "not found", OnSuccess: DropEntry{table, key}, Entries: entry,
			})
		case exists:
			set = append(set, Command{
				Kind: "set map", Text: "set map " + table + " " + runtime.EscapeWord(key) + " " + runtime.EscapeWord(d.toRuntime(value)),
				OnSuccess: PutEntries{table, map[string]string{key: value}}, Entries: entry,
			})
		default:
			added[key] = value
		}
	}
	if len(set)+len(del) > ReplaceEntries {
		entries := maps.Clone(want)
		maps.DeleteFunc(entries, func(_, value string) bool { return !d.isReachable(value) })
		d.send(Command{Kind: "replace map", Replace: ReplaceMap{table, lines(entries, d.toRuntime)}, OnSuccess: PutTable{table, entries}})
		return
	}
	for _, batch := range batches(added, d.toRuntime) {
		c := Command{Kind: "add map", Text: runtime.Payload("add map "+table, batch.lines), OnSuccess: PutEntries{table, batch.entries}}
		for _, key := range slices.Sorted(maps.Keys(batch.entries)) {
			c.Entries = append(c.Entries, config.TableKey{Table: table, Key: key})
		}
		d.send(c)
	}
	for _, c := range set {
		d.send(c)
	}
	// In front of the removals below it: certificates and servers go after
	// nothing leads to them.
	d.removals = slices.Insert(d.removals, 0, del...)
}

// isReachable reports whether a table's value can be acted on by the running
// process: one that is no backend, or a backend that it has.
func (d *differ) isReachable(value string) bool {
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

// toRuntime is State.ToRuntime, once the commands before have been sent.
func (d *differ) toRuntime(value string) string {
	backend, _ := template.SplitTarget(value)
	return template.RenamedTarget(value, d.runtimeName(backend))
}

// asItIs is for values that mean the same everywhere.
func asItIs(value string) string { return value }

// lines are the lines of a table, with the values as put makes them.
func lines(entries map[string]string, put func(string) string) []string {
	list := make([]string, 0, len(entries))
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		list = append(list, key+" "+put(entries[key]))
	}
	return list
}

// batch is as many entries as fit a payload.
type batch struct {
	lines   string
	entries map[string]string
}

// batches are entries by what fits a payload, with the values as put makes them.
func batches(entries map[string]string, put func(string) string) []batch {
	var list []batch
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		line := key + " " + put(entries[key]) + "\n"
		if len(list) == 0 || len(list[len(list)-1].lines)+len(line) > runtime.MaxPayload {
			list = append(list, batch{entries: map[string]string{}})
		}
		b := &list[len(list)-1]
		b.lines += line
		b.entries[key] = entries[key]
	}
	return list
}
