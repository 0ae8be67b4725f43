package options

import (
	"slices"
	"testing"
)

func TestMisspelledVariables(t *testing.T) {
	got := Misspelled([]string{
		"ROUTER_DISABLE_HTTTP2=true", "ROUTER_CIPHER=old", "STATS_PASWORD=x", "HAPROXY_MAX_SHUTDOWN_TIMOUT=1", "ROUTER_IP_V6_V4_MODE=v4",
		// These are settings.
		"ROUTER_CIPHERS=old", "HAPROXY_MAX_SHUTDOWN_TIMEOUT=1", "ROUTER_METRICS_TYPE=",
		// These are somebody else's.
		"HOME=/root", "ROUTER_SERVICE_HOST=10.0.0.1", "ROUTER_SERVICE_PORT=80", "ROUTER_SERVICE_PORT_HTTP=80", "ROUTER_PORT=tcp://10.0.0.1:80",
		"ROUTER_PORT_80_TCP_ADDR=10.0.0.1", "ROUTER_INTERNAL_DEFAULT_SERVICE_HOST=10.0.0.1", "KUBERNETES_SERVICE_HOST=10.0.0.1", "KUBERNETES_PORT=x",
	})
	want := []string{
		"HAPROXY_MAX_SHUTDOWN_TIMOUT is no setting; did you mean HAPROXY_MAX_SHUTDOWN_TIMEOUT?",
		"ROUTER_CIPHER is no setting; did you mean ROUTER_CIPHERS?",
		"ROUTER_DISABLE_HTTTP2 is no setting; did you mean ROUTER_DISABLE_HTTP2?",
		"ROUTER_IP_V6_V4_MODE is no setting; did you mean ROUTER_IP_V4_V6_MODE?",
		"STATS_PASWORD is no setting; did you mean STATS_PASSWORD?",
	}
	if !slices.Equal(got, want) {
		t.Errorf("warnings are %q, want %q", got, want)
	}
}
