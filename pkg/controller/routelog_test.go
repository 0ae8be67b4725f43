package controller

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"router/pkg/model"
)

// TestEndpointsThatFailAreLogged has one that begins to fail and ceases to, and
// one that is gone.
func TestEndpointsThatFailAreLogged(t *testing.T) {
	d := &bytes.Buffer{}
	n := newRouteLog(slog.New(slog.NewTextHandler(d, nil)), time.Now)
	at := netip.MustParseAddrPort("192.0.2.1:8080")
	routes := []model.RouteKey{{Namespace: "a", Name: "b"}, {Namespace: "c", Name: "d"}}
	for _, c := range []struct {
		change model.Health
		want   string
	}{
		{model.Health{Address: at, Failing: true, Error: "connection refused", Routes: routes},
			`level=WARN msg="an endpoint fails its health checks" address=192.0.2.1:8080 routes=2 namespace=a name=b error="connection refused"`},
		{model.Health{Address: at, Routes: routes}, `level=INFO msg="an endpoint passes its health checks again" address=192.0.2.1:8080 routes=2 namespace=a name=b`},
		{model.Health{Address: at}, ""},
	} {
		d.Reset()
		n.health([]model.Health{c.change})
		if said := strings.TrimSpace(d.String()); !strings.HasSuffix(said, c.want) || c.want == "" && said != "" {
			t.Errorf("%+v: %q is logged, want %q", c.change, said, c.want)
		}
	}
	many := make([]model.Health, maxLines+9)
	for i := range many {
		many[i] = model.Health{Address: at, Failing: true, Routes: routes}
	}
	d.Reset()
	n.health(many)
	if lines := strings.Count(d.String(), "\n"); lines > maxLines || n.left == 0 {
		t.Errorf("of %d endpoints %d lines are logged, and %d are counted", len(many), lines, n.left)
	}
}
