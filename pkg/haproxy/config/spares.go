package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"router/pkg/template"
)

// A backend that comes while HAProxy runs needs a place. Most routes have the
// same settings as others, so each load prepares for more of the same:
//
//   - Settings that any route has become a section of defaults, which further
//     backends are made from ("add backend", HAProxy 3.4).
//   - Where HAProxy cannot do that, the file has spare backends with the
//     settings that are used most. A route acquires one, under the spare's own
//     name, until the next load gives it its name.
//
// Only what no route has had before waits for a reload.

// SettingsKey tells backends apart that can stand in for one another.
type SettingsKey struct {
	profile, lines string
	// options are those of the slots, where servers are slots.
	options string
}

// SettingsKey is the backend's, as far as its settings matter to others.
func (b *Backend) SettingsKey(f Features) SettingsKey {
	k := SettingsKey{profile: b.Profile, lines: b.Settings}
	if !f.DynamicServers {
		k.options = b.Options
	}
	return k
}

// DefaultSpares is how many spare backends there are for each kind of settings
// unless told otherwise.
const DefaultSpares = 10

// Bounds of what is prepared, and so of what it costs: a section is about 50
// lines, a spare backend 8 kB of memory, and one with slots 50 kB.
const (
	maxShared      = 200
	maxSpareKinds  = 8
	spareNamespace = "_spare" // No namespace has an underscore.
)

// section is a section of defaults that backends share.
type section struct {
	key  SettingsKey
	name string
	// users are the backends with these settings, by name.
	users []string
	// spares are further backends with these settings.
	spares []string
}

// backendNames are the backends in the order of the file.
func (s *State) backendNames() []string { return slices.Sorted(maps.Keys(s.Backends)) }

// sections are what a file with these backends, in their order, prepares,
// those with the most users first. They follow from the backends alone, so that
// each replica prepares the same.
func (s *State) sections(names []string, f Features) []section {
	users := map[SettingsKey][]string{}
	for _, name := range names {
		if b := s.Backends[name]; b.Shareable {
			key := b.SettingsKey(f)
			users[key] = append(users[key], name)
		}
	}
	list := make([]section, 0, len(users))
	for key, names := range users {
		list = append(list, section{key: key, name: key.name(), users: names})
	}
	slices.SortFunc(list, func(a, b section) int {
		return cmp.Or(cmp.Compare(len(b.users), len(a.users)), cmp.Compare(a.name, b.name))
	})
	list = list[:min(len(list), maxShared)]
	if f.AddBackend {
		return list
	}
	for i := range list[:min(len(list), maxSpareKinds)] {
		for n := range f.Spares {
			list[i].spares = append(list[i].spares, spareName(list[i].users[0], list[i].name, n+1))
		}
	}
	return list
}

// name is that of the section.
func (k SettingsKey) name() string {
	sum := sha256.Sum256([]byte(k.profile + "\x00" + k.lines + "\x00" + k.options))
	return k.profile + "-" + hex.EncodeToString(sum[:6])
}

// spareName is a name for the n-th backend that stands in for others like the
// given one, whose prefix tells protocols apart.
func spareName(like, section string, n int) string {
	prefix, _, _ := strings.Cut(like, ":")
	return fmt.Sprintf("%s:%s:%s-%d", prefix, spareNamespace, section, n)
}

// IsSpare reports whether a proxy is not named for a route.
func IsSpare(proxy string) bool { return strings.Contains(proxy, ":"+spareNamespace+":") }

// Spares is what a running HAProxy has ready for backends that come.
type Spares struct {
	// sections has the loaded sections, free the backends that nobody has.
	sections map[SettingsKey]string
	free     map[SettingsKey][]Spare
	// taken has who uses a spare: by its name, the backend's. invented counts
	// the names that were made up.
	taken    map[string]string
	invented int
}

// Spare is a backend that is free, with its slots as they were left.
type Spare struct {
	Proxy string
	Slots []Server
}

// NewSpares are those of a process that has just loaded the files of a state.
func NewSpares(s *State, f Features) *Spares {
	p := &Spares{sections: map[SettingsKey]string{}, free: map[SettingsKey][]Spare{}, taken: map[string]string{}}
	for _, section := range s.sections(s.backendNames(), f) {
		p.sections[section.key] = section.name
		for _, proxy := range section.spares {
			free := Spare{Proxy: proxy}
			if !f.DynamicServers {
				free.Slots = emptySlots(section.key.options)
			}
			p.free[section.key] = append(p.free[section.key], free)
		}
	}
	return p
}

func (p *Spares) clone() *Spares {
	if p == nil {
		return nil
	}
	return &Spares{sections: p.sections, free: maps.Clone(p.free), taken: maps.Clone(p.taken), invented: p.invented}
}

// Section is the loaded section with these settings.
func (p *Spares) Section(k SettingsKey) (name string, ok bool) {
	name, ok = p.sections[k]
	return name, ok
}

// Free is the spare with these settings behind the next n, if there is one.
func (p *Spares) Free(k SettingsKey, n int) (Spare, bool) {
	if free := p.free[k]; n < len(free) {
		return free[n], true
	}
	return Spare{}, false
}

// Acquire notes that a backend uses a spare, or a new name.
func (p *Spares) Acquire(k SettingsKey, proxy, backend string) {
	p.taken[proxy] = backend
	free := p.free[k]
	i := slices.IndexFunc(free, func(s Spare) bool { return s.Proxy == proxy })
	if i < 0 {
		p.invented++
		return
	}
	p.free[k] = slices.Concat(free[:i], free[i+1:])
}

// Release takes a spare back.
func (p *Spares) Release(k SettingsKey, s Spare) {
	delete(p.taken, s.Proxy)
	p.free[k] = append(slices.Clip(p.free[k]), s)
}

// Forget drops a name that was made up.
func (p *Spares) Forget(proxy string) { delete(p.taken, proxy) }

// Users are the backends that have acquired a spare, by its name.
func (p *Spares) Users() map[string]string { return maps.Clone(p.taken) }

// retiredPrefix marks, in states, what a route's backend was before its settings
// changed. It stays until it has no connections.
const retiredPrefix = "~"

// RetiredName is the name, in states, of a backend that is not a route's any
// more, by its name in the running process.
func RetiredName(proxy string) string { return retiredPrefix + proxy }

// NewName is a name for a backend that is added while its own is in use, with
// its number among the names that were made up since the last one was acquired;
// after is that of the one before. HAProxy may have a backend by such a name
// that nobody acquired, because its answer was lost.
func (s *State) NewName(k SettingsKey, backend string, after int) (name string, number int) {
	p := s.Spares
	for number = after + 1; ; number++ {
		name = spareName(backend, p.sections[k], p.invented+number)
		if p.taken[name] == "" && s.Backends[RetiredName(name)] == nil {
			return name, number
		}
	}
}

// RuntimeName is the name that a backend has in the running process.
func (s *State) RuntimeName(name string) string {
	if b := s.Backends[name]; b != nil && b.RuntimeName != "" {
		return b.RuntimeName
	}
	return name
}

// ToRuntime is a lookup value as the running process has it: with the name
// that the backend has there.
func (s *State) ToRuntime(value string) string {
	backend, _ := template.SplitTarget(value)
	return template.RenamedTarget(value, s.RuntimeName(backend))
}

// FromRuntime is the value that ToRuntime makes the given one of. One that
// leads to what a backend was once is nothing that is ever wanted.
func (s *State) FromRuntime(value string) string {
	proxy, _ := template.SplitTarget(value)
	backend := proxy
	if IsSpare(proxy) {
		if s.Spares == nil || s.Spares.taken[proxy] == "" {
			return value
		}
		backend = s.Spares.taken[proxy]
	}
	own, ok := template.OwnTarget(value, backend)
	if b := s.Backends[backend]; !ok || b != nil && s.RuntimeName(backend) != proxy {
		return retiredPrefix + value
	}
	return own
}
