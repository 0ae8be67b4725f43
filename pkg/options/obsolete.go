package options

import "fmt"

// obsolete is a setting of the reference router that does nothing here. It is
// accepted, with a warning that says why, so that a command line that worked
// there starts this router as well.
func obsolete(flag, env, why string) Row {
	what := "--" + flag
	return Row{Flag: flag, Env: env, Accepts: "anything", Help: "Has no effect: " + why + ".", obsolete: true, set: func(o *Options, _ string) error {
		o.Warnings = append(o.Warnings, fmt.Sprintf("%s (%s) has no effect: %s", what, env, why))
		return nil
	}}
}

func (r Row) boolean() Row { r.isBool = true; return r }

func obsoleteRows() []Row {
	const (
		runtime = "changes are always made while HAProxy runs, as far as they can be"
		metrics = "metrics and health are always served on the statistics port"
		reading = "HAProxy's statistics are read from its own socket"
		library = "the statistics port uses the TLS library's own choice"
		process = "the router runs HAProxy itself, and reloads it through the master's socket"
		upgrade = "no route is known that a future version could not serve"
	)
	return []Row{
		obsolete("reload", "RELOAD_SCRIPT", process),
		obsolete("max-reload-wait-time", "MAX_RELOAD_WAIT_TIME", process),
		obsolete("shutdown", "ROUTER_SHUTDOWN", process),
		obsolete("haproxy-max-shutdown-timeout", "HAPROXY_MAX_SHUTDOWN_TIMEOUT", "--max-shutdown-timeout is the one that counts"),
		obsolete("haproxy-admin-unix-socket", "ROUTER_HAPROXY_ADMIN_UNIX_SOCKET", process),
		obsolete("haproxy-config-manager", "ROUTER_HAPROXY_CONFIG_MANAGER", runtime).boolean(),
		obsolete("commit-interval", "COMMIT_INTERVAL", "the files always say what runs"),
		obsolete("blueprint-route-namespace", "ROUTER_BLUEPRINT_ROUTE_NAMESPACE", runtime),
		obsolete("blueprint-route-labels", "ROUTER_BLUEPRINT_ROUTE_LABELS", runtime),
		obsolete("blueprint-route-pool-size", "ROUTER_BLUEPRINT_ROUTE_POOL_SIZE", runtime),
		obsolete("max-dynamic-servers", "ROUTER_MAX_DYNAMIC_SERVERS", runtime),
		obsolete("backend-process-endpoints", "ROUTER_BACKEND_PROCESS_ENDPOINTS", "the order of servers is the same on every replica"),
		obsolete("bind-ports-after-sync", "ROUTER_BIND_PORTS_AFTER_SYNC", "the ports are always opened after the first sync").boolean(),
		obsolete("bind-ports-before-sync", "ROUTER_BIND_PORTS_BEFORE_SYNC", "the ports are always opened after the first sync").boolean(),
		obsolete("metrics-type", "ROUTER_METRICS_TYPE", metrics),
		obsolete("metrics-haproxy-scrape-uri", "ROUTER_METRICS_HAPROXY_SCRAPE_URI", reading),
		obsolete("metrics-haproxy-timeout", "ROUTER_METRICS_HAPROXY_TIMEOUT", reading),
		obsolete("metrics-haproxy-base-scrape-interval", "ROUTER_METRICS_HAPROXY_BASE_SCRAPE_INTERVAL", reading),
		obsolete("metrics-haproxy-exported", "ROUTER_METRICS_HAPROXY_EXPORTED", "the reference router's default metrics are exported"),
		obsolete("metrics-haproxy-pid-file", "ROUTER_METRICS_HAPROXY_PID_FILE", reading),
		obsolete("metrics-ready-http-url", "ROUTER_METRICS_READY_HTTP_URL", "readiness asks the router's own HTTP port"),
		obsolete("metrics-tls-ciphers", "ROUTER_METRICS_TLS_CIPHERS", library),
		obsolete("metrics-tls-curves", "ROUTER_METRICS_TLS_CURVES", library),
		obsolete("metrics-tls-min-version", "ROUTER_METRICS_TLS_MIN_VERSION", "the statistics port speaks TLS 1.2 and newer"),
		obsolete("service-namespace", "ROUTER_SERVICE_NAMESPACE", "nothing depends on the router's own namespace"),
		obsolete("upgrade-validation", "UPGRADE_VALIDATION", upgrade).boolean(),
		obsolete("debug-upgrade-validation-force-add-condition", "DEBUG_UPGRADE_VALIDATION_FORCE_ADD_CONDITION", upgrade).boolean(),
		obsolete("debug-upgrade-validation-force-remove-condition", "DEBUG_UPGRADE_VALIDATION_FORCE_REMOVE_CONDITION", upgrade).boolean(),
		obsolete("enable-ingress", "ROUTER_ENABLE_INGRESS", "Ingress objects are not served yet").boolean(),
		obsolete("panic", "OPENSHIFT_ON_PANIC", "a panic ends the router, and its pod is started again"),
		obsolete("profile", "OPENSHIFT_PROFILE", "profiles are read from the statistics port"),
		obsolete("v", "ROUTER_V", "--verbosity is the one that counts"),
		obsolete("vmodule", "ROUTER_VMODULE", "--verbosity is the one that counts"),
		obsolete("logtostderr", "ROUTER_LOGTOSTDERR", "messages always go to standard error").boolean(),
		obsolete("alsologtostderr", "ROUTER_ALSOLOGTOSTDERR", "messages always go to standard error").boolean(),
	}
}
