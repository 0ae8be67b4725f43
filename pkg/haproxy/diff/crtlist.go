package diff

import (
	"maps"
	"slices"

	"router/pkg/haproxy/config"
	"router/pkg/haproxy/runtime"
)

// crtList compares the lines of the crt-list. Each certificate belongs to one
// line at a time, but for the default certificate, which has the first line
// besides. When a certificate moves to another host, its old line goes first.
func (d *differ) crtList(names map[string]bool) {
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
		case d.desired.Certificates[path] == nil || len(d.desired.Certificates[path].PEM.Reveal()) > runtime.MaxPayload:
			d.reload(ReasonPayloadTooLarge, path)
		case old == now || path == d.files.DefaultCertificate.String():
			d.send(d.replaceLine(path, old, now))
		default:
			if old != "" {
				d.send(d.delLine(old, path))
			}
			line := d.desired.Hosts[now]
			d.send(Command{
				Kind: "add ssl crt-list", Text: runtime.Payload("add ssl crt-list "+d.files.CrtList.String(), line.Text(now)),
				OnSuccess: PutCrtLine{Now: now, Line: line},
			})
		}
	}
	for _, path := range slices.Sorted(maps.Keys(have)) {
		if want[path] != "" {
			continue
		}
		remove := d.delLine(have[path], path)
		if path == d.files.DefaultCertificate.String() {
			remove = d.replaceLine(path, have[path], "")
		}
		d.removals = slices.Insert(d.removals, 0, remove)
	}
}

// replaceLine replaces the line of a certificate; old and now are the names in
// it, "" for none.
func (d *differ) replaceLine(path, old, now string) Command {
	r := ReplaceCrtLine{List: d.files.CrtList.String(), Path: path}
	if old != "" {
		r.Old = d.applied.Hosts[old].Text(old)
	}
	line := config.CrtLine{Path: path}
	if now != "" {
		line = d.desired.Hosts[now]
		r.Now = line.Text(now)
	}
	return Command{Kind: "replace ssl crt-list", Replace: r, OnSuccess: PutCrtLine{old, now, line}}
}

func (d *differ) delLine(names, path string) Command {
	return Command{
		Kind: "del ssl crt-list", Text: "del ssl crt-list " + d.files.CrtList.String() + " " + path, OKAnswer: "not found",
		OnSuccess: PutCrtLine{Old: names, Line: config.CrtLine{Path: path}},
	}
}
