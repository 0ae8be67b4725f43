package controller

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"router/pkg/controller/admission"
	"router/pkg/model"
)

const (
	// maxLines is how many lines about routes are logged in logInterval; what
	// is more is counted. A person does not read more, and a start beside
	// thousands of broken routes must not fill a disk. /api/routes has all.
	maxLines    = 50
	logInterval = 10 * time.Second
	// maxMessage bounds a message in the log, in bytes; it may repeat what a tenant
	// has written. The status and /api/routes have more.
	maxMessage = 2000
)

// routeLog logs what is new of routes: who is not served, and what is wrong with
// the others, each once when it begins and once when it ends.
type routeLog struct {
	logger *slog.Logger
	now    func() time.Time
	// last is what was last logged of routes of which there is something to log.
	last map[model.RouteKey]lastLogged
	// since is when the interval began, zero before the first line of one;
	// lines were logged in it, and left were not.
	since       time.Time
	lines, left int
}

// lastLogged is what was logged of a route.
type lastLogged struct {
	admitted bool
	items    []item
}

// item is one thing that is wrong with a route.
type item struct{ reason, message string }

func newRouteLog(logger *slog.Logger, now func() time.Time) *routeLog {
	return &routeLog{logger: logger, now: now, last: map[model.RouteKey]lastLogged{}}
}

// tell logs how a route differs from what was last logged of it.
func (l *routeLog) tell(k model.RouteKey, v admission.Verdict, problems []model.Problem) {
	before, known := l.last[k]
	now := lastLogged{admitted: v.Admitted}
	if !v.Admitted || v.Message != "" {
		now.items = append(now.items, item{string(v.Reason), v.Message})
	}
	if v.Admitted {
		for _, problem := range problems {
			now.items = append(now.items, item{reasonOf(problem), problem.Text()})
		}
	}
	if l.last[k] = now; len(now.items) == 0 {
		delete(l.last, k)
	}
	attrs := func(i item) []any { return named(k, v, i) }
	switch {
	case !now.admitted:
		if (!known || before.admitted || before.items[0] != now.items[0]) && l.mayLog() {
			l.logger.Warn("a route is not served", attrs(now.items[0])...)
		}
		return
	case known && !before.admitted:
		if l.mayLog() {
			l.logger.Info("a route is served again", attrs(before.items[0])...)
		}
		before.items = nil
	}
	for _, i := range now.items {
		if !slices.Contains(before.items, i) && l.mayLog() {
			l.logger.Warn("a route has a problem", attrs(i)...)
		}
	}
	for _, i := range before.items {
		if !slices.Contains(now.items, i) && l.mayLog() {
			l.logger.Info("a problem of a route is gone", attrs(i)...)
		}
	}
}

// health logs which endpoints have begun to fail their checks, and which have
// ceased to: HAProxy is only told so, and does not know why.
func (l *routeLog) health(changed []model.Health) {
	for _, h := range changed {
		if len(h.Routes) == 0 || !l.mayLog() {
			continue // Of no routes: it is gone.
		}
		attrs := []any{"address", h.Address.String(), "routes", len(h.Routes), "namespace", h.Routes[0].Namespace, "name", h.Routes[0].UniqueName()}
		if h.Failing {
			l.logger.Warn("an endpoint fails its health checks", append(attrs, "error", h.Error)...)
		} else {
			l.logger.Info("an endpoint passes its health checks again", attrs...)
		}
	}
}

// named are the attributes of a line about a route.
func named(k model.RouteKey, v admission.Verdict, i item) []any {
	attrs := []any{"namespace", k.Namespace, "name", k.UniqueName()}
	if k.Kind == model.KindIngress {
		attrs = append(attrs, "ingress", k.Name, "host", shownHost(v), "path", v.Path)
	}
	message := i.message
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + "..."
	}
	return append(attrs, "reason", i.reason, "message", message)
}

// mayLog reports whether there is room for one more line, and counts it.
func (l *routeLog) mayLog() bool {
	l.flush()
	if l.since.IsZero() {
		l.since = l.now()
	}
	if l.lines == maxLines {
		l.left++
		return false
	}
	l.lines++
	return true
}

// due is when the interval ends after which what was left out is counted, zero
// if nothing was.
func (l *routeLog) due() time.Time {
	if l.left == 0 {
		return time.Time{}
	}
	return l.since.Add(logInterval)
}

// flush ends an interval that is over.
func (l *routeLog) flush() {
	if l.since.IsZero() || l.now().Before(l.since.Add(logInterval)) {
		return
	}
	if l.left > 0 {
		l.logger.Warn("there is more news of routes than is logged; /api/routes has all that is wrong", "count", l.left)
	}
	l.since, l.lines, l.left = time.Time{}, 0, 0
}

// forget drops what was logged of a route that is gone.
func (l *routeLog) forget(k model.RouteKey) { delete(l.last, k) }
