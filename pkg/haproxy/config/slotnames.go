package config

// Where servers are slots, a table has the name of the endpoint that each
// stands for, so that the access log can print it. A slot gets its entry
// before it takes requests. It keeps it when it is given up: the requests that
// are under way are logged later. Entries of slots that stand for nobody mean
// nothing, and are written over when the slots are used again.

// SlotKey is the key of a slot in the table, as the access log makes it of
// what HAProxy knows: see logNames in pkg/template.
func SlotKey(slot, proxy string) string { return slot + "@" + proxy }

// slotNames are the entries of the slots of all backends.
func (s *State) slotNames() map[string]string {
	names := map[string]string{}
	for backend, b := range s.Backends {
		for i := range b.Servers {
			if e := b.Servers[i].Endpoint; e != "" {
				names[SlotKey(b.Servers[i].Name, s.RuntimeName(backend))] = e
			}
		}
	}
	return names
}
