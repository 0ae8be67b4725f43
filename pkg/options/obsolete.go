package options

import "fmt"

// anything is what rows accept whose value does not matter.
const anything = "anything"

// obsolete is a setting of the reference router that cannot mean anything
// here. It is accepted, with a warning that says why, so that a command line
// that worked there starts this router as well.
func obsolete(flag, env, why string) Row {
	what := "--" + flag
	return Row{Flag: flag, Env: env, Accepts: anything, Help: "Has no effect: " + why + ".", obsolete: true, set: func(o *Options, _ string) error {
		o.Warnings = append(o.Warnings, fmt.Sprintf("%s (%s) has no effect: %s", what, env, why))
		return nil
	}}
}

// always is a setting of which one value says what this router does anyway.
// Only another one is warned about.
func always(flag, env, value, why string) Row {
	r := obsolete(flag, env, why)
	warn := r.set
	r.Help = fmt.Sprintf("Always %s: %s.", value, why)
	r.set = func(o *Options, v string) error {
		if v == value {
			return nil
		}
		return warn(o, v)
	}
	return r
}

// unused is a setting that has no effect in the reference router either, so
// nobody misses anything.
func unused(flag, env, why string) Row {
	r := obsolete(flag, env, why)
	r.Help = "Has no effect there either: " + why + "."
	r.set = func(*Options, string) error { return nil }
	return r
}

// boolean is for flags that can stand without a value.
func (r Row) boolean() Row { r.isBool = true; return r }

func obsoleteRows() []Row {
	const (
		runtime = "backends are prepared with the settings that routes have, without a blueprint"
		own     = "HAProxy's statistics are read from its own socket"
		process = "the router runs HAProxy itself, and reloads it through the master's socket"
		upgrade = "the reference router's check finds nothing, and only takes its own condition back"
		files   = "messages go to standard error, for the container's platform to keep"
		form    = "--message-format is the one that counts"
		// They came with a library, and did nothing for a router.
		registry = "the router pulls no images"
	)
	return []Row{
		obsolete("reload", "RELOAD_SCRIPT", process),
		obsolete("shutdown", "ROUTER_SHUTDOWN", process),
		obsolete("haproxy-admin-unix-socket", "ROUTER_HAPROXY_ADMIN_UNIX_SOCKET", process),
		always("haproxy-config-manager", "ROUTER_HAPROXY_CONFIG_MANAGER", "true", "changes are made while HAProxy runs, as far as they can be").boolean(),
		obsolete("commit-interval", "COMMIT_INTERVAL", "HAProxy's files always say what runs"),
		obsolete("blueprint-route-namespace", "ROUTER_BLUEPRINT_ROUTE_NAMESPACE", runtime),
		obsolete("blueprint-route-labels", "ROUTER_BLUEPRINT_ROUTE_LABELS", runtime),
		unused("max-dynamic-servers", "ROUTER_MAX_DYNAMIC_SERVERS", "endpoints are added while HAProxy runs, as many as there are"),
		obsolete("backend-process-endpoints", "ROUTER_BACKEND_PROCESS_ENDPOINTS", "the order of servers is the same on every replica, and a new one would be a reload; the balance random, the default, starts at any server"),
		always("bind-ports-after-sync", "ROUTER_BIND_PORTS_AFTER_SYNC", "true", "the ports are opened after the first sync").boolean(),
		obsolete("metrics-haproxy-scrape-uri", "ROUTER_METRICS_HAPROXY_SCRAPE_URI", own),
		obsolete("metrics-haproxy-pid-file", "ROUTER_METRICS_HAPROXY_PID_FILE", own),
		unused("service-namespace", "ROUTER_SERVICE_NAMESPACE", "it is only asked for there, and nothing depends on it"),
		unused("upgrade-validation", "UPGRADE_VALIDATION", upgrade).boolean(),
		always("debug-upgrade-validation-force-add-condition", "DEBUG_UPGRADE_VALIDATION_FORCE_ADD_CONDITION", "false", "the condition is not known here").boolean(),
		always("debug-upgrade-validation-force-remove-condition", "DEBUG_UPGRADE_VALIDATION_FORCE_REMOVE_CONDITION", "false", "the condition is not known here").boolean(),
		always("panic", "OPENSHIFT_ON_PANIC", "crash", "a panic ends the router, and its pod is started again"),
		always("logtostderr", "ROUTER_LOGTOSTDERR", "true", files).boolean(),
		always("alsologtostderr", "ROUTER_ALSOLOGTOSTDERR", "true", files).boolean(),
		obsolete("log_dir", "ROUTER_LOG_DIR", files),
		obsolete("log_file", "ROUTER_LOG_FILE", files),
		obsolete("log_file_max_size", "ROUTER_LOG_FILE_MAX_SIZE", files),
		obsolete("stderrthreshold", "ROUTER_STDERRTHRESHOLD", files),
		obsolete("alsologtostderrthreshold", "ROUTER_ALSOLOGTOSTDERRTHRESHOLD", files),
		obsolete("legacy_stderr_threshold_behavior", "ROUTER_LEGACY_STDERR_THRESHOLD_BEHAVIOR", files).boolean(),
		obsolete("one_output", "ROUTER_ONE_OUTPUT", files).boolean(),
		obsolete("skip_log_headers", "ROUTER_SKIP_LOG_HEADERS", files).boolean(),
		obsolete("add_dir_header", "ROUTER_ADD_DIR_HEADER", form).boolean(),
		obsolete("skip_headers", "ROUTER_SKIP_HEADERS", form).boolean(),
		obsolete("log-flush-frequency", "ROUTER_LOG_FLUSH_FREQUENCY", "messages are written at once"),
		obsolete("azure-container-registry-config", "ROUTER_AZURE_CONTAINER_REGISTRY_CONFIG", registry),
		obsolete("google-json-key", "ROUTER_GOOGLE_JSON_KEY", registry).secret(),
		obsolete("log_backtrace_at", "ROUTER_LOG_BACKTRACE_AT", "messages name what failed, and have no line to wait for"),
	}
}
