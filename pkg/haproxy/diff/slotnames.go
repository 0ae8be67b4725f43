package diff

import (
	"maps"
	"strings"

	"router/pkg/haproxy/config"
	"router/pkg/haproxy/runtime"
)

// nameSlots notes which entries of the table of slots' names the slots of a
// backend need.
func (d *differ) nameSlots(backend string, assigned []config.Server) {
	if !d.features.NamedSlots {
		return
	}
	for i := range assigned {
		slot := &assigned[i]
		key := config.SlotKey(slot.Name, d.runtimeName(backend))
		if slot.Endpoint != "" && d.applied.SlotNames[key] != slot.Endpoint {
			d.plan.SlotNames[key] = slot.Endpoint
		}
	}
}

// sendSlotNames puts the commands for the entries that are needed in front of
// all others.
func (d *differ) sendSlotNames() {
	table := d.files.Maps.Slots.String()
	added, set := map[string]string{}, map[string]string{}
	for key, name := range d.plan.SlotNames {
		if _, exists := d.applied.SlotNames[key]; exists {
			set[key] = name
		} else {
			added[key] = name
		}
	}
	var commands []Command
	if len(set) > ReplaceEntries {
		all := maps.Clone(d.applied.SlotNames)
		maps.Copy(all, d.plan.SlotNames)
		commands = append(commands, Command{Kind: "replace map", Replace: ReplaceMap{table, lines(all, asItIs)}, OnSuccess: PutSlotNames(d.plan.SlotNames)})
		added, set = nil, nil
	}
	for _, b := range batches(added, asItIs) {
		commands = append(commands, Command{Kind: "add map", Text: runtime.Payload("add map "+table, b.lines), OnSuccess: PutSlotNames(b.entries)})
	}
	for _, line := range lines(set, asItIs) {
		key, name, _ := strings.Cut(line, " ")
		commands = append(commands, Command{Kind: "set map", Text: "set map " + table + " " + line, OnSuccess: PutSlotNames{key: name}})
	}
	d.plan.Commands = append(commands, d.plan.Commands...)
}
