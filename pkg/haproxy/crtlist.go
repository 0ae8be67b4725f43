package haproxy

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// CrtLine is a line of the crt-list but for the names that it is for.
type CrtLine struct {
	// Path is the certificate's file.
	Path string
	// Except are hosts below a wildcard that have a certificate of their own:
	// "" or, for instance, " !a.test !b.test".
	Except string
}

// text is the line for names with blanks between them.
func (l CrtLine) text(names string) string { return l.Path + " " + names + l.Except }

// noNames stands behind the default certificate, the first of the list: it is
// for a name that no host can have, so that it is served where nothing else is.
// HAProxy would else take its names from the certificate, and prefer an ECDSA
// certificate for a wildcard to an RSA one for the host itself. ("!*" is no name
// either, but HAProxy 2.6 never changes such a line's certificate, nor what its
// clients are verified by.)
const noNames = "_default"

// hostsText is the content of the crt-list.
func hostsText(defaultCertificate string, hosts map[string]CrtLine) string {
	var b strings.Builder
	b.WriteString(defaultCertificate + " " + noNames + "\n")
	for _, names := range slices.Sorted(maps.Keys(hosts)) {
		b.WriteString(hosts[names].text(names) + "\n")
	}
	return b.String()
}

// showHosts reads the crt-list: by names, the rest of the line.
func showHosts(ctx context.Context, s *session, list string) (map[string]CrtLine, error) {
	answer, err := s.do(ctx, "show ssl crt-list "+list)
	if err != nil {
		return nil, err
	}
	hosts := map[string]CrtLine{}
	for line := range strings.Lines(answer) {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.HasPrefix(line, "#") || fields[1] == noNames {
			continue
		}
		names, except := fields[1:], ""
		if i := slices.IndexFunc(names, func(f string) bool { return strings.HasPrefix(f, "!") }); i >= 0 {
			names, except = names[:i], " "+strings.Join(names[i:], " ")
		}
		hosts[strings.Join(names, " ")] = CrtLine{Path: fields[0], Except: except}
	}
	return hosts, nil
}

// lineSwap replaces a line of the crt-list by another with the same
// certificate. The new one is there before the old one goes, so that no
// handshake meets neither; two lines with one certificate are told apart by
// their numbers.
type lineSwap struct {
	list, path string
	// old and now are the lines, "" for none.
	old, now string
}

func (w *lineSwap) run(ctx context.Context, s *session) error {
	answer, err := s.do(ctx, "show ssl crt-list -n "+w.list)
	if err != nil {
		return err
	}
	if w.now != "" {
		if _, err := s.do(ctx, payload("add ssl crt-list "+w.list, w.now)); err != nil {
			return err
		}
	}
	for line := range strings.Lines(answer) {
		numbered, names, _ := strings.Cut(strings.TrimSpace(line), " ")
		if path, number, _ := strings.Cut(strings.TrimPrefix(numbered, w.path), ":"); path == "" && number != "" && w.path+" "+names == w.old {
			if _, err := s.do(ctx, "del ssl crt-list "+w.list+" "+numbered); err != nil {
				return err
			}
		}
	}
	return nil
}

// hosts compares the lines of the crt-list. Each certificate belongs to one
// line at a time, but for the default certificate, which has the first line
// besides. When a certificate moves to another host, its old line goes first.
func (d *differ) hosts(names map[string]bool) {
	have, want := map[string]string{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if line, ok := d.applied.Hosts[name]; ok {
			have[line.Path] = name
		}
		if line, ok := d.desired.Hosts[name]; ok {
			want[line.Path] = name
		}
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		old, now := have[path], want[path]
		d.object = path
		switch {
		case old == now && d.applied.Hosts[now] == d.desired.Hosts[now]:
		case d.desired.Certificates[path] == nil || len(d.desired.Certificates[path].PEM.Reveal()) > maxPayload:
			d.reload(ReasonPayloadTooLarge, path)
		case old == now || path == d.files.DefaultCertificate.String():
			d.send(d.swapLine(path, old, now))
		default:
			if old != "" {
				d.send(d.delHost(old, path))
			}
			line := d.desired.Hosts[now]
			d.send(Command{
				Kind: "add ssl crt-list", Text: payload("add ssl crt-list "+d.files.CrtList.String(), line.text(now)),
				effect: func(s *State) { s.Hosts[now] = line },
			})
		}
	}
	for _, path := range slices.Sorted(maps.Keys(have)) {
		if want[path] != "" {
			continue
		}
		remove := d.delHost(have[path], path)
		if path == d.files.DefaultCertificate.String() {
			remove = d.swapLine(path, have[path], "")
		}
		d.removals = append([]Command{remove}, d.removals...)
	}
}

// swapLine replaces the line of a certificate; old and now are the names in
// it, "" for none.
func (d *differ) swapLine(path, old, now string) Command {
	w := &lineSwap{list: d.files.CrtList.String(), path: path}
	if old != "" {
		w.old = d.applied.Hosts[old].text(old)
	}
	line := d.desired.Hosts[now]
	if now != "" {
		w.now = line.text(now)
	}
	return Command{Kind: "replace ssl crt-list", line: w, effect: func(s *State) {
		delete(s.Hosts, old)
		if now != "" {
			s.Hosts[now] = line
		}
	}}
}

func (d *differ) delHost(names, path string) Command {
	return Command{
		Kind: "del ssl crt-list", Text: "del ssl crt-list " + d.files.CrtList.String() + " " + path, benign: "not found",
		effect: func(s *State) {
			if s.Hosts[names].Path == path {
				delete(s.Hosts, names)
			}
		},
	}
}
