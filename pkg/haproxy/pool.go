package haproxy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"router/pkg/template"
)

// A backend that comes while HAProxy runs needs a place. Most routes have the
// same settings as others, so each load prepares for more of the same:
//
//   - Settings that any route has become a section of defaults, which further
//     backends are made from ("add backend", HAProxy 3.4).
//   - Where HAProxy cannot do that, the file has spare backends with the
//     settings that are used most. A route takes one, under the spare's own
//     name, until the next load gives it its name.
//
// Only what no route has had before waits for a reload.

// settingsKey tells backends apart that can stand in for one another.
type settingsKey struct {
	profile, lines string
	// options are those of the slots, where servers are slots.
	options string
}

// settings of the backend, as far as they matter to others.
func (b *Backend) settings(f Features) settingsKey {
	k := settingsKey{profile: b.Profile, lines: b.Settings}
	if !f.DynamicServers {
		k.options = b.Options
	}
	return k
}

// Bounds of what is prepared, and so of what it costs: a section is about 50
// lines, a spare backend 8 kB of memory, and one with slots 50 kB.
const (
	maxShared      = 200
	sparesOf       = 10
	maxSpareKinds  = 8
	spareNamespace = "_spare" // No namespace has an underscore.
)

// section is a section of defaults that backends share.
type section struct {
	key  settingsKey
	name string
	// users are the backends with these settings, by name.
	users []string
	// spares are further backends with these settings.
	spares []string
}

// sections are what a file with these backends prepares, those with the most
// users first. They follow from the backends alone, so that each replica
// prepares the same.
func (s *State) sections(f Features) []section { return s.sectionsOf(s.backendNames(), f) }

// backendNames are the backends in the order of the file.
func (s *State) backendNames() []string { return slices.Sorted(maps.Keys(s.Backends)) }

// sectionsOf is sections, for all names in their order.
func (s *State) sectionsOf(names []string, f Features) []section {
	users := map[settingsKey][]string{}
	for _, name := range names {
		if b := s.Backends[name]; b.Shareable {
			key := b.settings(f)
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
		// The prefix, which tells protocols apart, is that of a user's name.
		prefix, _, _ := strings.Cut(list[i].users[0], ":")
		for n := range f.Spares {
			list[i].spares = append(list[i].spares, spareName(prefix, list[i].name, n+1))
		}
	}
	return list
}

// name is that of the section.
func (k settingsKey) name() string {
	sum := sha256.Sum256([]byte(k.profile + "\x00" + k.lines + "\x00" + k.options))
	return k.profile + "-" + hex.EncodeToString(sum[:6])
}

// pool is what a running HAProxy has ready for backends that come.
type pool struct {
	// sections has the loaded sections, spares the backends that are free.
	sections map[settingsKey]string
	spares   map[settingsKey][]spare

	mu sync.Mutex
	// taken has who uses a spare: by its name, the backend's. invented counts
	// the names that were made up.
	taken    map[string]string
	invented int
}

// spare is a backend that is free, with its slots as they were left.
type spare struct {
	proxy string
	slots []Server
}

// newPool is the pool of a process that has just loaded the sections; slots is
// whether its servers are slots.
func newPool(list []section, slots bool) *pool {
	p := &pool{sections: map[settingsKey]string{}, spares: map[settingsKey][]spare{}, taken: map[string]string{}}
	for _, s := range list {
		p.sections[s.key] = s.name
		for _, proxy := range s.spares {
			free := spare{proxy: proxy}
			if slots {
				free.slots = emptySlots(s.key.options)
			}
			p.spares[s.key] = append(p.spares[s.key], free)
		}
	}
	return p
}

// take gives a free spare to a backend; false if there is none.
func (p *pool) take(key settingsKey, backend string) (spare, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	free := p.spares[key]
	if len(free) == 0 {
		return spare{}, false
	}
	p.spares[key] = free[1:]
	p.taken[free[0].proxy] = backend
	return free[0], true
}

// invent makes up the name of a backend that is added while its own is in use.
func (p *pool) invent(key settingsKey, backend string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.invented++
	prefix, _, _ := strings.Cut(backend, ":")
	name := spareName(prefix, p.sections[key], p.invented)
	p.taken[name] = backend
	return name
}

func spareName(prefix, section string, n int) string {
	return fmt.Sprintf("%s:%s:%s-%d", prefix, spareNamespace, section, n)
}

// forget drops a name that was made up.
func (p *pool) forget(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.taken, name)
}

// give takes a spare back.
func (p *pool) give(key settingsKey, free spare) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.taken, free.proxy)
	p.spares[key] = append(slices.Clone(p.spares[key]), free)
}

// isSpare reports whether a proxy is not named for a route.
func isSpare(proxy string) bool { return strings.Contains(proxy, ":"+spareNamespace+":") }

// user is the backend that a proxy stands for; false for a spare that is free.
func (p *pool) user(proxy string) (string, bool) {
	if !isSpare(proxy) {
		return proxy, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	backend, ok := p.taken[proxy]
	return backend, ok
}

// BackendOf is the backend that a proxy of the running HAProxy stands for: its
// own name, or for a spare backend that of the route that has taken it, and
// false while none has. It may be called from any goroutine.
func (d *DataPlane) BackendOf(proxy string) (string, bool) {
	p := d.ready.Load()
	if p == nil {
		return proxy, true
	}
	return p.user(proxy)
}

// live is the name that a backend has in the running process.
func (s *State) live(name string) string {
	if b := s.Backends[name]; b != nil && b.Live != "" {
		return b.Live
	}
	return name
}

// outward is a lookup value as the running process has it: with the name that
// the backend has there.
func (s *State) outward(value string) string {
	backend, _ := template.SplitTarget(value)
	return template.RenamedTarget(value, s.live(backend))
}

// inward is the value that outward makes the given one of. One that leads to
// what a backend was once is nothing that is ever wanted.
func (s *State) inward(value string) string {
	if s.Ready == nil {
		return value
	}
	proxy, _ := template.SplitTarget(value)
	backend, ok := s.Ready.user(proxy)
	if !ok {
		return value
	}
	own, ok := template.OwnTarget(value, backend)
	if b := s.Backends[backend]; !ok || b != nil && s.live(backend) != proxy {
		return formerName(value)
	}
	return own
}
