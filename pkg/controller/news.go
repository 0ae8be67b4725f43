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
	// newsLines is how many lines about routes are logged in newsInterval; what
	// is more is counted. A person does not read more, and a start beside
	// thousands of broken routes must not fill a disk. /api/routes has all.
	newsLines    = 50
	newsInterval = 10 * time.Second
	// maxNews bounds a message in the log, in bytes; it may repeat what a tenant
	// has written. The status and /api/routes have more.
	maxNews = 2000
)

// news logs what is new of routes: who is not served, and what is wrong with
// the others, each once when it begins and once when it ends.
type news struct {
	logger *slog.Logger
	now    func() time.Time
	// last is what was last said of routes of which there is something to say.
	last map[model.RouteKey]said
	// since is when the interval began, zero before the first line of one;
	// lines were logged in it, and left were not.
	since       time.Time
	lines, left int
}

// said is what was said of a route.
type said struct {
	admitted bool
	items    []item
}

// item is one thing that is wrong with a route.
type item struct{ reason, message string }

func newNews(logger *slog.Logger, now func() time.Time) *news {
	return &news{logger: logger, now: now, last: map[model.RouteKey]said{}}
}

// tell logs how a route differs from what was last said of it.
func (n *news) tell(k model.RouteKey, v admission.Verdict, problems []model.Problem) {
	before, known := n.last[k]
	now := said{admitted: v.Admitted}
	if !v.Admitted || v.Message != "" {
		now.items = append(now.items, item{string(v.Reason), v.Message})
	}
	if v.Admitted {
		for _, problem := range problems {
			now.items = append(now.items, item{reasonOf(problem), problem.Text()})
		}
	}
	if n.last[k] = now; len(now.items) == 0 {
		delete(n.last, k)
	}
	attrs := func(i item) []any { return named(k, v, i) }
	switch {
	case !now.admitted:
		if (!known || before.admitted || before.items[0] != now.items[0]) && n.mayLog() {
			n.logger.Warn("a route is not served", attrs(now.items[0])...)
		}
		return
	case known && !before.admitted:
		if n.mayLog() {
			n.logger.Info("a route is served again", attrs(before.items[0])...)
		}
		before.items = nil
	}
	for _, i := range now.items {
		if !slices.Contains(before.items, i) && n.mayLog() {
			n.logger.Warn("a route has a problem", attrs(i)...)
		}
	}
	for _, i := range before.items {
		if !slices.Contains(now.items, i) && n.mayLog() {
			n.logger.Info("a problem of a route is gone", attrs(i)...)
		}
	}
}

// health logs which endpoints have begun to fail their checks, and which have
// ceased to: HAProxy is only told so, and does not know why.
func (n *news) health(changed []model.Health) {
	for _, h := range changed {
		if len(h.Routes) == 0 || !n.mayLog() {
			continue // Of no routes: it is gone.
		}
		attrs := []any{"address", h.Address.String(), "routes", len(h.Routes), "namespace", h.Routes[0].Namespace, "name", h.Routes[0].UniqueName()}
		if h.Failing {
			n.logger.Warn("an endpoint fails its health checks", append(attrs, "error", h.Error)...)
		} else {
			n.logger.Info("an endpoint passes its health checks again", attrs...)
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
	if len(message) > maxNews {
		message = strings.ToValidUTF8(message[:maxNews], "") + "..."
	}
	return append(attrs, "reason", i.reason, "message", message)
}

// mayLog reports whether there is room for one more line, and counts it.
func (n *news) mayLog() bool {
	n.flush()
	if n.since.IsZero() {
		n.since = n.now()
	}
	if n.lines == newsLines {
		n.left++
		return false
	}
	n.lines++
	return true
}

// due is when the interval ends after which what was left out is counted, zero
// if nothing was.
func (n *news) due() time.Time {
	if n.left == 0 {
		return time.Time{}
	}
	return n.since.Add(newsInterval)
}

// flush ends an interval that is over.
func (n *news) flush() {
	if n.since.IsZero() || n.now().Before(n.since.Add(newsInterval)) {
		return
	}
	if n.left > 0 {
		n.logger.Warn("there is more news of routes than is logged; /api/routes has all that is wrong", "count", n.left)
	}
	n.since, n.lines, n.left = time.Time{}, 0, 0
}

// forget drops what was said of a route that is gone.
func (n *news) forget(k model.RouteKey) { delete(n.last, k) }

// counts are how many routes there are, how many of them are admitted and how
// many are not, and how many of those that are admitted are degraded.
func (c *Controller) counts() []any {
	admitted, degraded := 0, 0
	for k, s := range c.routes {
		if !c.verdict(k, s).Admitted {
			continue
		}
		admitted++
		if slices.ContainsFunc(s.told.problems, func(p model.Problem) bool { return p.Cause != model.SettingIgnored }) {
			degraded++
		}
	}
	return []any{"routes", len(c.routes), "admitted", admitted, "rejected", len(c.routes) - admitted, "degraded", degraded}
}
