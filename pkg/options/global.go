package options

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"router/pkg/model"
)

// tlsVersions are in the order of their age.
func tlsVersions() []string { return []string{"SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"} }

// pipeAtomic is how many bytes a pipe takes whole or not at all (pipe(7),
// PIPE_BUF), but for the end of the line, which HAProxy 2.6 does not count.
const pipeAtomic = 4095

// checkGlobal looks at settings of the data plane that depend on each other,
// and of which HAProxy would say nothing, or nothing that helps.
func (o *Options) checkGlobal() []error {
	var problems []error
	g := &o.Global
	add := func(text string, args ...any) { problems = append(problems, fmt.Errorf(text, args...)) }
	if oldest, newest := slices.Index(tlsVersions(), g.TLS.MinVersion), slices.Index(tlsVersions(), g.TLS.MaxVersion); newest >= 0 && oldest > newest {
		add("--ssl-min-version (SSL_MIN_VERSION) %s is newer than --ssl-max-version (SSL_MAX_VERSION) %s", g.TLS.MinVersion, g.TLS.MaxVersion)
	}
	if half := g.BufferSize / 2; g.MaxRewrite > half {
		// HAProxy does so without a word.
		o.Warnings = append(o.Warnings, fmt.Sprintf("--max-rewrite-size (ROUTER_MAX_REWRITE_SIZE) %d is more than half of --buf-size (ROUTER_BUF_SIZE), and counts as %d", g.MaxRewrite, half))
		g.MaxRewrite = half
	}
	if o.Routes.CheckInterval < model.MinCheckInterval {
		o.Warnings = append(o.Warnings, fmt.Sprintf("--backend-check-interval (ROUTER_BACKEND_CHECK_INTERVAL) %s counts as %s, the least there is", o.Routes.CheckInterval, model.MinCheckInterval))
		o.Routes.CheckInterval = model.MinCheckInterval
	}
	if g.Log.Address == model.LogStdout && g.Log.MaxLength > pipeAtomic {
		o.Warnings = append(o.Warnings, fmt.Sprintf("--log-max-length (ROUTER_LOG_MAX_LENGTH) %d counts as %d on standard output: a longer line could be torn", g.Log.MaxLength, pipeAtomic))
		g.Log.MaxLength = pipeAtomic
	}
	if g.Headers.UniqueIDHeader != "" && g.Headers.UniqueIDFormat == "" {
		problems = append(problems, errors.New("--unique-id-header-name (ROUTER_UNIQUE_ID_HEADER_NAME) needs --unique-id-format (ROUTER_UNIQUE_ID_FORMAT)"))
	}
	if a, err := netip.ParseAddr(g.Listen.Address); err == nil && (g.Listen.Mode == model.IPv6 && a.Is4() || g.Listen.Mode == model.IPv4IPv6) {
		add("--ip-mode (ROUTER_IP_V4_V6_MODE) %s does not fit --bind-address (ROUTER_BIND_ADDRESS) %s", g.Listen.Mode, a)
	}
	return problems
}
