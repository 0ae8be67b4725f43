package diff

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"router/pkg/haproxy/config"
	"router/pkg/haproxy/runtime"
	"router/pkg/template"
)

// Diff compares the parts of two states that have changed. The order of the
// commands is that in which no request goes wrong: what is new comes from the
// server up to the lookup table, what goes from the table down.
func Diff(applied, desired *config.State, changes *config.ChangeSet, f config.Features, files template.Layout) Plan {
	d := &differ{
		applied: applied, desired: desired, features: f, files: files,
		coming: map[string]*config.Backend{}, moved: map[string]bool{}, proposed: map[config.SettingsKey]int{},
	}
	d.plan.SlotNames = map[string]string{}
	if changes.Base && applied.Base != desired.Base {
		d.reload(ReasonBase, "")
	}
	d.each(changes.CAs, d.ca)
	d.each(changes.CRLs, d.crl)
	d.each(changes.Lists, d.list)
	d.each(changes.Backends, d.backend)
	d.each(changes.Certificates, d.certificate)
	d.crtList(changes.Hosts)
	d.object = ""
	d.tables(changes.Entries)
	d.plan.Commands = append(d.plan.Commands, d.removals...)
	d.sendSlotNames()
	return d.plan
}

// differ makes one plan. It changes neither state.
type differ struct {
	applied, desired *config.State
	features         config.Features
	files            template.Layout
	plan             Plan
	// removals are sent last.
	removals []Command
	// object is what commands are about, see Command.
	object string
	// stopOnError is whether requests are led to what is being built.
	stopOnError bool
	// coming are backends that the plan adds, moved those that requests must be
	// led to anew.
	coming map[string]*config.Backend
	moved  map[string]bool
	// proposed counts the spares that the plan acquires, named is the number of
	// the last new name.
	proposed map[config.SettingsKey]int
	named    int
}

// each compares objects one by one, in a fixed order.
func (d *differ) each(objects map[string]bool, compare func(string)) {
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		d.object = name
		compare(name)
	}
}

func (d *differ) send(c Command) {
	c.StopOnError, c.Object = c.StopOnError || d.stopOnError, d.object
	d.plan.Commands = append(d.plan.Commands, c)
}
func (d *differ) remove(c Command) {
	c.Object = d.object
	d.removals = append(d.removals, c)
}
func (d *differ) reload(label ReloadReason, object string) {
	d.plan.Reasons = append(d.plan.Reasons, Reason{label, object})
}

// backend compares one backend. One that is not wanted any more loses its
// servers; what is left of it goes when its last connection has ended.
func (d *differ) backend(name string) {
	have, want := d.applied.Backends[name], d.desired.Backends[name]
	switch {
	case want == nil && have == nil:
		return
	case want == nil:
		d.servers(name, have, nil)
		return
	case have == nil:
		if have = d.addBackend(name, want); have == nil {
			d.reload(ReasonBackendAdded, name)
			return
		}
	case !have.SameSettings(want):
		old := have
		if have = d.addBackend(name, want); have == nil {
			// Until the reload at least the servers are right.
			d.reload(ReasonBackendSettings, name)
			d.servers(name, old, want.Servers)
			return
		}
		d.retireBackend(name, old)
		d.stopOnError = true
		defer func() { d.stopOnError = false }()
	}
	if key := want.CookieKey; have.CookieKey != key && !key.IsEmpty() {
		d.send(Command{
			Kind: "set dynamic-cookie-key", Text: "set dynamic-cookie-key backend " + d.runtimeName(name) + " " + runtime.EscapeWord(key.Reveal()),
			OnSuccess: SetCookieKey{name, key},
		})
	}
	d.servers(name, have, want.Servers)
	if have.Unpublished {
		d.send(Command{Kind: "publish backend", Text: "publish backend " + d.runtimeName(name), OnSuccess: PublishBackend{Backend: name}})
	}
}

// addBackend makes a backend with the wanted settings out of what the running
// process has ready, under its own name where that is free; nil where only a
// reload can. The commands behind find it there.
func (d *differ) addBackend(name string, want *config.Backend) *config.Backend {
	spares, key := d.applied.Spares, want.SettingsKey(d.features)
	if spares == nil || !want.Shareable {
		return nil
	}
	b := &config.Backend{Route: want.Route, Profile: want.Profile, Settings: want.Settings, Shareable: true, Options: want.Options}
	if !d.features.AddBackend {
		free, ok := spares.Free(key, d.proposed[key])
		if !ok {
			return nil
		}
		d.proposed[key]++
		b.RuntimeName, b.Servers = free.Proxy, free.Slots
		d.send(Command{OnSuccess: PutBackend{name, *b, key}})
		d.coming[name] = b
		return b
	}
	section, ok := spares.Section(key)
	if !ok {
		return nil
	}
	if d.applied.Backends[name] != nil || d.applied.Backends[config.RetiredName(name)] != nil {
		b.RuntimeName, d.named = d.applied.NewName(key, name, d.named)
	}
	b.Unpublished = true
	d.send(Command{
		Kind: "add backend", Text: "add backend " + cmp.Or(b.RuntimeName, name) + " from " + section, OKAnswer: "already used", StopOnError: true,
		OnSuccess: PutBackend{name, *b, key},
	})
	d.coming[name] = b
	return b
}

// retireBackend takes the servers out of what a backend was, once nothing leads
// there any more. It goes by another name until it has no connections.
func (d *differ) retireBackend(name string, old *config.Backend) {
	former := *old
	former.RuntimeName = cmp.Or(old.RuntimeName, name)
	retired := config.RetiredName(former.RuntimeName)
	d.send(Command{OnSuccess: RetireBackend{retired, former}})
	d.coming[retired] = &former
	d.moved[name] = true
	d.servers(retired, &former, nil)
}

// runtimeName is the backend's name in the running process.
func (d *differ) runtimeName(name string) string {
	if b := d.coming[name]; b != nil {
		return cmp.Or(b.RuntimeName, name)
	}
	return d.applied.RuntimeName(name)
}

// servers compares the servers of a backend that exists.
func (d *differ) servers(name string, have *config.Backend, want []config.Server) {
	assigned, left := config.AssignSlots(have.Servers, want, !d.features.DynamicServers)
	if left > 0 {
		d.reload(ReasonSlotsExhausted, name)
	}
	d.nameSlots(name, assigned)
	before := make(map[string]*config.Server, len(have.Servers))
	for i := range have.Servers {
		before[have.Servers[i].Name] = &have.Servers[i]
	}
	for i := range assigned {
		now := &assigned[i]
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

func (d *differ) addServer(backend string, s *config.Server) {
	if path, lacks := d.lacksCA(s); lacks {
		d.reload(ReasonPayloadTooLarge, path)
		return
	}
	added := *s
	added.Ready, added.Down = false, false
	d.send(Command{
		Kind:      "add server",
		Text:      "add server " + d.runtimeName(backend) + "/" + s.Name + " " + s.AddressPort() + " weight " + strconv.Itoa(s.Weight) + s.Options,
		OnSuccess: PutServer{backend, added},
	})
	d.changeServer(backend, &added, s)
}

// changeServer sends what turns was into now; both have the same name and options.
func (d *differ) changeServer(backend string, was, now *config.Server) {
	target := "set server " + d.runtimeName(backend) + "/" + now.Name
	sent := false
	command := func(kind, argument string) Command {
		sent = true
		return Command{Kind: "set server " + kind, Text: target + " " + kind + " " + argument, OnSuccess: PutServer{backend, *now}}
	}
	if (was.Address != now.Address || was.Port != now.Port) && (now.Ready || now.Endpoint != "") {
		d.send(command("addr", now.Address+" port "+strconv.Itoa(now.Port)))
	}
	if was.Weight != now.Weight {
		d.send(command("weight", strconv.Itoa(now.Weight)))
	}
	switch {
	case !was.Ready && now.Ready:
		// HAProxy takes a server for healthy that leaves maintenance.
		d.send(command("state", "ready"))
	case now.Ready && was.Down && !now.Down:
		d.send(command("health", "up"))
	case was.Ready && !now.Ready:
		maintenance := command("state", "maint")
		maintenance.DrainsBackend = backend
		d.remove(maintenance)
	}
	if now.Ready && now.Down && !(was.Ready && was.Down) {
		// Behind those that come up, so that requests always have a server.
		d.remove(command("health", "down"))
	}
	if !sent && *was != *now {
		// Only the bookkeeping differs, as when a draining server is free again.
		d.send(Command{OnSuccess: PutServer{backend, *now}})
	}
}
