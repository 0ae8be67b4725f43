package live

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"router/pkg/haproxy/config"
	"router/pkg/haproxy/diff"
	"router/pkg/haproxy/runtime"
	"router/pkg/pki"
)

// errDrift is the error of a read-back that found a difference.
var errDrift = errors.New("haproxy differs from what was sent")

// ReadBack compares what is live with what is believed to be, for what was
// changed: each backend's servers, each file, and each entry, those of the table
// of slots' names included.
func (w *Worker) ReadBack(ctx context.Context, changes *config.ChangeSet, slotNames map[string]string) error {
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	for name := range changes.Backends {
		have, proxy := w.Applied.Backends[name], w.Applied.RuntimeName(name)
		if have == nil {
			continue
		}
		live, err := s.Servers(ctx, proxy)
		if err != nil {
			return err
		}
		if now := withLive(have, live[proxy]); !slices.Equal(now.Servers, have.Servers) {
			return fmt.Errorf("%w: servers of %s", errDrift, name)
		}
	}
	if err := w.readBackFiles(ctx, s, changes); err != nil {
		return err
	}
	slots := make([]config.TableKey, 0, len(slotNames))
	for key := range slotNames {
		slots = append(slots, config.TableKey{Table: w.o.Layout.Maps.Slots.String(), Key: key})
	}
	if err := w.readBackEntries(ctx, s, slots); err != nil {
		return err
	}
	return w.readBackEntries(ctx, s, slices.Collect(maps.Keys(changes.Entries)))
}

func (w *Worker) readBackFiles(ctx context.Context, s *runtime.Session, changes *config.ChangeSet) error {
	for path := range changes.Certificates {
		if same, err := w.sameCertificate(ctx, s, path); err != nil || !same {
			return errors.Join(err, fmt.Errorf("%w: certificate %s", errDrift, path))
		}
	}
	for path := range changes.CAs {
		if same, err := w.sameCA(ctx, s, path); err != nil || !same {
			return errors.Join(err, fmt.Errorf("%w: CA %s", errDrift, path))
		}
	}
	return nil
}

// readBackEntries looks each entry up in the live table; many, by reading
// whole tables.
func (w *Worker) readBackEntries(ctx context.Context, s *runtime.Session, keys []config.TableKey) error {
	whole := map[string]map[string]string{}
	for _, k := range keys {
		want, wanted := w.entry(k)
		var value string
		var found bool
		var err error
		if len(keys) <= diff.ReplaceEntries {
			value, found, err = s.MapEntry(ctx, k.Table, k.Key)
		} else {
			if whole[k.Table] == nil {
				whole[k.Table], err = s.Map(ctx, k.Table)
			}
			value, found = whole[k.Table][k.Key]
		}
		if err != nil {
			return err
		}
		if found != wanted || value != want {
			return fmt.Errorf("%w: entry %s of %s", errDrift, k.Key, k.Table)
		}
	}
	return nil
}

// entry is what a running table is believed to have for a key.
func (w *Worker) entry(k config.TableKey) (string, bool) {
	if k.Table == w.o.Layout.Maps.Slots.String() {
		name, ok := w.Applied.SlotNames[k.Key]
		return name, ok
	}
	value, ok := w.Applied.Tables[k.Table][k.Key]
	if !ok {
		return "", false
	}
	return w.Applied.ToRuntime(value), true
}

// withLive is a backend with its servers as they are live.
func withLive(b *config.Backend, live map[string]runtime.Server) *config.Backend {
	now := *b
	now.Servers = nil
	known := map[string]bool{}
	for _, s := range b.Servers {
		known[s.Name] = true
		l, exists := live[s.Name]
		if !exists {
			continue
		}
		s.Address, s.Port, s.Weight, s.Ready = l.Address, l.Port, l.Weight, l.Ready
		if !l.Checked {
			s.Down = l.Down && l.Ready
		}
		now.Servers = append(now.Servers, s)
	}
	for _, name := range slices.Sorted(maps.Keys(live)) {
		if l := live[name]; !known[name] {
			now.Servers = append(now.Servers, config.Server{Name: name, Address: l.Address, Port: l.Port, Weight: l.Weight, Ready: l.Ready, Draining: !l.Ready})
		}
	}
	return &now
}

// sameCertificate reports whether a certificate is loaded as it is believed to
// be. Of one with its chain only the first can be compared.
func (w *Worker) sameCertificate(ctx context.Context, s *runtime.Session, path string) (bool, error) {
	want := w.Applied.Certificates[path]
	if want == nil {
		return true, nil
	}
	shown, err := s.CertificateFingerprints(ctx, path)
	return areAmong(shown, want.PEM.Reveal()), err
}

func (w *Worker) sameCA(ctx context.Context, s *runtime.Session, path string) (bool, error) {
	want, ok := w.Applied.CAs[path]
	if !ok {
		return true, nil
	}
	shown, err := s.CAFingerprints(ctx, path)
	return areAmong(shown, want), err
}

// areAmong reports whether fingerprints, at least one, are all of certificates
// in a PEM text.
func areAmong(shown []string, text string) bool {
	wanted := pki.Fingerprints(text)
	return len(shown) > 0 && !slices.ContainsFunc(shown, func(print string) bool { return !slices.Contains(wanted, print) })
}
