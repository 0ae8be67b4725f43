package haproxy

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// Where servers are slots, a table has the name of the endpoint that each
// stands for, so that the access log can print it. A slot gets its entry
// before it takes requests. It keeps it when it is given up: the requests that
// are under way are logged later. Entries of slots that stand for nobody mean
// nothing, and are written over when the slots are used again.

// slotKey is the key of a slot in the table, as the access log makes it of
// what HAProxy knows: see logNames in pkg/template.
func slotKey(slot, proxy string) string { return slot + "@" + proxy }

// slotNames yields the entries of the slots of all backends, in the order of
// the file.
func (s *State) slotNames() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, backend := range s.backendNames() {
			servers := s.Backends[backend].Servers
			for i := range servers {
				if e := servers[i].Endpoint; e != "" && !yield(slotKey(servers[i].Name, s.live(backend)), e) {
					return
				}
			}
		}
	}
}

// nameSlots notes which entries the placed slots of a backend need.
func (d *differ) nameSlots(backend string, placed []Server) {
	if !d.features.NamedSlots {
		return
	}
	for i := range placed {
		slot := &placed[i]
		key := slotKey(slot.Name, d.live(backend))
		if slot.Endpoint != "" && d.applied.SlotNames[key] != slot.Endpoint {
			d.plan.slotNames[key] = slot.Endpoint
		}
	}
}

// tellSlotNames puts the commands for the entries that are needed in front of
// all others.
func (d *differ) tellSlotNames() {
	names, table := d.plan.slotNames, d.files.Maps.Slots.String()
	if len(names) == 0 {
		return
	}
	var add, set []string
	for _, key := range slices.Sorted(maps.Keys(names)) {
		if _, exists := d.applied.SlotNames[key]; exists {
			set = append(set, key)
		} else {
			add = append(add, key)
		}
	}
	effect := func(keys ...string) func(*State) {
		return func(s *State) {
			for _, key := range keys {
				s.SlotNames[key] = names[key]
			}
		}
	}
	asTheyAre := func(name string) string { return name }
	var commands []Command
	if len(set) > swapEntries {
		all := maps.Clone(d.applied.SlotNames)
		maps.Copy(all, names)
		commands = []Command{{Kind: "replace map", swap: &swap{kind: "map", path: table, lines: entriesOf(all, asTheyAre)}, effect: effect(append(add, set...)...)}}
		add, set = nil, nil
	}
	for len(add) > 0 {
		lines, n := entryLines(add, names, asTheyAre)
		commands = append(commands, Command{Kind: "add map", Text: payload("add map "+table, lines), effect: effect(add[:n]...)})
		add = add[n:]
	}
	for _, key := range set {
		commands = append(commands, Command{Kind: "set map", Text: "set map " + table + " " + key + " " + names[key], effect: effect(key)})
	}
	d.plan.Commands = append(commands, d.plan.Commands...)
}

// readBackSlotNames looks entries up that have been sent.
func (d *DataPlane) readBackSlotNames(ctx context.Context, s *session, keys map[string]bool) error {
	table := d.files.Maps.Slots.String()
	if len(keys) > swapEntries {
		live, err := showTable(ctx, s, table)
		if err != nil {
			return err
		}
		for key := range keys {
			if live[key] != d.applied.SlotNames[key] {
				return fmt.Errorf("%w: entry %s of %s", errDrift, key, table)
			}
		}
		return nil
	}
	for key := range keys {
		answer, err := s.do(ctx, "get map "+table+" "+key)
		if err != nil {
			return err
		}
		if !strings.Contains(answer, `value="`+d.applied.SlotNames[key]+`"`) {
			return fmt.Errorf("%w: entry %s of %s", errDrift, key, table)
		}
	}
	return nil
}

// refreshSlotNames reads the table into the live state.
func (d *DataPlane) refreshSlotNames(ctx context.Context, s *session, live *State) (err error) {
	if d.features.NamedSlots {
		live.SlotNames, err = showTable(ctx, s, d.files.Maps.Slots.String())
	}
	return err
}

// persistSlotNames writes the table, for the next load.
func (d *DataPlane) persistSlotNames() error {
	if !d.features.NamedSlots {
		return nil
	}
	var text strings.Builder
	for key, name := range d.disk.state.slotNames() {
		text.WriteString(key + " " + name + "\n")
	}
	return d.disk.write(d.files.Maps.Slots.String(), text.String(), publicFile)
}
