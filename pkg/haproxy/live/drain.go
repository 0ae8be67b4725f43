package live

import (
	"context"
	"slices"
	"strings"

	"router/pkg/haproxy/config"
	"router/pkg/haproxy/diff"
	"router/pkg/haproxy/runtime"
)

// CollectDrained deletes servers, or frees slots, whose last connection has
// ended, and backends that nobody wants. changes are not sent yet. It reports
// whether any backend was let go of.
func (w *Worker) CollectDrained(ctx context.Context, desired *config.State, changes *config.ChangeSet) (freed bool) {
	if !w.IsDraining() {
		return false
	}
	s, err := w.open(ctx)
	if err != nil {
		return false // The next look comes soon.
	}
	defer s.Close()
	for name := range w.draining {
		if w.Applied.Backends[name] == nil || w.collectServers(ctx, s, name) {
			delete(w.draining, name)
		}
	}
	for name := range w.orphaned {
		if desired.Backends[name] != nil || !changes.Backends[name] && w.collectBackend(ctx, s, name) {
			delete(w.orphaned, name)
			freed = true
		}
	}
	return freed
}

// collectServers reports whether none is left of a backend's draining servers.
func (w *Worker) collectServers(ctx context.Context, s *runtime.Session, name string) bool {
	proxy := w.Applied.RuntimeName(name)
	var busy map[string]bool
	if !w.o.Features.DynamicServers {
		var err error
		if busy, err = s.BusyServers(ctx, proxy); err != nil {
			return false
		}
	}
	done := true
	for _, server := range w.Applied.Backends[name].Servers {
		switch {
		case !server.Draining:
		case w.o.Features.DynamicServers:
			id := proxy + "/" + server.Name
			// Idle connections are not purged by a deletion from 3.3 on.
			_, _ = s.Do(ctx, "wait 1ms srv-removable "+id)
			if _, err := s.Do(ctx, "del server "+id); err != nil && !strings.Contains(err.Error(), "No such server") {
				done = false
				continue
			}
			diff.DropServer{Backend: name, Server: server.Name}.Apply(w.Applied)
		case busy[server.Name]:
			done = false
		default:
			server.Draining = false
			diff.PutServer{Backend: name, Server: server}.Apply(w.Applied)
		}
	}
	return done
}

// collectBackend lets go of a backend that nobody wants: it is deleted where
// that is possible, and a spare one is free again. It reports whether there is
// nothing more to do; a backend of the file's own stays, empty, until the next
// reload.
func (w *Worker) collectBackend(ctx context.Context, s *runtime.Session, name string) bool {
	b := w.Applied.Backends[name]
	switch {
	case b == nil, b.RuntimeName == "" && !w.o.Features.AddBackend:
		return true
	case slices.ContainsFunc(b.Servers, func(s config.Server) bool { return s.Ready || s.Draining }):
		return false // Requests may still be led to it.
	case w.o.Features.AddBackend:
		proxy := w.Applied.RuntimeName(name)
		for _, command := range []string{"unpublish backend " + proxy, "del backend " + proxy} {
			if _, err := s.Do(ctx, command); err != nil && !strings.Contains(err.Error(), "No such backend") {
				return false
			}
			diff.PublishBackend{Backend: name, Unpublished: true}.Apply(w.Applied)
		}
		w.Applied.Spares.Forget(proxy)
	case config.IsSpare(b.RuntimeName):
		w.Applied.Spares.Release(b.SettingsKey(w.o.Features), config.Spare{Proxy: b.RuntimeName, Slots: b.Servers})
	}
	delete(w.Applied.Backends, name)
	return true
}
