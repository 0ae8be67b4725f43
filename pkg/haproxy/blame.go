package haproxy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"router/pkg/model"
)

// parseLine finds the file and line that a message of HAProxy is about.
var parseLine = regexp.MustCompile(`parsing \[([^\]]+):(\d+)\]\s*:?\s*(.*)`)

// blame traces the alerts of a refused configuration back to routes: by the
// line of the configuration's file, or by the name of a route's file or
// backend in the message.
func (d *DataPlane) blame(log string) map[model.RouteKey]string {
	blamed := map[model.RouteKey]string{}
	state := d.disk.state
	_, lines := state.configText(d.features)
	for text := range strings.Lines(log) {
		if !strings.Contains(text, "[ALERT]") {
			continue
		}
		if m := parseLine.FindStringSubmatch(text); m != nil && strings.HasSuffix(d.files.Config.String(), strings.TrimPrefix(m[1], "./")) {
			n, _ := strconv.Atoi(m[2])
			i, exact := slices.BinarySearchFunc(lines, n, func(l configSection, n int) int { return l.line - n })
			if !exact {
				i--
			}
			if len(lines[i].backends) > 0 {
				for _, name := range lines[i].backends {
					blamed[state.Backends[name].Route] = strings.TrimSpace(m[3])
				}
				continue
			}
		}
		if key, found := d.named(text); found {
			blamed[key] = strings.TrimSpace(text)
		}
	}
	return blamed
}

// word matches what may be a path or a backend's name in a message.
var word = regexp.MustCompile(`[A-Za-z0-9_./:@+-]+`)

// named finds a route by a word of a message: its backend or certificate file.
func (d *DataPlane) named(text string) (model.RouteKey, bool) {
	for _, w := range word.FindAllString(text, -1) {
		w = strings.TrimRight(w, ".:")
		if b := d.disk.state.Backends[w]; b != nil {
			return b.Route, true
		}
		if key, ok := d.routeOfFile(w); ok {
			return key, true
		}
	}
	return model.RouteKey{}, false
}

// routeOfFile is the route that a certificate or allowlist file belongs to;
// false where none that is wanted does. (A CA file may be that of many.)
func (d *DataPlane) routeOfFile(path string) (model.RouteKey, bool) {
	stem, ok := d.opts.Templates.StemOfFile(path)
	if !ok {
		return model.RouteKey{}, false
	}
	key, ok := d.stems[stem]
	return key, ok
}
