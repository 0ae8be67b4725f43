package haproxy

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"router/pkg/template"
)

// ReloadReason says, as a label for logs and metrics, why a change cannot be
// made while running.
type ReloadReason string

// The reasons for a reload.
const (
	ReasonStart           ReloadReason = "start"
	ReasonFrame           ReloadReason = "global-settings"
	ReasonBackendAdded    ReloadReason = "backend-added"
	ReasonBackendSettings ReloadReason = "backend-settings"
	ReasonServerOptions   ReloadReason = "server-options"
	ReasonSlotsExhausted  ReloadReason = "server-slots-exhausted"
	ReasonServerCA        ReloadReason = "destination-ca"
	ReasonPayloadTooLarge ReloadReason = "payload-too-large"
	ReasonCommandFailed   ReloadReason = "command-failed"
)

// Reason is one thing that only a reload can change.
type Reason struct {
	Label ReloadReason
	// Object is the backend or file that it is about, "" for all.
	Object string
}

// Plan is how to get from one state to another: the commands to send now, in
// their order, and the reasons, if any, why a reload has to follow.
type Plan struct {
	Commands []Command
	Reasons  []Reason
	// former are backends that routes have left, see leave.
	former []string
	// slotNames are the entries that the commands bring, see nameSlots.
	slotNames map[string]string
}

// Command is one command for the runtime socket.
type Command struct {
	// Kind is the command's first words, for logs and metrics.
	Kind string
	// Text is what is sent, with its payload. It may hold a private key:
	// never log it.
	Text string
	// swap is set instead of Text where a list is replaced in one step.
	swap *swap
	// line is set instead of Text where a line of the crt-list is replaced.
	line *lineSwap
	// benign is an answer that is no error: the state wanted is there already.
	benign string
	// vital commands keep those behind them back when they are refused.
	vital bool
	// leaves is the backend that a server is taken out of by the command, ""
	// for none.
	leaves string
	// effect changes the applied state as the command changed HAProxy.
	effect func(*State)
	// object is the backend or file that the command is about, entries those of
	// lookup tables.
	object  string
	entries []tableKey
}

// swap replaces the content of a map or an acl: a new version is prepared,
// filled, and made the current one by a commit.
type swap struct {
	kind  string
	path  string
	lines []string
}

// Features are what the running HAProxy can do, found out by asking it.
type Features struct {
	// DynamicServers: servers are added and deleted while running. Needs
	// HAProxy 3.0, see place.
	DynamicServers bool
	// AddBackend: backends are added and deleted while running (3.4).
	AddBackend bool
	// SyncReload: the master answers a reload when it is done (2.7).
	SyncReload bool
	// NamedSlots: the access log finds the names of slots' endpoints in a table.
	// It is so where servers are slots and an access log is configured.
	NamedSlots bool
	// Spares is how many spare backends a file has for each kind of settings,
	// where AddBackend is not possible. It is the administrator's choice.
	Spares int
}

// maxPayload bounds a command's payload, in bytes: before 3.4 a larger one
// does not fit HAProxy's buffer, and 2.6 drops it without a word.
const maxPayload = 14000

// scope is which parts of a state a comparison looks at.
type scope struct {
	frame    bool
	backends map[string]bool
	entries  map[tableKey]bool
	certs    map[string]bool
	hosts    map[string]bool
	cas      map[string]bool
	crls     map[string]bool
	lists    map[string]bool
	// slots are keys of the table of slots' names that were sent, to be read back.
	slots map[string]bool
}

type tableKey struct{ table, key string }

func newScope() *scope {
	return &scope{
		backends: map[string]bool{}, entries: map[tableKey]bool{}, certs: map[string]bool{},
		hosts: map[string]bool{}, cas: map[string]bool{}, crls: map[string]bool{}, lists: map[string]bool{},
		slots: map[string]bool{},
	}
}

func (s *scope) empty() bool {
	return !s.frame && len(s.backends)+len(s.entries)+len(s.certs)+len(s.hosts)+len(s.cas)+len(s.crls)+len(s.lists) == 0
}

// everything is the scope of all that any of the states has.
func everything(states ...*State) *scope {
	s := newScope()
	s.frame = true
	for _, state := range states {
		addKeys(s.backends, state.Backends)
		addKeys(s.certs, state.Certificates)
		addKeys(s.hosts, state.Hosts)
		addKeys(s.cas, state.CAs)
		addKeys(s.crls, state.CRLs)
		addKeys(s.lists, state.Lists)
		for table, entries := range state.Tables {
			for key := range entries {
				s.entries[tableKey{table, key}] = true
			}
		}
	}
	return s
}

func addKeys[V any](set map[string]bool, m map[string]V) {
	for k := range m {
		set[k] = true
	}
}

// diff compares the parts of two states that are in scope. The order of the
// commands is that in which no request goes wrong: what is new comes from the
// server up to the lookup table, what goes from the table down.
func diff(applied, desired *State, in *scope, f Features, files template.Layout) Plan {
	d := &differ{applied: applied, desired: desired, features: f, files: files, coming: map[string]*Backend{}, moved: map[string]bool{}}
	d.plan.slotNames = map[string]string{}
	if in.frame && applied.Frame != desired.Frame {
		d.reload(ReasonFrame, "")
	}
	backends := slices.Sorted(maps.Keys(in.backends))
	for _, path := range slices.Sorted(maps.Keys(in.cas)) {
		d.object = path
		d.ca(path)
	}
	for _, path := range slices.Sorted(maps.Keys(in.crls)) {
		d.object = path
		d.crl(path)
	}
	for _, path := range slices.Sorted(maps.Keys(in.lists)) {
		d.object = path
		d.list(path)
	}
	for _, name := range backends {
		d.object = name
		d.backend(name)
	}
	for _, path := range slices.Sorted(maps.Keys(in.certs)) {
		d.object = path
		d.certificate(path)
	}
	d.hosts(in.hosts)
	d.object = ""
	d.tables(in.entries)
	d.plan.Commands = append(d.plan.Commands, d.removals...)
	d.tellSlotNames()
	return d.plan
}

type differ struct {
	applied, desired *State
	features         Features
	files            template.Layout
	plan             Plan
	// removals are sent last.
	removals []Command
	// object is what commands are about, see Command.
	object string
	// vital is whether requests are led to what is being built.
	vital bool
	// coming are backends that a command adds, moved those that requests must
	// be led to anew.
	coming map[string]*Backend
	moved  map[string]bool
}

func (d *differ) send(c Command) {
	c.vital, c.object = c.vital || d.vital, d.object
	d.plan.Commands = append(d.plan.Commands, c)
}
func (d *differ) remove(c Command) {
	c.object = d.object
	d.removals = append(d.removals, c)
}
func (d *differ) reload(label ReloadReason, object string) {
	d.plan.Reasons = append(d.plan.Reasons, Reason{label, object})
}

// backend compares one backend. One that is not wanted any more loses its
// servers; what becomes of the rest, see reap.
func (d *differ) backend(name string) {
	have, want := d.applied.Backends[name], d.desired.Backends[name]
	switch {
	case want == nil && have == nil:
		return
	case want == nil:
		d.servers(name, have, nil)
		return
	case have == nil:
		if have = d.bring(name, want); have == nil {
			d.reload(ReasonBackendAdded, name)
			return
		}
	case !have.sameSettings(want):
		old := have
		if have = d.bring(name, want); have == nil {
			// Until the reload at least the servers are right.
			d.reload(ReasonBackendSettings, name)
			d.servers(name, old, want.Servers)
			return
		}
		d.leave(name, old)
		d.vital = true
		defer func() { d.vital = false }()
	}
	if key := want.CookieKey; have.CookieKey != key && !key.IsEmpty() {
		d.send(Command{
			Kind: "set dynamic-cookie-key", Text: "set dynamic-cookie-key backend " + d.live(name) + " " + escapeWord(key.Reveal()),
			effect: changeBackend(name, func(b *Backend) { b.CookieKey = key }),
		})
	}
	d.servers(name, have, want.Servers)
	if have.Unpublished {
		d.send(Command{
			Kind: "publish backend", Text: "publish backend " + d.live(name),
			effect: changeBackend(name, func(b *Backend) { b.Unpublished = false }),
		})
	}
}

// bring makes a backend with the wanted settings out of what the running
// process has ready, under its own name where that is free; nil where only a
// reload can. It is the applied one from then on: the commands for it follow.
func (d *differ) bring(name string, want *Backend) *Backend {
	ready, key := d.applied.Ready, want.settings(d.features)
	if ready == nil || !want.Shareable {
		return nil
	}
	b := &Backend{Route: want.Route, Profile: want.Profile, Settings: want.Settings, Shareable: true, Options: want.Options}
	if !d.features.AddBackend {
		free, ok := ready.take(key, name)
		if !ok {
			return nil
		}
		b.Live, b.Servers = free.proxy, free.slots
		d.applied.Backends[name] = b
		return b
	}
	from, ok := ready.sections[key]
	if !ok {
		return nil
	}
	if d.applied.Backends[name] != nil || d.applied.Backends[formerName(name)] != nil {
		b.Live = ready.invent(key, name)
	}
	b.Unpublished = true
	added := *b
	d.send(Command{
		Kind: "add backend", Text: "add backend " + cmp.Or(b.Live, name) + " from " + from, benign: "already used", vital: true,
		effect: func(s *State) { s.Backends[name] = &added },
	})
	// Until the command is sent, only its name is in use.
	d.coming[name] = b
	return b
}

// leave takes the servers out of what a backend was, once nothing leads there
// any more. It goes by another name until it has no connections.
func (d *differ) leave(name string, old *Backend) {
	former := *old
	former.Live = cmp.Or(old.Live, name)
	d.applied.Backends[formerName(former.Live)] = &former
	d.plan.former = append(d.plan.former, formerName(former.Live))
	d.moved[name] = true
	d.servers(formerName(former.Live), &former, nil)
}

// formerName is the name, in states, of a backend that is not a route's any
// more, by its name in the running process.
func formerName(live string) string { return "~" + live }

// live is the backend's name in the running process.
func (d *differ) live(name string) string {
	if b := d.coming[name]; b != nil {
		return cmp.Or(b.Live, name)
	}
	return d.applied.live(name)
}

// servers compares the servers of a backend that exists.
func (d *differ) servers(name string, have *Backend, want []Server) {
	placed, left := place(have.Servers, want, !d.features.DynamicServers)
	if left > 0 {
		d.reload(ReasonSlotsExhausted, name)
	}
	d.nameSlots(name, placed)
	before := make(map[string]*Server, len(have.Servers))
	for i := range have.Servers {
		before[have.Servers[i].Name] = &have.Servers[i]
	}
	for i := range placed {
		now := &placed[i]
		was := before[now.Name]
		switch {
		case was == nil:
			d.addServer(name, now)
		case was.Options != now.Options:
			d.reload(ReasonServerOptions, name)
		default:
			d.changeServer(name, was, now)
		}
	}
}

func (d *differ) addServer(backend string, s *Server) {
	if path, lacks := d.lacksCA(s); lacks {
		d.reload(ReasonPayloadTooLarge, path)
		return
	}
	id := d.live(backend) + "/" + s.Name
	added := *s
	added.Ready, added.Down = false, false
	d.send(Command{
		Kind:   "add server",
		Text:   "add server " + id + " " + s.addressPort() + " weight " + strconv.Itoa(s.Weight) + s.Options,
		effect: putServer(backend, added),
	})
	d.changeServer(backend, &added, s)
}

// changeServer sends what turns was into now; both have the same name and options.
func (d *differ) changeServer(backend string, was, now *Server) {
	id := d.live(backend) + "/" + now.Name
	effect := putServer(backend, *now)
	var ups, downs []Command
	if was.Address != now.Address || was.Port != now.Port {
		if now.Ready || now.Endpoint != "" {
			ups = append(ups, Command{Kind: "set server addr", Text: "set server " + id + " addr " + now.Address + " port " + strconv.Itoa(now.Port), effect: effect})
		}
	}
	if was.Weight != now.Weight {
		ups = append(ups, Command{Kind: "set server weight", Text: "set server " + id + " weight " + strconv.Itoa(now.Weight), effect: effect})
	}
	switch {
	case !was.Ready && now.Ready:
		// HAProxy takes a server for healthy that leaves maintenance.
		ups = append(ups, Command{Kind: "set server state", Text: "set server " + id + " state ready", effect: effect})
	case now.Ready && was.Down && !now.Down:
		ups = append(ups, Command{Kind: "set server health", Text: "set server " + id + " health up", effect: effect})
	case was.Ready && !now.Ready:
		d.remove(Command{Kind: "set server state", Text: "set server " + id + " state maint", leaves: backend, effect: effect})
	}
	if now.Ready && now.Down && !(was.Ready && was.Down) {
		// Behind those that come up, so that requests always have a server.
		downs = append(downs, Command{Kind: "set server health", Text: "set server " + id + " health down", effect: effect})
	}
	if len(ups)+len(downs) == 0 && *was != *now {
		// Only the bookkeeping differs, as when a leaving server is free again.
		effect(d.applied)
	}
	for _, c := range ups {
		d.send(c)
	}
	for _, c := range downs {
		d.remove(c)
	}
}

// changeBackend changes a backend of the applied state, if it is there.
func changeBackend(name string, change func(*Backend)) func(*State) {
	return func(state *State) {
		if state.Backends[name] == nil {
			return // The command that was to add it was refused.
		}
		b := *state.Backends[name]
		change(&b)
		state.Backends[name] = &b
	}
}

// putServer replaces, or adds, a server in a backend of the applied state.
func putServer(backend string, s Server) func(*State) {
	return changeBackend(backend, func(b *Backend) {
		b.Servers = slices.Clone(b.Servers)
		if i := slices.IndexFunc(b.Servers, func(o Server) bool { return o.Name == s.Name }); i >= 0 {
			b.Servers[i] = s
		} else {
			b.Servers = append(b.Servers, s)
		}
	})
}

// dropServer removes a server from a backend of the applied state.
func dropServer(backend, name string) func(*State) {
	return changeBackend(backend, func(b *Backend) {
		b.Servers = slices.DeleteFunc(slices.Clone(b.Servers), func(s Server) bool { return s.Name == name })
	})
}
