package options

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"router/pkg/given"
	"router/pkg/model"
)

func statsRows() []Row {
	return []Row{
		custom("listen-addr", "ROUTER_LISTEN_ADDR", "", "HOST:PORT", "Where statistics, metrics and health are served; its port wins over --stats-port.", func(o *Options, v string) error {
			_, port, err := net.SplitHostPort(v)
			if err != nil {
				return err
			}
			if _, err := strconv.ParseUint(port, 10, 16); err != nil {
				return errors.New("its port is not a number")
			}
			o.ListenAddr = v
			return nil
		}).strict(),
		integer("stats-port", "STATS_PORT", 1936, 1, maxPort, "Port for statistics, metrics and health.", func(o *Options) *int { return &o.StatsPort }).strict(),
		text("stats-user", "STATS_USERNAME", "admin", "User of the statistics page.", func(o *Options) *string { return &o.StatsUser }),
		secret("stats-password", "STATS_PASSWORD", anyText, "Its password; without one, one is made and printed at the start.", func(o *Options) *model.Secret { return &o.StatsPassword }),
		file("stats-user-file", "STATS_USERNAME_FILE", "", "File with the user; only together with the password's.", func(o *Options) *given.Path { return &o.StatsUserFile }),
		file("stats-password-file", "STATS_PASSWORD_FILE", "", "File with the password; only together with the user's.", func(o *Options) *given.Path { return &o.StatsPasswordFile }),
		custom("metrics-ready-http-url", "ROUTER_METRICS_READY_HTTP_URL", "", "a URL with http or https", "What readiness asks instead of the router's own HTTP port; a status from 200 to 399 is well.", func(o *Options, v string) error {
			u, err := url.Parse(v)
			if err != nil {
				return err
			}
			if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
				return errors.New("it has no host, or another scheme")
			}
			o.ReadyURL = v
			return nil
		}).strict(),
		boolean("bind-ports-before-sync", "ROUTER_BIND_PORTS_BEFORE_SYNC", false, "Leave HAProxy's command socket out of the checks of /healthz.", func(o *Options) *bool { return &o.LeaveOutSocketCheck }),
		choice("metrics-type", "ROUTER_METRICS_TYPE", MetricsHAProxy, "What /metrics shows: HAProxy's metrics and the router's, or nothing.", func(o *Options) *string { return &o.Metrics.Type }, MetricsHAProxy, MetricsNone).strict(),
		integer("metrics-haproxy-server-threshold", "ROUTER_METRICS_HAPROXY_SERVER_THRESHOLD", 500, 0, 1<<30, "Servers above which metrics of single servers are left out; 0 for the default.", func(o *Options) *int { return &o.Metrics.ServerThreshold }).
			strict().alias("metrics-server-threshold", ""),
		interval("metrics-haproxy-base-scrape-interval", "ROUTER_METRICS_HAPROXY_BASE_SCRAPE_INTERVAL", "5s", time.Millisecond, "Least time between two readings of HAProxy's statistics, for each 1000 rows begun.", func(o *Options) *time.Duration { return &o.Metrics.ScrapeInterval }).strict(),
		interval("metrics-haproxy-timeout", "ROUTER_METRICS_HAPROXY_TIMEOUT", "5s", time.Millisecond, "Bound of one reading.", func(o *Options) *time.Duration { return &o.Metrics.ScrapeTimeout }).strict(),
		custom("metrics-haproxy-exported", "ROUTER_METRICS_HAPROXY_EXPORTED", "", "numbers of columns, separated by commas", "Columns of HAProxy's statistics that become metrics, instead of those marked in docs/metrics.md.", func(o *Options, v string) error {
			var columns []int
			for item := range strings.SplitSeq(v, ",") {
				n, err := strconv.ParseUint(strings.TrimSpace(item), 10, 16)
				if err != nil {
					return fmt.Errorf("%q is not a number", item)
				}
				columns = append(columns, int(n))
			}
			o.Metrics.Exported = columns
			return nil
		}).strict(),
		file("metrics-tls-cert-file", "ROUTER_METRICS_TLS_CERT_FILE", "", "Certificate for TLS on the statistics port, beside plain HTTP.", func(o *Options) *given.Path { return &o.Metrics.TLS.CertFile }),
		file("metrics-tls-key-file", "ROUTER_METRICS_TLS_KEY_FILE", "", "Its key.", func(o *Options) *given.Path { return &o.Metrics.TLS.KeyFile }),
		custom("metrics-tls-min-version", "ROUTER_METRICS_TLS_MIN_VERSION", "VersionTLS12", "VersionTLS10, VersionTLS11, VersionTLS12, VersionTLS13", "Oldest TLS version there.", func(o *Options, v string) error {
			version, ok := tlsVersion(v)
			if !ok {
				return errors.New("the version is not known")
			}
			o.Metrics.TLS.MinVersion = version
			return nil
		}).strict(),
		custom("metrics-tls-ciphers", "ROUTER_METRICS_TLS_CIPHERS", "", "IANA names, separated by colons", "Cipher suites of TLS up to 1.2 there.", func(o *Options, v string) error {
			return each(v, "cipher suite", cipherSuite, &o.Metrics.TLS.Ciphers)
		}).strict(),
		custom("metrics-tls-curves", "ROUTER_METRICS_TLS_CURVES", "", "X25519, secp256r1, secp384r1, secp521r1, X25519MLKEM768, separated by commas or colons", "Key-exchange groups there.", func(o *Options, v string) error {
			return each(v, "group", curve, &o.Metrics.TLS.Curves)
		}).strict(),
		choice("verbosity", "ROUTER_VERBOSITY", "info", "Least level of the router's own messages.", func(o *Options) *string { return &o.LogLevel }, "debug", "info", "warn", "error"),
		choice("message-format", "ROUTER_MESSAGE_FORMAT", "text", "Form of the router's own messages.", func(o *Options) *string { return &o.LogFormat }, "text", "json"),
		integer("v", "ROUTER_V", 0, 0, maxVerbosity, "klog's verbosity: what the Kubernetes libraries say at levels up to this one is shown, and from 4 on the router's debug messages.", func(o *Options) *int { return &o.LogVerbosity }).alias("loglevel", ""),
		custom("vmodule", "ROUTER_VMODULE", "", "PATTERN=N, separated by commas", "The same for single source files, by their name without .go; patterns have * and ?.", func(o *Options, v string) error {
			modules, err := usable(strings.Split(v, ","), logModule)
			if len(modules) > 0 {
				o.LogModules = modules
			}
			return err
		}).alias("logspec", ""),
		choice("profile", "OPENSHIFT_PROFILE", "", "Write a profile of the router's own process to a file NAME.pprof when it ends: in the working directory of the process, or with -tmp in the one for temporary files.", func(o *Options) *string { return &o.Profile },
			"cpu", "mem", "block", "mutex", "trace", "cpu-tmp", "mem-tmp", "block-tmp", "mutex-tmp", "trace-tmp"),
	}
}

func logModule(item string) (LogModule, error) {
	pattern, level, _ := strings.Cut(strings.TrimSpace(item), "=")
	n, err := strconv.Atoi(level)
	if _, bad := path.Match(pattern, ""); pattern == "" || bad != nil || err != nil || n < 0 || n > maxVerbosity {
		return LogModule{}, errors.New("not PATTERN=N")
	}
	return LogModule{Pattern: pattern, Verbosity: n}, nil
}

// maxVerbosity is more than any library uses.
const maxVerbosity = 100

// each looks up the items of a list, which commas or colons separate.
func each[T any](text, what string, find func(string) (T, bool), into *[]T) error {
	var list []T
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ':' || r == ' ' }) {
		item, ok := find(name)
		if !ok {
			return fmt.Errorf("there is no %s %q", what, name)
		}
		list = append(list, item)
	}
	if len(list) == 0 {
		return fmt.Errorf("there is no %s", what)
	}
	*into = list
	return nil
}

func tlsVersion(name string) (uint16, bool) {
	v, ok := map[string]uint16{
		"VersionTLS10": tls.VersionTLS10, "VersionTLS11": tls.VersionTLS11, "VersionTLS12": tls.VersionTLS12, "VersionTLS13": tls.VersionTLS13,
	}[name]
	return v, ok
}

func cipherSuite(name string) (uint16, bool) {
	for _, list := range [][]*tls.CipherSuite{tls.CipherSuites(), tls.InsecureCipherSuites()} {
		for _, suite := range list {
			// Both spellings of these two are in use.
			if suite.Name == name || suite.Name == name+"_SHA256" && strings.HasSuffix(name, "_CHACHA20_POLY1305") {
				return suite.ID, true
			}
		}
	}
	return 0, false
}

func curve(name string) (tls.CurveID, bool) {
	id, ok := map[string]tls.CurveID{
		"X25519": tls.X25519, "secp256r1": tls.CurveP256, "secp384r1": tls.CurveP384, "secp521r1": tls.CurveP521, "X25519MLKEM768": tls.X25519MLKEM768,
	}[name]
	return id, ok
}
