package live

import (
	"context"

	"router/pkg/haproxy/config"
	"router/pkg/haproxy/diff"
	"router/pkg/haproxy/runtime"
	"router/pkg/template"
)

// Options are what a Worker needs.
type Options struct {
	Layout   template.Layout
	Features config.Features
	// Dial connects to the command socket; nil for a unix socket.
	Dial runtime.Dialer
	// Sent is told of each command, by its kind, and whether HAProxy took it.
	Sent func(kind string, ok bool)
}

// Worker is the running worker. Its methods are for one goroutine.
type Worker struct {
	o Options
	// Applied is the state that the worker is believed to have; nil while none
	// runs.
	Applied *config.State
	// NeedsResync is whether the applied state may not be what is live, because
	// something went wrong on the way to the socket.
	NeedsResync bool
	// draining are backends with servers whose last connections are awaited,
	// orphaned those that no route has any more.
	draining, orphaned map[string]bool
	// compared is the last certificate or CA whose content was compared.
	compared string
}

// NewWorker is one that does not run.
func NewWorker(o Options) *Worker {
	return &Worker{o: o, draining: map[string]bool{}, orphaned: map[string]bool{}}
}

// Load notes that a new worker has read the files that say image; nil for none
// that runs. What no file can say is still to be sent.
func (w *Worker) Load(image *config.State) {
	w.Applied, w.draining, w.orphaned, w.NeedsResync = nil, map[string]bool{}, map[string]bool{}, true
	if image != nil {
		w.Applied = config.Loaded(image, w.o.Features)
	}
}

// Unloaded removes from the applied state what the worker did not load, though
// it stands in a file, and returns what is to be sent for that reason. No file
// can say which servers fail their health checks, and a CA that no server names
// is not loaded; it would be missing when the first server comes.
func (w *Worker) Unloaded(desired *config.State) *config.ChangeSet {
	rest := config.NewChangeSet()
	named := w.Applied.NamedCAs()
	for path := range w.Applied.CAs {
		if path != w.o.Layout.ClientCA.String() && !named[path] { // The listeners name that one.
			delete(w.Applied.CAs, path)
			rest.CAs[path] = true
		}
	}
	for name, b := range desired.Backends {
		if b.HasDown() {
			rest.Backends[name] = true
		}
	}
	return rest
}

// Orphan notes that no route has a backend any more.
func (w *Worker) Orphan(name string) { w.orphaned[name] = true }

// IsDraining reports whether there is something to collect.
func (w *Worker) IsDraining() bool { return len(w.draining)+len(w.orphaned) > 0 }

// apply notes what a command has changed.
func (w *Worker) apply(c *diff.Command) {
	if c.OnSuccess != nil {
		c.OnSuccess.Apply(w.Applied)
	}
	if c.DrainsBackend != "" {
		w.draining[c.DrainsBackend] = true
	}
	if retired, ok := c.OnSuccess.(diff.RetireBackend); ok {
		w.orphaned[retired.Name] = true
		w.draining[retired.Name] = true // It takes those along that drain already.
	}
}

func (w *Worker) open(ctx context.Context) (*runtime.Session, error) {
	return runtime.Open(ctx, w.o.Layout.RuntimeSocket.String(), w.o.Dial)
}
