package haproxy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"router/pkg/haproxy/config"
	"router/pkg/model"
)

// parseLine finds the file and line that a message of HAProxy is about.
var parseLine = regexp.MustCompile(`parsing \[([^\]]+):(\d+)\]\s*:?\s*(.*)`)

// attribute traces the alerts of a refused configuration back to routes: by the
// line of the configuration's file, or by the name of a route's file or
// backend in the message.
func (d *DataPlane) attribute(log string) map[model.RouteKey]string {
	atFault := map[model.RouteKey]string{}
	image := d.files.image
	_, lines := image.ConfigText(d.Features())
	for text := range strings.Lines(log) {
		if !strings.Contains(text, "[ALERT]") {
			continue
		}
		if m := parseLine.FindStringSubmatch(text); m != nil && strings.HasSuffix(d.opts.Layout.Config.String(), strings.TrimPrefix(m[1], "./")) {
			n, _ := strconv.Atoi(m[2])
			i, exact := slices.BinarySearchFunc(lines, n, func(l config.Section, n int) int { return l.Line - n })
			if !exact {
				i--
			}
			if len(lines[i].Backends) > 0 {
				for _, name := range lines[i].Backends {
					atFault[image.Backends[name].Route] = strings.TrimSpace(m[3])
				}
				continue
			}
		}
		if key, found := d.routeNamedIn(text); found {
			atFault[key] = strings.TrimSpace(text)
		}
	}
	return atFault
}

// word matches what may be a path or a backend's name in a message.
var word = regexp.MustCompile(`[A-Za-z0-9_./:@+-]+`)

// routeNamedIn finds a route by a word of a message: its backend or file. A CA
// file that many have says nothing.
func (d *DataPlane) routeNamedIn(text string) (model.RouteKey, bool) {
	for _, w := range word.FindAllString(text, -1) {
		if routes := d.desired.RoutesOf(strings.TrimRight(w, ".:")); len(routes) == 1 {
			return routes[0], true
		}
	}
	return model.RouteKey{}, false
}
