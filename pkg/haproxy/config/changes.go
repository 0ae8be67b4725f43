package config

import "maps"

// ChangeSet names the parts of a state that may differ from another's.
type ChangeSet struct {
	Base     bool
	Backends map[string]bool
	Entries  map[TableKey]bool
	// Certificates, CAs, CRLs and Lists are paths, Hosts names in the crt-list.
	Certificates, CAs, CRLs, Lists, Hosts map[string]bool
}

// TableKey is the key of an entry of a lookup table.
type TableKey struct{ Table, Key string }

// NewChangeSet returns an empty one.
func NewChangeSet() *ChangeSet {
	return &ChangeSet{
		Backends: map[string]bool{}, Entries: map[TableKey]bool{}, Certificates: map[string]bool{},
		CAs: map[string]bool{}, CRLs: map[string]bool{}, Lists: map[string]bool{}, Hosts: map[string]bool{},
	}
}

// IsEmpty reports whether nothing differs.
func (c *ChangeSet) IsEmpty() bool {
	return !c.Base && len(c.Backends)+len(c.Entries)+len(c.Certificates)+len(c.CAs)+len(c.CRLs)+len(c.Lists)+len(c.Hosts) == 0
}

// Merge adds what another one has.
func (c *ChangeSet) Merge(o *ChangeSet) {
	c.Base = c.Base || o.Base
	maps.Copy(c.Entries, o.Entries)
	for _, sets := range [][2]map[string]bool{
		{c.Backends, o.Backends}, {c.Certificates, o.Certificates}, {c.CAs, o.CAs}, {c.CRLs, o.CRLs}, {c.Lists, o.Lists}, {c.Hosts, o.Hosts},
	} {
		maps.Copy(sets[0], sets[1])
	}
}

// FullChangeSet is all that any of the states has.
func FullChangeSet(states ...*State) *ChangeSet {
	c := NewChangeSet()
	c.Base = true
	for _, s := range states {
		addKeys(c.Backends, s.Backends)
		addKeys(c.Certificates, s.Certificates)
		addKeys(c.Hosts, s.Hosts)
		addKeys(c.CAs, s.CAs)
		addKeys(c.CRLs, s.CRLs)
		addKeys(c.Lists, s.Lists)
		for table, entries := range s.Tables {
			for key := range entries {
				c.Entries[TableKey{table, key}] = true
			}
		}
	}
	return c
}

func addKeys[V any](set map[string]bool, m map[string]V) {
	for k := range m {
		set[k] = true
	}
}
