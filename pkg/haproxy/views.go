package haproxy

import (
	"context"
	"iter"
	"maps"
	"sync"
	"sync/atomic"

	"router/pkg/haproxy/config"
	"router/pkg/haproxy/runtime"
	"router/pkg/model"
)

// views say what stands for what in the running HAProxy, for metrics and
// reports, which other goroutines make. They are replaced, and never changed.
type views struct {
	// users are the backends that have acquired a spare, by its name.
	users atomic.Pointer[map[string]string]
	// backends are *view by name.
	backends sync.Map
}

// view is what there is of one backend.
type view struct {
	// proxy is its name in the running process.
	proxy string
	// endpoints are by server, servers by endpoint.
	endpoints, servers map[string]string
	// down are endpoints that are taken out because their health checks fail.
	down map[string]bool
}

// publish makes the present state of backends known.
func (v *views) publish(applied *config.State, desired *config.Desired, names iter.Seq[string]) {
	if applied == nil {
		return
	}
	v.publishUsers(applied)
	for name := range names {
		b, want := applied.Backends[name], desired.State.Backends[name]
		if b == nil || want == nil {
			v.backends.Delete(name)
			continue
		}
		now := &view{proxy: applied.RuntimeName(name), endpoints: map[string]string{}, servers: map[string]string{}, down: map[string]bool{}}
		for i := range b.Servers {
			s := &b.Servers[i]
			now.endpoints[s.Name] = s.Endpoint
			if s.Endpoint != "" {
				now.servers[s.Endpoint] = s.Name
			}
		}
		for i := range want.Servers {
			if s := &want.Servers[i]; s.Down {
				now.down[s.Endpoint] = true
			}
		}
		v.backends.Store(name, now)
	}
}

// publishUsers makes known which backends have acquired a spare.
func (v *views) publishUsers(applied *config.State) {
	users := applied.Spares.Users()
	v.users.Store(&users)
}

// publishAll is publish for all backends, when a new worker has them.
func (v *views) publishAll(applied *config.State, desired *config.Desired) {
	v.backends.Range(func(name, _ any) bool {
		if desired.State.Backends[name.(string)] == nil {
			v.backends.Delete(name)
		}
		return true
	})
	v.publish(applied, desired, maps.Keys(desired.State.Backends))
}

func (v *views) of(backend string) *view {
	if found, ok := v.backends.Load(backend); ok {
		return found.(*view)
	}
	return &view{}
}

// BackendOf is the backend that a proxy of the running HAProxy stands for: its
// own name, or for a spare backend that of the route that has taken it, and
// false while none has. It may be called from any goroutine.
func (d *DataPlane) BackendOf(proxy string) (string, bool) {
	users := d.views.users.Load()
	if users == nil || !config.IsSpare(proxy) {
		return proxy, true
	}
	backend, ok := (*users)[proxy]
	return backend, ok
}

// EndpointOf is the ID of the endpoint that a server stands for, "" for a slot
// that stands for none; false where the server is not known. It may be called
// from any goroutine.
func (d *DataPlane) EndpointOf(backend, server string) (id string, ok bool) {
	id, ok = d.views.of(backend).endpoints[server]
	return id, ok
}

// IsDown reports whether an endpoint of a backend is taken out because its
// health checks fail. It may be called from any goroutine.
func (d *DataPlane) IsDown(backend, endpoint string) bool { return d.views.of(backend).down[endpoint] }

// Ask runs a command that only reads on the command socket of the running
// worker. It may be called from any goroutine.
func (d *DataPlane) Ask(ctx context.Context, command string) (string, error) {
	return runtime.Query(ctx, d.opts.Layout.RuntimeSocket.String(), command)
}

// ServerStates are the states of servers in the running HAProxy.
type ServerStates struct {
	views *views
	live  runtime.Servers
}

// ServerStates asks HAProxy, over a connection of its own. It may be called from
// any goroutine. The zero value knows nothing.
func (d *DataPlane) ServerStates(ctx context.Context) (ServerStates, error) {
	s, err := runtime.Open(ctx, d.opts.Layout.RuntimeSocket.String(), d.opts.Dial)
	if err != nil {
		return ServerStates{}, err
	}
	defer s.Close()
	live, err := s.Servers(ctx, "")
	return ServerStates{&d.views, live}, err
}

// Of is the state of the server that stands for an endpoint: "up", "down",
// "maint" or "drain", and "unknown" where HAProxy does not have it.
func (s ServerStates) Of(backend, endpoint string) string {
	if s.views == nil {
		return model.ServerUnknown
	}
	v := s.views.of(backend)
	server, known := s.live[v.proxy][v.servers[endpoint]]
	switch {
	case !known:
		return model.ServerUnknown
	case server.Draining:
		return "drain"
	case !server.Ready:
		return "maint"
	case server.Down:
		return "down"
	}
	return "up"
}
