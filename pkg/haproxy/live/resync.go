package live

import (
	"context"
	"maps"
	"slices"
	"strings"

	"router/pkg/haproxy/config"
	"router/pkg/haproxy/runtime"
	"router/pkg/template"
)

// Resync reads all of the live state into the applied one.
func (w *Worker) Resync(ctx context.Context) error {
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	servers, err := s.Servers(ctx, "")
	if err != nil {
		return err
	}
	live := w.Applied.Clone()
	if err := w.resyncBackends(ctx, s, live); err != nil {
		return err
	}
	for name, b := range live.Backends {
		now := withLive(b, servers[live.RuntimeName(name)])
		live.Backends[name] = now
		if slices.ContainsFunc(now.Servers, func(s config.Server) bool { return s.Draining }) {
			w.draining[name] = true
		}
	}
	for table := range live.Tables {
		shown, err := s.Map(ctx, table)
		if err != nil {
			return err
		}
		for key, value := range shown {
			shown[key] = live.FromRuntime(value)
		}
		live.Tables[table] = shown
	}
	if w.o.Features.NamedSlots {
		if live.SlotNames, err = s.Map(ctx, w.o.Layout.Maps.Slots.String()); err != nil {
			return err
		}
	}
	if err := w.resyncCrtList(ctx, s, live); err != nil {
		return err
	}
	if err := w.resyncFiles(ctx, s, live); err != nil {
		return err
	}
	if err := w.resyncLists(ctx, s, live); err != nil {
		return err
	}
	w.Applied, w.NeedsResync = live, false
	return nil
}

// resyncBackends notes which backends there are, where they come and go.
func (w *Worker) resyncBackends(ctx context.Context, s *runtime.Session, live *config.State) error {
	if !w.o.Features.AddBackend {
		return nil
	}
	there, err := s.Backends(ctx)
	if err != nil {
		return err
	}
	for name := range live.Backends {
		if proxy := live.RuntimeName(name); there[proxy] {
			delete(there, proxy)
		} else {
			delete(live.Backends, name)
		}
	}
	for proxy := range there {
		if prefix, _, ok := strings.Cut(proxy, ":"); ok && strings.HasPrefix(prefix, "be_") {
			// Added by a command whose answer was lost: what it is made from is not
			// known, so nobody may have it.
			name := config.RetiredName(proxy)
			live.Backends[name] = &config.Backend{RuntimeName: proxy, Unpublished: true}
			w.orphaned[name] = true
		}
	}
	return nil
}

func (w *Worker) resyncCrtList(ctx context.Context, s *runtime.Session, live *config.State) error {
	lines, err := s.CrtList(ctx, w.o.Layout.CrtList.String(), false)
	if err != nil {
		return err
	}
	live.Hosts = map[string]config.CrtLine{}
	for _, l := range lines {
		if names, line, ok := config.ParseFilters(l.Path, l.Filters); ok {
			live.Hosts[names] = line
		}
	}
	return nil
}

// contentsPerResync is how many certificates and CAs are looked into: to look
// into all of 50,000 would keep HAProxy busy for seconds each time.
const contentsPerResync = 200

// resyncFiles notes the certificates and CAs that are not loaded or have another
// content. All are looked for; into some of them it looks, each time the next
// ones.
func (w *Worker) resyncFiles(ctx context.Context, s *runtime.Session, live *config.State) error {
	loaded, err := s.Certificates(ctx)
	if err != nil {
		return err
	}
	maps.DeleteFunc(live.Certificates, func(path string, _ *template.Certificate) bool { return !loaded[path] })
	paths := slices.Sorted(maps.Keys(live.Certificates))
	paths = slices.AppendSeq(paths, maps.Keys(live.CAs))
	slices.Sort(paths)
	next, _ := slices.BinarySearch(paths, w.compared)
	for i := range min(len(paths), contentsPerResync) {
		path := paths[(next+i)%len(paths)]
		w.compared = path + "\x00" // Behind this one the next begins.
		if same, err := w.sameCA(ctx, s, path); err != nil {
			return err
		} else if !same {
			delete(live.CAs, path)
		}
		if same, err := w.sameCertificate(ctx, s, path); err != nil {
			return err
		} else if !same {
			delete(live.Certificates, path)
		}
	}
	return nil
}

// resyncLists reads the allowlists.
func (w *Worker) resyncLists(ctx context.Context, s *runtime.Session, live *config.State) error {
	for path, entries := range live.Lists {
		now, err := s.ACL(ctx, path)
		if err != nil {
			return err
		}
		slices.Sort(now)
		if !slices.Equal(now, slices.Sorted(slices.Values(entries))) {
			live.Lists[path] = now
		}
	}
	return nil
}
