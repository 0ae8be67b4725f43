package options

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"router/pkg/given"
	"router/pkg/httpheader"
	"router/pkg/model"
)

// Table is all settings, in the order in which they are documented. Names and
// variables are those of the reference router where it has one.
func Table() []Row {
	var rows []Row
	section := func(name string, list ...Row) {
		for _, r := range list {
			r.Section = name
			rows = append(rows, r)
		}
	}
	section("Where routes come from", sourceRows()...)
	section("Which routes are admitted", admissionRows()...)
	section("Ingresses", ingressRows()...)
	section("The cluster", clusterRows()...)
	section("Listening", listenRows()...)
	section("TLS", tlsRows()...)
	section("Time-outs", timeoutRows()...)
	section("Routes' defaults", routeRows()...)
	section("Headers and logs", headerRows()...)
	section("HAProxy", haproxyRows()...)
	section("Statistics, health and logs of the router", statsRows()...)
	section("Accepted, and without effect", obsoleteRows()...)
	return rows
}

func sourceRows() []Row {
	return []Row{
		file("manifests", "ROUTER_MANIFESTS", "", "Serve the objects in this directory instead of a cluster's.", func(o *Options) *string { return &o.Manifests }),
		text("name", "ROUTER_SERVICE_NAME", "public", "Name of this router in the status of routes.", func(o *Options) *string { return &o.Name }),
		custom("router-canonical-hostname", "ROUTER_CANONICAL_HOSTNAME", "", "a DNS name", "Name that clients reach this router by, for the status of routes.", func(o *Options, v string) error {
			if _, err := netip.ParseAddr(v); err == nil || v != "" && len(validation.IsDNS1123Subdomain(v)) > 0 {
				return fmt.Errorf("must be a DNS name, not an address")
			}
			o.CanonicalHostname = v
			return nil
		}).strict(),
		boolean("update-status", "ROUTER_UPDATE_STATUS", true, "Write the status of routes.", func(o *Options) *bool { return &o.UpdateStatus }),
		interval("resync-interval", "ROUTER_RESYNC_INTERVAL", "30m", 0, "Time between full replays of what is known.", func(o *Options) *time.Duration { return &o.ResyncInterval }),
		interval("external-name-interval", "ROUTER_EXTERNAL_NAME_INTERVAL", "10s", time.Second, "Time between two lookups of the name of a service of the type ExternalName.", func(o *Options) *time.Duration { return &o.ExternalNameInterval }),
		custom("labels", "ROUTE_LABELS", "", labelSelector, "Serve only routes with these labels.", func(o *Options, v string) (err error) {
			o.Labels, err = parseLabels(v)
			return err
		}).strict(),
		custom("fields", "ROUTE_FIELDS", "", "a field selector", "Serve only routes with these fields, such as metadata.name=x.", func(o *Options, v string) (err error) {
			o.Fields, err = parseFields(v)
			return err
		}).strict(),
		custom("project-labels", "PROJECT_LABELS", "", labelSelector+`, or "*" for all`, "Serve only namespaces with these labels.", func(o *Options, v string) (err error) {
			o.namespacesBy = append(o.namespacesBy, "--project-labels")
			if v != "*" {
				o.NamespaceLabels, err = parseLabels(v)
			}
			return err
		}).strict(),
		custom("namespace-labels", "NAMESPACE_LABELS", "", labelSelector, "Serve only namespaces with these labels.", func(o *Options, v string) (err error) {
			o.namespacesBy = append(o.namespacesBy, "--namespace-labels")
			o.NamespaceLabels, err = parseLabels(v)
			return err
		}).strict(),
		boolean("watch-endpoints", "ROUTER_WATCH_ENDPOINTS", false, "Read Endpoints instead of EndpointSlices.", func(o *Options) *bool { return &o.WatchEndpoints }),
		boolean("include-udp-endpoints", "ROUTER_INCLUDE_UDP_ENDPOINTS", false, "Keep endpoint ports of the protocol UDP.", func(o *Options) *bool { return &o.IncludeUDP }),
	}
}

func ingressRows() []Row {
	return []Row{
		boolean("enable-ingress", "ROUTER_ENABLE_INGRESS", false, "Serve Ingresses beside Routes; see docs/ingress.md.", func(o *Options) *bool { return &o.Ingress.Enable }),
		custom("ingress-controller", "ROUTER_INGRESS_CONTROLLER", "openshift.io/router", "a domain and a path, such as example.com/router", "Serve Ingresses whose IngressClass has this spec.controller.", func(o *Options, v string) error {
			if problems := validation.IsDomainPrefixedPath(field.NewPath("spec", "controller"), v); v == "" || len(problems) > 0 {
				return fmt.Errorf("must be a domain and a path, such as example.com/router")
			}
			o.Ingress.Controller = v
			return nil
		}),
		text("ingress-class", "ROUTER_INGRESS_CLASS", "router", "Serve Ingresses of this class also where there is no IngressClass of the name, as with the annotation kubernetes.io/ingress.class.", func(o *Options) *string { return &o.Ingress.Class }),
		custom("ingress-address", "ROUTER_INGRESS_ADDRESS", "", "IP addresses, separated by commas", "Where clients reach this router, for the status of Ingresses, if --router-canonical-hostname does not say.", func(o *Options, v string) error {
			list, err := usable(strings.Split(v, ","), func(item string) (string, error) {
				if _, err := netip.ParseAddr(strings.TrimSpace(item)); err != nil {
					return "", errors.New("not an IP address")
				}
				return strings.TrimSpace(item), nil
			})
			if len(list) > 0 {
				o.Ingress.Addresses = list
			}
			return err
		}),
	}
}

// proxyURL may have a password in it.
func proxyURL() Row {
	const accepts = "a URL with http, https or socks5"
	return Row{Flag: "proxy-url", Env: "ROUTER_KUBE_PROXY_URL", Accepts: accepts, Help: "Proxy on the way to the API server.", Secret: true, Strict: true, set: func(o *Options, v string) error {
		o.Kubernetes.ProxyURL = model.NewSecret(v)
		u, err := url.Parse(v)
		if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) {
			return errors.New("must be " + accepts) // The library's error quotes the value.
		}
		return nil
	}}
}

func admissionRows() []Row {
	return []Row{
		text("hostname-template", "ROUTER_SUBDOMAIN", "", "Host of routes without one, from ${name} and ${namespace}.", func(o *Options) *string { return &o.HostnameTemplate }),
		text("router-domain", "ROUTER_DOMAIN", "", "Domain that completes spec.subdomain, and that the self-signed certificate is for.", func(o *Options) *string { return &o.RouterDomain }),
		boolean("override-hostname", "ROUTER_OVERRIDE_HOSTNAME", false, "Use the template for every route.", func(o *Options) *bool { return &o.OverrideHostname }),
		list("override-domains", "ROUTER_OVERRIDE_DOMAINS", "Use the template for hosts in or below these domains.", func(o *Options) *[]string { return &o.OverrideDomains }),
		list("denied-domains", "ROUTER_DENIED_DOMAINS", "Refuse hosts in or below these domains.", func(o *Options) *[]string { return &o.DeniedDomains }),
		list("allowed-domains", "ROUTER_ALLOWED_DOMAINS", "Admit only hosts in or below these domains.", func(o *Options) *[]string { return &o.AllowedDomains }),
		boolean("allow-wildcard-routes", "ROUTER_ALLOW_WILDCARD_ROUTES", false, "Admit routes with wildcardPolicy Subdomain.", func(o *Options) *bool { return &o.AllowWildcardRoutes }),
		boolean("disable-namespace-ownership-check", "ROUTER_DISABLE_NAMESPACE_OWNERSHIP_CHECK", false, "Let several namespaces share a host, with different paths.", func(o *Options) *bool { return &o.DisableNamespaceOwnershipCheck }),
		boolean("allow-external-certificates", "ROUTER_ENABLE_EXTERNAL_CERTIFICATE", true, "Let routes have their certificate in a Secret (spec.tls.externalCertificate).", func(o *Options) *bool { return &o.ExternalCertificates }),
		boolean("extended-validation", "EXTENDED_VALIDATION", true, "Check TLS settings and certificates before a route is admitted.", func(o *Options) *bool { return &o.ExtendedValidation }).strict(),
	}
}

func clusterRows() []Row {
	k := func(flag, env, help string, field func(*Kubernetes) *string) Row {
		return text(flag, env, "", help, func(o *Options) *string { return field(&o.Kubernetes) })
	}
	p := func(flag, env, help string, field func(*Kubernetes) *given.Path) Row {
		return file(flag, env, "", help, func(o *Options) *given.Path { return field(&o.Kubernetes) })
	}
	return []Row{
		p("config", "KUBECONFIG", "Path of a kubeconfig file.", func(c *Kubernetes) *given.Path { return &c.Kubeconfig }).alias("kubeconfig", ""),
		k("context", "ROUTER_KUBE_CONTEXT", "Context of the kubeconfig file.", func(c *Kubernetes) *string { return &c.Context }),
		k("cluster", "ROUTER_KUBE_CLUSTER", "Cluster of the kubeconfig file.", func(c *Kubernetes) *string { return &c.Cluster }),
		k("user", "ROUTER_KUBE_USER", "User of the kubeconfig file.", func(c *Kubernetes) *string { return &c.User }),
		k("namespace", "ROUTER_NAMESPACE", "Watch only this namespace.", func(c *Kubernetes) *string { return &c.Namespace }),
		k("server", "KUBERNETES_MASTER", "Address of the API server.", func(c *Kubernetes) *string { return &c.Server }).alias("master", "").alias("kubernetes", ""),
		p("certificate-authority", "ROUTER_KUBE_CERTIFICATE_AUTHORITY", "Path of the API server's CA.", func(c *Kubernetes) *given.Path { return &c.CertificateAuthority }),
		p("client-certificate", "ROUTER_KUBE_CLIENT_CERTIFICATE", "Path of a certificate to show to the API server.", func(c *Kubernetes) *given.Path { return &c.ClientCertificate }),
		p("client-key", "ROUTER_KUBE_CLIENT_KEY", "Path of its key.", func(c *Kubernetes) *given.Path { return &c.ClientKey }),
		secret("token", "ROUTER_KUBE_TOKEN", anyText, "Bearer token for the API server.", func(o *Options) *model.Secret { return &o.Kubernetes.Token }),
		k("tls-server-name", "ROUTER_KUBE_TLS_SERVER_NAME", "Name that the API server's certificate must have.", func(c *Kubernetes) *string { return &c.TLSServerName }),
		proxyURL(),
		k("as", "ROUTER_KUBE_AS", "User to act as.", func(c *Kubernetes) *string { return &c.As }),
		k("as-uid", "ROUTER_KUBE_AS_UID", "UID to act as.", func(c *Kubernetes) *string { return &c.AsUID }),
		list("as-group", "ROUTER_KUBE_AS_GROUP", "Groups to act as.", func(o *Options) *[]string { return &o.Kubernetes.AsGroups }),
		boolean("insecure-skip-tls-verify", "ROUTER_KUBE_INSECURE_SKIP_TLS_VERIFY", false, "Do not check the API server's certificate.", func(o *Options) *bool { return &o.Kubernetes.InsecureSkipTLSVerify }),
		boolean("disable-compression", "ROUTER_KUBE_DISABLE_COMPRESSION", false, "Ask the API server for uncompressed answers.", func(o *Options) *bool { return &o.Kubernetes.DisableCompression }),
		custom("request-timeout", "ROUTER_KUBE_REQUEST_TIMEOUT", "0", "a time such as 30s, or a number of seconds", "Bound of a request to the API server; 0 for none.", func(o *Options, v string) error {
			_, errNumber := strconv.ParseUint(v, 10, 31)
			if d, err := time.ParseDuration(v); errNumber != nil && (err != nil || d < 0) {
				return fmt.Errorf("it is neither")
			}
			o.Kubernetes.RequestTimeout = v
			return nil
		}).strict(),
	}
}

const maxPort = 65535

func listenRows() []Row {
	return []Row{
		integer("http-port", "ROUTER_SERVICE_HTTP_PORT", 80, 1, maxPort, "Port for HTTP.", func(o *Options) *int { return &o.Global.Listen.HTTPPort }).strict(),
		integer("https-port", "ROUTER_SERVICE_HTTPS_PORT", 443, 1, maxPort, "Port for HTTPS.", func(o *Options) *int { return &o.Global.Listen.HTTPSPort }).strict(),
		custom("bind-address", "ROUTER_BIND_ADDRESS", "", "an IP address", "Listen for clients on this address only.", func(o *Options, v string) error {
			if _, err := netip.ParseAddr(v); err != nil {
				return fmt.Errorf("must be an IP address")
			}
			o.Global.Listen.Address = v
			return nil
		}).strict(),
		choice("ip-mode", "ROUTER_IP_V4_V6_MODE", "v4", "Address families to listen on.", func(o *Options) *model.IPMode { return &o.Global.Listen.Mode }, model.IPv4, model.IPv6, model.IPv4IPv6),
		boolean("use-proxy-protocol", "ROUTER_USE_PROXY_PROTOCOL", false, "Expect the PROXY protocol from clients.", func(o *Options) *bool { return &o.Global.Listen.AcceptProxy }),
		spec("inspect-delay", "ROUTER_INSPECT_DELAY", "5s", "How long to wait for a client's first bytes.", func(o *Options) *time.Duration { return &o.Global.Listen.InspectDelay }),
		custom("max-connections", "ROUTER_MAX_CONNECTIONS", "50000", "a whole number above 0, or auto", "Connections that are open at a time. Each takes two open files: where the hard limit (ulimit -Hn) is too low, there are fewer, with a warning.", func(o *Options, v string) error {
			n, err := strconv.Atoi(v)
			if v != "auto" && (err != nil || n < 1) {
				return fmt.Errorf("must be a whole number above 0, or auto")
			}
			o.Global.MaxConnections = n
			return nil
		}),
		integer("route-connection-share", "ROUTER_ROUTE_CONNECTION_SHARE", 50, 0, 100, "What one route may have of --max-connections, in percent, so that none keeps the others out; 0 or 100 for no bound. See docs/loops.md.", func(o *Options) *int { return &o.Global.RouteShare }),
	}
}

func timeoutRows() []Row {
	t := func(flag, env, def, help string, field func(*model.Timeouts) *time.Duration) Row {
		return spec(flag, env, def, help, func(o *Options) *time.Duration { return field(&o.Global.Timeouts) })
	}
	return []Row{
		t("default-connect-timeout", "ROUTER_DEFAULT_CONNECT_TIMEOUT", "5s", "Wait for a connection to a server.", func(x *model.Timeouts) *time.Duration { return &x.Connect }),
		t("default-client-timeout", "ROUTER_DEFAULT_CLIENT_TIMEOUT", "30s", "Wait for a client to go on.", func(x *model.Timeouts) *time.Duration { return &x.Client }),
		t("client-fin-timeout", "ROUTER_CLIENT_FIN_TIMEOUT", "1s", "Wait for a client to close.", func(x *model.Timeouts) *time.Duration { return &x.ClientFin }),
		t("default-server-timeout", "ROUTER_DEFAULT_SERVER_TIMEOUT", "30s", "Wait for a server to answer.", func(x *model.Timeouts) *time.Duration { return &x.Server }),
		t("default-server-fin-timeout", "ROUTER_DEFAULT_SERVER_FIN_TIMEOUT", "1s", "Wait for a server to close.", func(x *model.Timeouts) *time.Duration { return &x.ServerFin }),
		t("http-request-timeout", "ROUTER_SLOWLORIS_TIMEOUT", "10s", "Wait for a whole request header.", func(x *model.Timeouts) *time.Duration { return &x.HTTPRequest }),
		t("http-keep-alive-timeout", "ROUTER_SLOWLORIS_HTTP_KEEPALIVE", "300s", "Wait for the next request on a connection.", func(x *model.Timeouts) *time.Duration { return &x.HTTPKeepAlive }),
		t("default-tunnel-timeout", "ROUTER_DEFAULT_TUNNEL_TIMEOUT", "1h", "Silence on a WebSocket or passthrough connection.", func(x *model.Timeouts) *time.Duration { return &x.Tunnel }),
		spec("hard-stop-after", "ROUTER_HARD_STOP_AFTER", "", "End an old process this long after a reload, connections or not.", func(o *Options) *time.Duration { return &o.Global.HardStopAfter }),
	}
}

// defaultCheckRate costs less than a fiftieth of a core, and is enough to check
// 1,000 servers every 5 s.
const defaultCheckRate = 200

// Bounds of servers. Each costs HAProxy 5 to 10 kB in each process, and time at
// each reload, which everybody waits for: a million are 10 GB.
const (
	// maxServersPerRoute is more pods than services have.
	maxServersPerRoute = 1000
	// maxServersPerNamespace is 100 MB; it lets ten such routes be, or a thousand
	// of ten pods.
	maxServersPerNamespace = 10_000
	maxServers             = 1_000_000
)

func routeRows() []Row {
	algorithms := []model.Balance{model.BalanceRoundRobin, model.BalanceLeastConn, model.BalanceSource, model.BalanceRandom}
	return []Row{
		choice("load-balance-algorithm", "ROUTER_LOAD_BALANCE_ALGORITHM", "random", "How a server is chosen.", func(o *Options) *model.Balance { return &o.Routes.Balance }, algorithms...),
		choice("tcp-balance-scheme", "ROUTER_TCP_BALANCE_SCHEME", "source", "How a server is chosen for passthrough.", func(o *Options) *model.Balance { return &o.Routes.TCPBalance }, algorithms...),
		spec("backend-check-interval", "ROUTER_BACKEND_CHECK_INTERVAL", "5000ms", "Time between health checks of a server, at least "+model.MinCheckInterval.String()+", if their rate allows it.", func(o *Options) *time.Duration { return &o.Routes.CheckInterval }),
		integer("health-check-rate", "ROUTER_HEALTH_CHECK_RATE", defaultCheckRate, 0, 10000, "Health checks in a second, of all servers together. Where that is too few for --backend-check-interval, each server is checked less often. 0 is for none.", func(o *Options) *int { return &o.HealthCheckRate }),
		custom("cookie-name", "ROUTER_COOKIE_NAME", "", fmt.Sprintf("letters, digits, _ and -, at most %d", model.MaxCookieName), "Name of session cookies; without one each route has its own.", func(o *Options, v string) error {
			if len(v) > model.MaxCookieName || strings.ContainsFunc(v, func(r rune) bool {
				return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
			}) {
				return fmt.Errorf("must have only letters, digits, _ and -, at most %d of them", model.MaxCookieName)
			}
			o.Routes.CookieName = v
			return nil
		}),
		choice("set-forwarded-headers", "ROUTER_SET_FORWARDED_HEADERS", "append", "What becomes of X-Forwarded-* and Forwarded.", func(o *Options) *model.ForwardedPolicy { return &o.Global.Headers.Forwarded },
			model.ForwardedAppend, model.ForwardedReplace, model.ForwardedIfNone, model.ForwardedNever),
		integer("max-servers-per-route", "ROUTER_MAX_SERVERS_PER_ROUTE", maxServersPerRoute, 1, maxServers, "Servers of one route: its endpoints, each of their ports counted. More are left out.", func(o *Options) *int { return &o.Routes.MaxServers }),
		integer("max-servers-per-namespace", "ROUTER_MAX_SERVERS_PER_NAMESPACE", maxServersPerNamespace, 1, maxServers, "Servers of all routes of a namespace. If there are more, routes with few keep them, and the others get equal parts.", func(o *Options) *int { return &o.Routes.MaxServersPerNamespace }),
		boolean("retry-unanswered-requests", "ROUTER_RETRY_UNANSWERED_REQUESTS", true, "Send a GET, HEAD or OPTIONS request that a pod ends without an answer once more, to another pod if there is one. With it, a connection is tried twice in all; without it, up to four times.", func(o *Options) *bool { return &o.Global.RetryUnanswered }),
		file("default-destination-ca-path", "DEFAULT_DESTINATION_CA_PATH", "", "CA that re-encrypt servers are verified by where the route gives none.", func(o *Options) *given.Path { return &o.DefaultDestinationCAPath }),
	}
}

func headerRows() []Row {
	return []Row{
		captures("capture-http-request-headers", "ROUTER_CAPTURE_HTTP_REQUEST_HEADERS", "Request headers for the access log.", func(o *Options) *[]model.Capture { return &o.Global.Headers.CaptureRequest }).strict(),
		captures("capture-http-response-headers", "ROUTER_CAPTURE_HTTP_RESPONSE_HEADERS", "Response headers for the access log.", func(o *Options) *[]model.Capture { return &o.Global.Headers.CaptureResponse }).strict(),
		custom("capture-http-cookie", "ROUTER_CAPTURE_HTTP_COOKIE", "", "NAME:LENGTH for names that begin so, NAME=:LENGTH for that name", "A cookie for the access log.", func(o *Options, v string) error {
			c, err := parseCapture(strings.Replace(v, "=:", ":", 1))
			if err != nil {
				return err
			}
			c.Exact = strings.Contains(v, "=:")
			o.Global.Headers.CaptureCookie = &c
			return nil
		}).strict(),
		custom("http-header-name-case-adjustments", "ROUTER_H1_CASE_ADJUST", "", "header names, separated by commas", "Header names in the case in which HTTP/1 clients, and servers of routes that ask for it, get them.", func(o *Options, v string) error {
			names := strings.Split(v, ",")
			for _, n := range names {
				if !httpheader.ValidName(n) {
					return fmt.Errorf("has %q, which is not a header name", n)
				}
			}
			o.Global.Headers.CaseAdjust = names
			return nil
		}).strict(),
		actions("set-delete-http-response-header", "ROUTER_HTTP_RESPONSE_HEADERS", "Response headers to set or delete.", httpheader.Response, func(o *Options) *[]model.HeaderAction { return &o.Global.Headers.Response }).strict(),
		actions("set-delete-http-request-header", "ROUTER_HTTP_REQUEST_HEADERS", "Request headers to set or delete.", httpheader.Request, func(o *Options) *[]model.HeaderAction { return &o.Global.Headers.Request }).strict(),
		haproxyText("unique-id-format", "ROUTER_UNIQUE_ID_FORMAT", "a log-format of HAProxy", "A request's identifier, for the access log (%ID) and the header.", func(o *Options) *string { return &o.Global.Headers.UniqueIDFormat }).strict(),
		uniqueIDHeader().strict(),
		syslogAddress().strict(),
		integer("log-max-length", "ROUTER_LOG_MAX_LENGTH", 1024, 80, 65535, "Longest line of the access log, in bytes.", func(o *Options) *int { return &o.Global.Log.MaxLength }),
		logFacility().strict(),
		choice("log-level", "ROUTER_LOG_LEVEL", "warning", "Least syslog level of the access log.", func(o *Options) *string { return &o.Global.Log.Level }, "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug").strict(),
		haproxyText("syslog-format", "ROUTER_SYSLOG_FORMAT", "a log-format of HAProxy", "Lines of the access log; without one, HAProxy's HTTP log. %b and %s, be_name and srv_name name the route and the pod, whatever HAProxy calls them.", func(o *Options) *string { return &o.Global.Log.Format }).strict(),
		boolean("dont-log-null", "ROUTER_DONT_LOG_NULL", false, "Do not log connections without a request.", func(o *Options) *bool { return &o.Global.DontLogNull }),
		boolean("http-ignore-probes", "ROUTER_HTTP_IGNORE_PROBES", false, "Do not log or answer connections that browsers open ahead.", func(o *Options) *bool { return &o.Global.IgnoreProbes }),
	}
}

func parseCapture(v string) (model.Capture, error) {
	name, length, found := strings.Cut(v, ":")
	n, err := strconv.Atoi(length)
	if !found || err != nil || n < 1 || !httpheader.ValidName(name) {
		return model.Capture{}, fmt.Errorf("must have the form NAME:LENGTH")
	}
	return model.Capture{Name: name, Length: n}, nil
}

func captures(flag, env, help string, field func(*Options) *[]model.Capture) Row {
	return custom(flag, env, "", "NAME:LENGTH, separated by commas", help, func(o *Options, v string) error {
		var list []model.Capture
		for item := range strings.SplitSeq(v, ",") {
			c, err := parseCapture(strings.TrimSpace(item))
			if err != nil {
				return err
			}
			list = append(list, c)
		}
		*field(o) = list
		return nil
	})
}

// mediaType takes what HAProxy compares the beginning of a Content-Type with:
// a type and its subtype, with or without parameters.
func mediaType(v string) (string, error) {
	media, _, _ := strings.Cut(v, ";")
	kind, subtype, _ := strings.Cut(media, "/")
	if !httpheader.ValidName(kind) || !httpheader.ValidName(strings.TrimSpace(subtype)) ||
		strings.ContainsFunc(v, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		return "", errors.New("not a media type")
	}
	return v, nil
}

func haproxyRows() []Row {
	return []Row{
		file("haproxy", "ROUTER_HAPROXY", "haproxy", "The HAProxy to run, version 2.6 or newer: a path, or a name on PATH.", func(o *Options) *string { return &o.HAProxy }),
		file("working-dir", "ROUTER_WORKING_DIR", "/var/lib/haproxy", "Directory for HAProxy's files and sockets.", func(o *Options) *string { return &o.WorkingDir }),
		file("template", "TEMPLATE_FILE", "", "Template file, or directory of *.tmpl files, whose definitions replace built-in ones.", func(o *Options) *string { return &o.Template }),
		interval("interval", "RELOAD_INTERVAL", "5s", time.Second, "Least time between two reloads.", func(o *Options) *time.Duration { return &o.Interval }),
		interval("worker-max-age", "ROUTER_WORKER_MAX_AGE", "0", 0, "How long an old process may keep connections after a reload; then they are closed, a few at a time over 30s. 0 for no bound.", func(o *Options) *time.Duration { return &o.WorkerMaxAge }),
		integer("threads", "ROUTER_THREADS", 0, 0, 1024, "Threads of HAProxy; 0 for as many as there are CPUs.", func(o *Options) *int { return &o.Global.Threads }),
		integer("buf-size", "ROUTER_BUF_SIZE", 32768, 16384, 1<<20, "Buffer for a message's headers, in bytes.", func(o *Options) *int { return &o.Global.BufferSize }),
		integer("max-rewrite-size", "ROUTER_MAX_REWRITE_SIZE", 8192, 1024, 1<<19, "Part of it that is kept for added headers, in bytes.", func(o *Options) *int { return &o.Global.MaxRewrite }),
		boolean("enable-compression", "ROUTER_ENABLE_COMPRESSION", false, "Compress responses with gzip.", func(o *Options) *bool { return &o.Global.Compression }),
		custom("compression-mime", "ROUTER_COMPRESSION_MIME", "text/html text/plain text/css", "media types, separated by blanks", "What is compressed.", func(o *Options, v string) error {
			items, err := words(v)
			if err != nil {
				return err
			}
			types, err := usable(items, mediaType)
			if len(types) > 0 {
				o.Global.CompressionTypes = types
			}
			return err
		}),
		inverse("disable-http2", "ROUTER_DISABLE_HTTP2", false, "Speak only HTTP/1.1.", func(o *Options) *bool { return &o.Global.HTTP2 }),
		boolean("idle-close-on-response", "ROUTER_IDLE_CLOSE_ON_RESPONSE", true, "At a reload, close idle connections only after their next response.", func(o *Options) *bool { return &o.Global.IdleCloseOnResponse }),
		boolean("haproxy-contstats", "ROUTER_HAPROXY_CONTSTATS", false, "Count bytes while a transfer goes on.", func(o *Options) *bool { return &o.Global.ContStats }),
		boolean("abort-on-close", "ROUTER_ABORT_ON_CLOSE", false, "Drop a waiting request when its client is gone.", func(o *Options) *bool { return &o.Global.AbortOnClose }),
		file("errorfile-503", "ROUTER_ERRORFILE_503", "", "Raw HTTP response where nobody serves a request.", func(o *Options) *string { return &o.Global.ErrorPage503 }),
		custom("errorfile-404", "ROUTER_ERRORFILE_404", "", "a path", "Raw HTTP response where no route matches; with it, the answer is 404 instead of 503.", func(o *Options, v string) error {
			o.Global.ErrorPage404, o.Global.NotFound404 = v, v != ""
			return given.CheckPath(v)
		}).strict(),
		interval("graceful-shutdown-delay", "ROUTER_GRACEFUL_SHUTDOWN_DELAY", "45s", 0, "Time between the signal to stop and the stop, for load balancers to notice; a second signal ends all at once.", func(o *Options) *time.Duration { return &o.GracefulShutdownDelay }).offline("0s"),
		integer("blueprint-route-pool-size", "ROUTER_BLUEPRINT_ROUTE_POOL_SIZE", 10, 0, 1000, "Backends prepared for each kind of settings that routes have, where HAProxy cannot add them while it runs.", func(o *Options) *int { return &o.Spares }).
			alias("spare-backends", ""),
		seconds("max-shutdown-timeout", "ROUTER_MAX_SHUTDOWN_TIMEOUT", "30", 0, "How long open connections then have to end.", func(o *Options) *time.Duration { return &o.ShutdownTimeout }).
			alias("haproxy-max-shutdown-timeout", "HAPROXY_MAX_SHUTDOWN_TIMEOUT"),
		seconds("max-reload-wait-time", "MAX_RELOAD_WAIT_TIME", "120", 1, "How long HAProxy may take to load its files before a reload counts as failed.", func(o *Options) *time.Duration { return &o.ReloadTimeout }),
	}
}
