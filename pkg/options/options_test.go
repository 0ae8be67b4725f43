package options

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"router/pkg/model"
)

func parse(t *testing.T, env map[string]string, args ...string) (Options, error) {
	t.Helper()
	flags := pflag.NewFlagSet("router", pflag.ContinueOnError)
	b := Register(flags, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err := flags.Parse(args); err != nil {
		return Options{}, err
	}
	return b.Options()
}

// cases has, for each flag that does not take every text, a value that is
// good and one that is not.
var cases = map[string][2]string{
	"router-canonical-hostname": {"apps.test", "10.0.0.1"}, "update-status": {"false", "yes"}, "resync-interval": {"1m", "x"},
	"labels": {"a=b", "a=b=c"}, "project-labels": {"*", "a=b=c"}, "namespace-labels": {"a in (b)", "a=b=c"},
	"watch-endpoints": {"true", "x"}, "include-udp-endpoints": {"1", "2"}, "override-hostname": {"false", "x"},
	"allow-wildcard-routes": {"true", "x"}, "allow-external-certificates": {"false", "x"}, "disable-namespace-ownership-check": {"true", "x"}, "extended-validation": {"false", "x"},
	"insecure-skip-tls-verify": {"true", "x"}, "disable-compression": {"true", "x"},
	"http-port": {"8080", "0"}, "https-port": {"8443", "65536"}, "bind-address": {"::1", "localhost"}, "ip-mode": {"v4v6", "v5"},
	"use-proxy-protocol": {"true", "x"}, "inspect-delay": {"1s", "1.5s"}, "max-connections": {"auto", "-1"},
	"default-connect-timeout": {"1s", "0"}, "default-client-timeout": {"1s", "x"}, "client-fin-timeout": {"1s", "x"}, "default-server-timeout": {"1s", "x"},
	"default-server-fin-timeout": {"1s", "x"}, "http-request-timeout": {"1s", "x"}, "http-keep-alive-timeout": {"1s", "x"},
	"default-tunnel-timeout": {"1h", "1h30m"}, "hard-stop-after": {"1h", "-1"},
	"load-balance-algorithm": {"leastconn", "first"}, "tcp-balance-scheme": {"random", "x"}, "backend-check-interval": {"1s", "x"}, "cookie-name": {"a_b", "a b"},
	"set-forwarded-headers": {"never", "x"}, "capture-http-request-headers": {"Host:10,X-A:5", "Host"}, "capture-http-response-headers": {"X-A:5", "X A:5"},
	"capture-http-cookie": {"sid=:10", "sid"}, "http-header-name-case-adjustments": {"X-Foo", "X Foo"},
	"set-delete-http-response-header": {"X-A:b:Set,Server:Delete", "X-A:b:Append"}, "set-delete-http-request-header": {"X-A:%25%5Breq.hdr%28host%29%5D:Set", "a:b:c:d"},
	"log-max-length": {"2048", "x"}, "log-level": {"info", "x"}, "dont-log-null": {"true", "x"}, "http-ignore-probes": {"true", "x"},
	"interval": {"1s", "10ms"}, "worker-max-age": {"1h", "-1s"}, "threads": {"4", "-1"}, "buf-size": {"65536", "1"}, "max-rewrite-size": {"4096", "x"}, "enable-compression": {"true", "x"},
	"disable-http2": {"true", "x"}, "idle-close-on-response": {"false", "x"}, "haproxy-contstats": {"true", "x"}, "abort-on-close": {"true", "x"},
	"graceful-shutdown-delay": {"0s", "x"}, "max-shutdown-timeout": {"5", "x"}, "stats-port": {"1937", "x"}, "metrics-server-threshold": {"0", "x"},
	"verbosity": {"debug", "x"}, "message-format": {"json", "x"}, "ssl-min-version": {"TLSv1.3", "1.3"}, "ssl-max-version": {"TLSv1.3", "x"},
	"ciphers": {"modern", "a b"}, "strict-sni": {"true", "x"}, "mutual-tls-auth": {"required", "maybe"}, "mutual-tls-header-filter": {"false", "x"},
}

// anyText are flags that take every text.
var anyText = []string{
	"manifests", "name", "fields", "hostname-template", "router-domain", "override-domains", "denied-domains", "allowed-domains",
	"config", "context", "cluster", "user", "namespace", "server", "certificate-authority", "client-certificate", "client-key", "token",
	"tls-server-name", "proxy-url", "as", "as-uid", "as-group", "request-timeout", "default-destination-ca-path", "unique-id-format",
	"unique-id-header-name", "syslog-address", "log-facility", "syslog-format", "haproxy", "working-dir", "template", "compression-mime",
	"errorfile-503", "errorfile-404", "listen-addr", "stats-user", "stats-password", "stats-user-file", "stats-password-file",
	"metrics-tls-cert-file", "metrics-tls-key-file", "default-certificate-path", "default-certificate", "default-certificate-dir",
	"ciphersuites", "curves", "mutual-tls-auth-ca", "mutual-tls-auth-crl", "mutual-tls-auth-filter",
}

func TestEveryFlagAndItsVariable(t *testing.T) {
	free := map[string]bool{}
	for _, name := range anyText {
		free[name] = true
	}
	for _, r := range Table() {
		if r.obsolete {
			continue
		}
		c, checked := cases[r.Flag]
		if checked == free[r.Flag] {
			t.Errorf("--%s has no case", r.Flag)
			continue
		}
		good := "text"
		if checked {
			good = c[0]
		}
		if _, err := parse(t, nil, "--"+r.Flag+"="+good); err != nil && !strings.Contains(err.Error(), "need --hostname-template") {
			t.Errorf("--%s=%s: %v", r.Flag, good, err)
		}
		if o, err := parse(t, map[string]string{r.Env: good}); err != nil && !strings.Contains(err.Error(), "need --hostname-template") || len(o.Warnings) > 0 {
			t.Errorf("%s=%s: %v %v", r.Env, good, o.Warnings, err)
		}
		if !checked {
			continue
		}
		if _, err := parse(t, nil, "--"+r.Flag+"="+c[1]); err == nil || !strings.Contains(err.Error(), "--"+r.Flag) {
			t.Errorf("--%s=%s: the error is %v", r.Flag, c[1], err)
		}
		// As in the reference router, a variable that cannot be used leaves the
		// default; here it is told.
		if o, err := parse(t, map[string]string{r.Env: c[1]}); err != nil || len(o.Warnings) != 1 || !strings.HasPrefix(o.Warnings[0], r.Env) {
			t.Errorf("%s=%s: %v %v", r.Env, c[1], o.Warnings, err)
		}
	}
}

func TestAFlagWinsOverItsVariable(t *testing.T) {
	env := map[string]string{"ROUTER_SERVICE_HTTP_PORT": "81", "ROUTER_DEFAULT_SERVER_TIMEOUT": "1m", "ROUTER_DISABLE_HTTP2": "true", "STATS_PASSWORD": ""}
	o, err := parse(t, env, "--http-port", "82", "--default-cert", "f.pem")
	if err != nil {
		t.Fatal(err)
	}
	if o.Global.Listen.HTTPPort != 82 || o.Global.Timeouts.Server != time.Minute || o.Global.HTTP2 || o.DefaultCertificatePath != "f.pem" || !o.StatsPassword.IsEmpty() {
		t.Errorf("options are %+v", o)
	}
}

func TestDefaults(t *testing.T) {
	o, err := parse(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	if o.Global.Listen.HTTPPort != 80 || o.Global.Listen.HTTPSPort != 443 || o.StatsPort != 1936 || !o.Global.HTTP2 || o.Global.TLS.KeepClientHeaders ||
		o.Name != "public" || !o.ExternalCertificates || o.Global.MaxConnections != 50000 || o.Routes.Balance != model.BalanceRandom || o.Interval != 5*time.Second {
		t.Errorf("defaults are %+v", o)
	}
}

func TestSettingsThatExcludeEachOther(t *testing.T) {
	for _, args := range [][]string{
		{"--namespace=a", "--namespace-labels=a=b"}, {"--override-hostname"}, {"--http-port=80", "--https-port=80"}, {"--name="},
	} {
		if _, err := parse(t, nil, args...); err == nil || !strings.Contains(err.Error(), "--") {
			t.Errorf("%v: the error is %v", args, err)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	flags := pflag.NewFlagSet("router", pflag.ContinueOnError)
	Register(flags, func(string) (string, bool) { return "hunter2", true })
	if err := flags.Parse([]string{"--stats-password=hunter2"}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(flags.FlagUsages(), "hunter2") || strings.Contains(flags.Lookup("stats-password").Value.String(), "hunter2") {
		t.Error("the password is in the help text")
	}
}

// names reads a list of names, one a line.
func names(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}

func TestEveryNameOfTheReferenceIsKnown(t *testing.T) {
	flags, variables := map[string]bool{}, map[string]bool{}
	for _, r := range Table() {
		flags[r.Flag], variables[r.Env] = true, true
	}
	for _, name := range names(t, "testdata/reference-flags.txt") {
		if !flags[name] {
			t.Errorf("the reference's --%s has no row", name)
		}
	}
	for _, name := range names(t, "testdata/reference-variables.txt") {
		if !variables[name] {
			t.Errorf("the reference's %s has no row", name)
		}
	}
}

func TestObsoleteSettingsAreTold(t *testing.T) {
	o, err := parse(t, map[string]string{"RELOAD_SCRIPT": "/bin/true"}, "--metrics-type=haproxy", "--haproxy-config-manager", "--v=2")
	if err != nil || len(o.Warnings) != 4 {
		t.Errorf("warnings are %q, %v", o.Warnings, err)
	}
}
