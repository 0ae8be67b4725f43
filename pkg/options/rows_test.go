package options

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"router/pkg/model"
)

// rowCase is one row's values: where they go, what is there without any, a
// good one and what becomes of it, and bad ones.
type rowCase struct {
	flag, field, absent string
	good, becomes       string
	bad                 []string
}

// all is the list of bad values of rows that take every text.
var all []string

func no(values ...string) []string { return values }

// rowCases has a line for every row that has an effect.
func rowCases() []rowCase {
	times, spec, truth := no("x", "5", "-1s"), no("x", "0", "1.5s", "1h30m", "-1"), no("yes", "x", "2")
	port := no("0", "65536", "x", "80 ")
	return []rowCase{
		{"manifests", "Manifests", "", "dir", "dir", all},
		{"name", "Name", "public", "internal", "internal", all},
		{"router-canonical-hostname", "CanonicalHostname", "", "apps.test", "apps.test", no("10.0.0.1", "a_b", "::1")},
		{"update-status", "UpdateStatus", "true", "f", "false", truth},
		{"resync-interval", "ResyncInterval", "30m0s", "1m30s", "1m30s", times},
		{"external-name-interval", "ExternalNameInterval", "10s", "1s", "1s", no("999ms", "x", "5")},
		{"labels", "Labels", "<nil>", "a=b,c in (d)", "a=b,c in (d)", no("a=b=c", "a in b")},
		{"fields", "Fields", "<nil>", "metadata.name=x", "metadata.name=x", no("a", "spec.hots=x")},
		{"project-labels", "NamespaceLabels", "<nil>", "a in (b,c)", "a in (b,c)", no("a=b=c", "**")},
		{"namespace-labels", "NamespaceLabels", "<nil>", "a!=b", "a!=b", no("a=b=c", "*")},
		{"watch-endpoints", "WatchEndpoints", "false", "T", "true", truth},
		{"enable-ingress", "Ingress.Enable", "false", "true", "true", truth},
		{"ingress-controller", "Ingress.Controller", "openshift.io/router", "example.com/router", "example.com/router", no("router")},
		{"ingress-class", "Ingress.Class", "router", "c", "c", all},
		{"ingress-address", "Ingress.Addresses", "[]", "192.0.2.1,2001:db8::1", "[192.0.2.1 2001:db8::1]", no("lb.test")},
		{"include-udp-endpoints", "IncludeUDP", "false", "1", "true", truth},

		{"hostname-template", "HostnameTemplate", "", "${name}.test", "${name}.test", all},
		{"router-domain", "RouterDomain", "", "test", "test", all},
		{"override-hostname", "OverrideHostname", "false", "TRUE", "true", truth},
		{"override-domains", "OverrideDomains", "[]", "a, ,b,", "[a b]", all},
		{"denied-domains", "DeniedDomains", "[]", " a ,b", "[a b]", all},
		{"allowed-domains", "AllowedDomains", "[]", "a", "[a]", all},
		{"allow-wildcard-routes", "AllowWildcardRoutes", "false", "true", "true", truth},
		{"disable-namespace-ownership-check", "DisableNamespaceOwnershipCheck", "false", "True", "true", truth},
		{"allow-external-certificates", "ExternalCertificates", "true", "false", "false", truth},
		{"extended-validation", "ExtendedValidation", "true", "false", "false", truth},

		{"config", "Kubernetes.Kubeconfig", "", "f", "f", all},
		{"context", "Kubernetes.Context", "", "c", "c", all},
		{"cluster", "Kubernetes.Cluster", "", "c", "c", all},
		{"user", "Kubernetes.User", "", "u", "u", all},
		{"namespace", "Kubernetes.Namespace", "", "ns", "ns", all},
		{"server", "Kubernetes.Server", "", "https://a:6443", "https://a:6443", all},
		{"certificate-authority", "Kubernetes.CertificateAuthority", "", "f", "f", all},
		{"client-certificate", "Kubernetes.ClientCertificate", "", "f", "f", all},
		{"client-key", "Kubernetes.ClientKey", "", "f", "f", all},
		{"token", "Kubernetes.Token", "", "secret", "secret", all},
		{"tls-server-name", "Kubernetes.TLSServerName", "", "n", "n", all},
		{"proxy-url", "Kubernetes.ProxyURL", "", "http://p", "http://p", all},
		{"as", "Kubernetes.As", "", "u", "u", all},
		{"as-uid", "Kubernetes.AsUID", "", "1", "1", all},
		{"as-group", "Kubernetes.AsGroups", "[]", "a,b", "[a b]", all},
		{"insecure-skip-tls-verify", "Kubernetes.InsecureSkipTLSVerify", "false", "true", "true", truth},
		{"disable-compression", "Kubernetes.DisableCompression", "false", "true", "true", truth},
		{"request-timeout", "Kubernetes.RequestTimeout", "0", "30s", "30s", no("x", "-1", "-1s")},

		{"http-port", "Global.Listen.HTTPPort", "80", "8080", "8080", port},
		{"https-port", "Global.Listen.HTTPSPort", "443", "8443", "8443", port},
		{"bind-address", "Global.Listen.Address", "", "::1", "::1", no("localhost", "127.0.0.1:80")},
		{"ip-mode", "Global.Listen.Mode", "v4", "v4v6", "v4v6", no("v5", "V6")},
		{"use-proxy-protocol", "Global.Listen.AcceptProxy", "false", "true", "true", truth},
		{"inspect-delay", "Global.Listen.InspectDelay", "5s", "250", "250ms", spec},
		{"max-connections", "Global.MaxConnections", "50000", "auto", "0", no("0", "-5", "x", "1e3")},
		{"route-connection-share", "Global.RouteShare", "50", "100", "100", no("-1", "101", "x", "50%")},

		{"default-certificate-path", "DefaultCertificatePath", "", "f.pem", "f.pem", all},
		{"default-certificate", "DefaultCertificate", "", "PEM", "PEM", all},
		{"default-certificate-dir", "DefaultCertificateDir", "", "d", "d", all},
		{"ssl-min-version", "Global.TLS.MinVersion", "TLSv1.2", "TLSv1.3", "TLSv1.3", no("1.3", "tlsv1.2")},
		{"ssl-max-version", "Global.TLS.MaxVersion", "", "TLSv1.2", "TLSv1.2", no("1.3")},
		{"ciphers", "Global.TLS.Ciphers", ciphersIntermediate, "modern", ciphersModern, no("a b", "a'b")},
		{"ciphersuites", "Global.TLS.CipherSuites", "", "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", no("a:", "a b")},
		{"curves", "Global.TLS.Curves", "", "X25519:P-256", "X25519:P-256", no("X25519,P-256", "a:")},
		{"strict-sni", "Global.TLS.StrictSNI", "false", "t", "true", truth},
		{"mutual-tls-auth", "Global.TLS.ClientAuth", "", "required", "required", no("maybe", "Required")},
		{"mutual-tls-auth-ca", "ClientCAFile", "", "f", "f", all},
		{"mutual-tls-auth-crl", "ClientCRLFile", "", "f", "f", all},
		{"mutual-tls-auth-filter", "Global.TLS.ClientDNFilter", "", `"CN=(a b)"`, "CN=(a b)", all},
		{"mutual-tls-header-filter", "Global.TLS.KeepClientHeaders", "false", "false", "true", truth},

		{"default-connect-timeout", "Global.Timeouts.Connect", "5s", "1m", "1m0s", spec},
		{"default-client-timeout", "Global.Timeouts.Client", "30s", "2h", "2h0m0s", spec},
		{"client-fin-timeout", "Global.Timeouts.ClientFin", "1s", "7s", "7s", spec},
		{"default-server-timeout", "Global.Timeouts.Server", "30s", "1d", "24h0m0s", spec},
		{"default-server-fin-timeout", "Global.Timeouts.ServerFin", "1s", "7s", "7s", spec},
		{"http-request-timeout", "Global.Timeouts.HTTPRequest", "10s", "7s", "7s", spec},
		{"http-keep-alive-timeout", "Global.Timeouts.HTTPKeepAlive", "5m0s", "7s", "7s", spec},
		{"default-tunnel-timeout", "Global.Timeouts.Tunnel", "1h0m0s", "99999d", "596h31m23.647s", spec},
		{"hard-stop-after", "Global.HardStopAfter", "0s", "1h", "1h0m0s", spec},

		{"load-balance-algorithm", "Routes.Balance", "random", "leastconn", "leastconn", no("first")},
		{"tcp-balance-scheme", "Routes.TCPBalance", "source", "roundrobin", "roundrobin", no("x")},
		{"backend-check-interval", "Routes.CheckInterval", "5s", "1m", "1m0s", spec},
		{"cookie-name", "Routes.CookieName", "", "a_B-1", "a_B-1", no("a b", "a;b", strings.Repeat("c", 129))},
		{"set-forwarded-headers", "Global.Headers.Forwarded", "append", "if-none", "if-none", no("x", "Append")},
		{"max-servers-per-route", "Routes.MaxServers", "1000", "7", "7", no("0", "x", "1000001")},
		{"max-servers-per-namespace", "Routes.MaxServersPerNamespace", "10000", "7", "7", no("0", "-1")},
		{"retry-unanswered-requests", "Global.RetryUnanswered", "true", "false", "false", truth},
		{"default-destination-ca-path", "DefaultDestinationCAPath", "", "f", "f", all},

		{"capture-http-request-headers", "Global.Headers.CaptureRequest", "[]", "Host:10,X-A:5", "[{Host 10 false} {X-A 5 false}]", no("Host", "Host:x", "Host:0", "a b:1", "Host:1:2")},
		{"capture-http-response-headers", "Global.Headers.CaptureResponse", "[]", "X-A:5", "[{X-A 5 false}]", no("X A:5")},
		{"capture-http-cookie", "Global.Headers.CaptureCookie", "<nil>", "sid=:10", "{sid 10 true}", no("sid", "a b:1")},
		{"http-header-name-case-adjustments", "Global.Headers.CaseAdjust", "[]", "X-Foo,HOST", "[X-Foo HOST]", no("X Foo", "a,,b")},
		{"set-delete-http-response-header", "Global.Headers.Response", "[]", "Server:Delete", "[{Server true []}]", no("X-A:b:Append", "X-A:Set", "a", "%zz:Delete")},
		{"set-delete-http-request-header", "Global.Headers.Request", "[]", "X-A:Delete", "[{X-A true []}]", no("a:b:c:d", "X-A:b:set")},
		{"unique-id-format", "Global.Headers.UniqueIDFormat", "", `"%{+X}o %ci"`, "%{+X}o %ci", all},
		{"unique-id-header-name", "Global.Headers.UniqueIDHeader", "", "X-Id", "X-Id", no("X Id", "Content-length")},
		{"syslog-address", "Global.Log.Address", "", "::1", "[::1]:514", no("a b", "10.0.0.1:0", "run/socket")},
		{"log-max-length", "Global.Log.MaxLength", "1024", "2048", "2048", no("x", "79", "65536")},
		{"log-facility", "Global.Log.Facility", "local1", "local7", "local7", no("local8")},
		{"log-level", "Global.Log.Level", "warning", "info", "info", no("x")},
		{"syslog-format", "Global.Log.Format", "", `%ci\ %r`, "%ci %r", all},
		{"dont-log-null", "Global.DontLogNull", "false", "true", "true", truth},
		{"http-ignore-probes", "Global.IgnoreProbes", "false", "true", "true", truth},

		{"haproxy", "HAProxy", "haproxy", "/h", "/h", all},
		{"working-dir", "WorkingDir", "/var/lib/haproxy", "/w", "/w", all},
		{"template", "Template", "", "t", "t", all},
		{"interval", "Interval", "5s", "1s", "1s", no("999ms", "x", "5")},
		{"worker-max-age", "WorkerMaxAge", "0s", "1h", "1h0m0s", no("-1s", "x")},
		{"threads", "Global.Threads", "0", "4", "4", no("-1", "x", "1025")},
		{"buf-size", "Global.BufferSize", "32768", "65536", "65536", no("1", "x")},
		{"max-rewrite-size", "Global.MaxRewrite", "8192", "4096", "4096", no("1", "x")},
		{"enable-compression", "Global.Compression", "false", "true", "true", truth},
		{"compression-mime", "Global.CompressionTypes", "[text/html text/plain text/css]", `a/b  "c/d"`, "[a/b c/d]", no("html", `"a/b`)},
		{"disable-http2", "Global.HTTP2", "true", "true", "false", truth},
		{"idle-close-on-response", "Global.IdleCloseOnResponse", "true", "false", "false", truth},
		{"haproxy-contstats", "Global.ContStats", "false", "true", "true", truth},
		{"abort-on-close", "Global.AbortOnClose", "false", "true", "true", truth},
		{"errorfile-503", "Global.ErrorPage503", "", "f", "f", all},
		{"errorfile-404", "Global.ErrorPage404", "", "f", "f", all},
		{"graceful-shutdown-delay", "GracefulShutdownDelay", "45s", "0s", "0s", times},
		{"health-check-rate", "HealthCheckRate", "200", "0", "0", no("-1", "x", "10001")},
		{"blueprint-route-pool-size", "Spares", "10", "32", "32", no("-1", "x", "1001")},
		{"max-shutdown-timeout", "ShutdownTimeout", "30s", "0", "0s", no("5s", "-1", "x")},
		{"max-reload-wait-time", "ReloadTimeout", "2m0s", "60", "1m0s", no("0", "5s", "x")},

		{"listen-addr", "ListenAddr", "", "[::1]:1936", "[::1]:1936", no("localhost", ":x", "1936", ":99999")},
		{"stats-port", "StatsPort", "1936", "1937", "1937", port},
		{"stats-user", "StatsUser", "admin", "u", "u", all},
		{"stats-password", "StatsPassword", "", "p w", "p w", all},
		{"stats-user-file", "StatsUserFile", "", "f", "f", all},
		{"stats-password-file", "StatsPasswordFile", "", "f", "f", all},
		{"metrics-ready-http-url", "ReadyURL", "", "https://a/b", "https://a/b", no("a", "file:///a", "http://", "://")},
		{"bind-ports-before-sync", "LeaveOutSocketCheck", "false", "true", "true", truth},
		{"metrics-type", "Metrics.Type", "haproxy", "none", "none", no("x", "HAProxy")},
		{"metrics-haproxy-server-threshold", "Metrics.ServerThreshold", "500", "0", "0", no("-1", "x")},
		{"metrics-haproxy-base-scrape-interval", "Metrics.ScrapeInterval", "5s", "1m", "1m0s", no("0s", "5", "x")},
		{"metrics-haproxy-timeout", "Metrics.ScrapeTimeout", "5s", "1m", "1m0s", no("0s", "5", "x")},
		{"metrics-haproxy-exported", "Metrics.Exported", "[]", "2, 18", "[2 18]", no("x", "2,", "-1")},
		{"metrics-tls-cert-file", "Metrics.TLS.CertFile", "", "f", "f", all},
		{"metrics-tls-key-file", "Metrics.TLS.KeyFile", "", "f", "f", all},
		{"metrics-tls-min-version", "Metrics.TLS.MinVersion", "771", "VersionTLS13", "772", no("TLSv1.2", "VersionSSL30")},
		{"metrics-tls-ciphers", "Metrics.TLS.Ciphers", "[]", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:TLS_RSA_WITH_RC4_128_SHA", "[49199 5]", no("x", ":", "ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM", "_CHACHA20_POLY1305")},
		{"metrics-tls-curves", "Metrics.TLS.Curves", "[]", "X25519,secp256r1:secp521r1", "[X25519 CurveP256 CurveP521]", no("x", ",")},
		{"verbosity", "LogLevel", "info", "debug", "debug", no("x", "warning")},
		{"message-format", "LogFormat", "text", "json", "json", no("x")},
		{"v", "LogVerbosity", "0", "6", "6", no("-1", "x", "101")},
		{"vmodule", "LogModules", "[]", "reflector=6,a*=1", "[{reflector 6} {a* 1}]", no("reflector", "[=1", "=1", "a=x", "a=-1")},
		{"profile", "Profile", "", "cpu-tmp", "cpu-tmp", no("x", "cpu,mem")},
	}
}

// at is the value at a path of fields, as text.
func at(t *testing.T, o Options, path string) string {
	t.Helper()
	v := reflect.ValueOf(o)
	for name := range strings.SplitSeq(path, ".") {
		if v = v.FieldByName(name); !v.IsValid() {
			t.Fatalf("there is no %s", path)
		}
	}
	if secret, ok := v.Interface().(model.Secret); ok {
		return secret.Reveal()
	}
	if v.Kind() == reflect.String {
		return v.String()
	}
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	return fmt.Sprint(v.Interface())
}

func rowOf(t *testing.T, flag string) Row {
	t.Helper()
	rows := Table()
	i := slices.IndexFunc(rows, func(r Row) bool { return r.Flag == flag })
	if i < 0 {
		t.Fatalf("there is no row --%s", flag)
	}
	return rows[i]
}

func TestEveryRow(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range rowCases() {
		covered[c.flag] = true
		t.Run(c.flag, func(t *testing.T) { testRow(t, rowOf(t, c.flag), c) })
	}
	for _, r := range Table() {
		if !r.obsolete && !covered[r.Flag] {
			t.Errorf("--%s has no test values", r.Flag)
		}
	}
}

// testRow gives a row's values in every way.
func testRow(t *testing.T, r Row, c rowCase) {
	t.Helper()
	// What else a setting needs.
	beside := map[string][]string{
		"override-hostname": {"--hostname-template=x"}, "override-domains": {"--hostname-template=x"},
		"mutual-tls-auth": {"--mutual-tls-auth-ca=x"}, "mutual-tls-auth-ca": {"--mutual-tls-auth=required"},
		"mutual-tls-auth-crl": {"--mutual-tls-auth=required", "--mutual-tls-auth-ca=x"}, "mutual-tls-auth-filter": {"--mutual-tls-auth=required", "--mutual-tls-auth-ca=x"},
		"unique-id-header-name": {"--unique-id-format=x"},
		"metrics-tls-cert-file": {"--metrics-tls-key-file=x"}, "metrics-tls-key-file": {"--metrics-tls-cert-file=x"},
	}
	check := func(how, want string, env map[string]string, args ...string) {
		t.Helper()
		if want != c.absent {
			args = append(args, beside[c.flag]...)
		}
		o, err := parse(t, env, args...)
		if err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		if got := at(t, o, c.field); got != want || len(o.Warnings) > 0 {
			t.Errorf("%s: %s is %q, want %q; warnings %q", how, c.field, got, want, o.Warnings)
		}
	}
	flag := "--" + c.flag
	check("absent", c.absent, nil)
	check("an empty variable", c.absent, map[string]string{r.Env: ""})
	check("the flag", c.becomes, nil, flag+"="+c.good)
	check("the variable", c.becomes, map[string]string{r.Env: c.good})
	for _, alias := range r.Aliases {
		check("--"+alias, c.becomes, nil, "--"+alias+"="+c.good)
	}
	if r.AliasEnv != "" {
		check("the other variable", c.becomes, map[string]string{r.AliasEnv: c.good})
	}
	// A flag wins, and what it wins over is not even looked at.
	bad := append(c.bad, "other")[0]
	check("the flag over the variable", c.becomes, map[string]string{r.Env: bad}, flag+"="+c.good)
	check("the default as a flag over the variable", c.absent, map[string]string{r.Env: c.good}, flag+"="+r.Default)

	for _, bad := range c.bad {
		_, err := parse(t, nil, flag+"="+bad)
		wantError(t, err, r, bad, flag)
		o, err := parse(t, map[string]string{r.Env: bad})
		if r.Strict {
			wantError(t, err, r, bad, r.Env, flag)
			continue
		}
		want := c.absent
		if r.isBool {
			f, err := parse(t, nil, flag+"=false")
			if err != nil {
				t.Fatal(err)
			}
			want = at(t, f, c.field)
		}
		if err != nil || at(t, o, c.field) != want || len(o.Warnings) != 1 {
			t.Fatalf("%s=%s: %s is %q, want %q; warnings %q, %v", r.Env, bad, c.field, at(t, o, c.field), want, o.Warnings, err)
		}
		wantError(t, fmt.Errorf("%s", o.Warnings[0]), r, bad, r.Env, flag)
	}
}

// wantError wants an error that names what is wrong, and what would be right.
func wantError(t *testing.T, err error, r Row, names ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%q: no error", names)
		return
	}
	for _, name := range append(names, r.Accepts) {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q: the error does not say %q: %v", names, name, err)
		}
	}
}

func TestRowsWithoutEffectAreAcceptedAndTold(t *testing.T) {
	// The values that are what this router does anyway, or that do nothing in
	// the reference router either.
	silent := map[string]string{
		"haproxy-config-manager": "true", "bind-ports-after-sync": "true", "panic": "crash", "logtostderr": "true", "alsologtostderr": "true",
		"debug-upgrade-validation-force-add-condition": "false", "debug-upgrade-validation-force-remove-condition": "false",
		"max-dynamic-servers": "5", "service-namespace": "ns", "upgrade-validation": "true",
	}
	unused := []string{"max-dynamic-servers", "service-namespace", "upgrade-validation"}
	plain, err := parse(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Table() {
		if !r.obsolete {
			continue
		}
		check := func(value string, warned bool) {
			for _, how := range []struct {
				env  map[string]string
				args []string
			}{{nil, []string{"--" + r.Flag + "=" + value}}, {map[string]string{r.Env: value}, nil}} {
				o, err := parse(t, how.env, how.args...)
				if err != nil || (len(o.Warnings) > 0) != warned {
					t.Errorf("%v %v: warnings %q, %v", how.env, how.args, o.Warnings, err)
				}
				for _, w := range o.Warnings {
					if !strings.Contains(w, "--"+r.Flag) || !strings.Contains(w, r.Env) || !strings.Contains(w, "no effect: ") {
						t.Errorf("the warning is %q", w)
					}
				}
				o.Warnings = nil
				if !reflect.DeepEqual(o, plain) {
					t.Errorf("%v %v: there is an effect: %+v", how.env, how.args, o)
				}
			}
		}
		check("other", !slices.Contains(unused, r.Flag))
		if value := silent[r.Flag]; value != "" {
			check(value, false)
		}
		if r.isBool {
			if _, err := parse(t, nil, "--"+r.Flag); err != nil {
				t.Errorf("--%s alone: %v", r.Flag, err)
			}
		}
		if strings.Contains(r.Help, "\n") || !strings.HasSuffix(r.Help, ".") {
			t.Errorf("--%s: the reason is %q", r.Flag, r.Help)
		}
	}
}

func TestAFlagOfAListCanBeRepeated(t *testing.T) {
	o, err := parse(t, map[string]string{"ROUTER_DENIED_DOMAINS": "z"}, "--denied-domains=a", "--denied-domains", "b,c", "--as-group=x", "--as-group=y")
	if err != nil {
		t.Fatal(err)
	}
	if got := at(t, o, "DeniedDomains") + at(t, o, "Kubernetes.AsGroups"); got != "[a b c][x y]" {
		t.Errorf("lists are %s", got)
	}
}

func TestAnEmptyFlagTakesTheVariableBack(t *testing.T) {
	env := map[string]string{"ROUTER_CAPTURE_HTTP_COOKIE": "a:1", "ROUTER_BIND_ADDRESS": "::1", "ROUTE_LABELS": "a=b"}
	o, err := parse(t, env, "--capture-http-cookie=", "--bind-address=", "--labels=")
	if err != nil {
		t.Fatal(err)
	}
	if o.Global.Headers.CaptureCookie != nil || o.Global.Listen.Address != "" || o.Labels != nil {
		t.Errorf("options are %+v", o)
	}
}

func TestHeaderActionsAreDecoded(t *testing.T) {
	o, err := parse(t, nil, "--set-delete-http-request-header=X-A:a%2Cb+c:Set,X%2DB:Delete")
	if err != nil {
		t.Fatal(err)
	}
	list := o.Global.Headers.Request
	if len(list) != 2 || list[0].Name != "X-A" || list[0].Value[0].Literal != "a,b c" || list[1].Name != "X-B" || !list[1].Delete {
		t.Errorf("actions are %+v", list)
	}
}

// TestHeaderActionsLeaveFramingAlone gives actions on headers that HAProxy
// alone writes, as flags and as variables.
func TestHeaderActionsLeaveFramingAlone(t *testing.T) {
	for _, name := range []string{"Content-Length", "transfer-encoding", "CONNECTION", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Upgrade", "HTTP2-Settings", "Content%2DLength"} {
		for _, action := range []string{name + ":600:Set", name + ":Delete", "X-A:Delete," + name + ":Delete"} {
			for flag, env := range map[string]string{"set-delete-http-request-header": "ROUTER_HTTP_REQUEST_HEADERS", "set-delete-http-response-header": "ROUTER_HTTP_RESPONSE_HEADERS"} {
				if _, err := parse(t, nil, "--"+flag+"="+action); err == nil || !strings.Contains(err.Error(), "--"+flag) || !strings.Contains(err.Error(), "HAProxy alone writes") {
					t.Errorf("--%s=%s: %v", flag, action, err)
				}
				if _, err := parse(t, map[string]string{env: action}); err == nil || !strings.Contains(err.Error(), env+" (--"+flag+")") || !strings.Contains(err.Error(), "HAProxy alone writes") {
					t.Errorf("%s=%s: %v", env, action, err)
				}
			}
		}
	}
}

// Of a list, what can be used of a variable is used; the rest is told. A flag
// is refused as a whole.
func TestItemsOfListsThatCannotBeUsed(t *testing.T) {
	for _, c := range []struct{ env, flag, text, path, want, told string }{
		{"ROUTER_COMPRESSION_MIME", "compression-mime", `text/html html "a/b; c=\'"`, "Global.CompressionTypes", "[text/html a/b; c=']", `has "html", which is not a media type; must be media types, separated by blanks; the rest is used`},
		{"ROUTER_COMPRESSION_MIME", "compression-mime", "text/html \"a\tb/c\" /d \"e/f; \u00e9\"", "Global.CompressionTypes", "[text/html]", `has "a\tb/c", which is not a media type; has "/d"`},
		{"ROUTER_INGRESS_ADDRESS", "ingress-address", "10.0.0.1,x,::1", "Ingress.Addresses", "[10.0.0.1 ::1]", `has "x", which is not an IP address`},
		{"ROUTER_VMODULE", "vmodule", "a=1,b,c=2", "LogModules", "[{a 1} {c 2}]", `has "b", which is not PATTERN=N`},
	} {
		o, err := parse(t, map[string]string{c.env: c.text})
		if err != nil || at(t, o, c.path) != c.want {
			t.Errorf("%s=%s: %s, %v", c.env, c.text, at(t, o, c.path), err)
		}
		if told := strings.Join(o.Warnings, "\n"); !strings.Contains(told, c.env+" (--"+c.flag+"): ") || !strings.Contains(told, c.told) {
			t.Errorf("%s=%s: it says %q", c.env, c.text, told)
		}
		if _, err := parse(t, nil, "--"+c.flag+"="+c.text); err == nil || !strings.Contains(err.Error(), c.told[:10]) {
			t.Errorf("--%s=%s: %v", c.flag, c.text, err)
		}
	}
}

func TestBothSpellingsOfCipherSuites(t *testing.T) {
	long, err := parse(t, map[string]string{"ROUTER_METRICS_TLS_CIPHERS": "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256:TLS_CHACHA20_POLY1305_SHA256"})
	if err != nil {
		t.Fatal(err)
	}
	short, err := parse(t, map[string]string{"ROUTER_METRICS_TLS_CIPHERS": "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305:TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305:TLS_CHACHA20_POLY1305_SHA256"})
	if err != nil || !slices.Equal(long.Metrics.TLS.Ciphers, short.Metrics.TLS.Ciphers) {
		t.Errorf("%v, %v, %v", long.Metrics.TLS.Ciphers, short.Metrics.TLS.Ciphers, err)
	}
}
