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
		{"--namespace=a", "--namespace-labels=a=b"}, {"--namespace=a", "--project-labels=*"}, {"--namespace-labels=x", "--project-labels=x"}, {"--override-hostname"}, {"--http-port=80", "--https-port=80"}, {"--name="}, {"--metrics-tls-cert-file=x"}, {"--mutual-tls-auth=optional"},
	} {
		if _, err := parse(t, nil, args...); err == nil || !strings.Contains(err.Error(), "--") {
			t.Errorf("%v: the error is %v", args, err)
		}
	}
}

func TestAllProjectsAreNoSelection(t *testing.T) {
	o, err := parse(t, nil, "--project-labels=*", "--labels=x=y", "--fields=spec.host=a.test,metadata.namespace!=b,spec.path!=/x,spec.to.name=s")
	if err != nil || o.NamespaceLabels != nil {
		t.Errorf("namespaces are selected by %v, %v", o.NamespaceLabels, err)
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
		flags[r.Flag], variables[r.Env], variables[r.AliasEnv] = true, true, true
		for _, alias := range r.Aliases {
			flags[alias] = true
		}
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

func TestChecksAreNotCloserThanASecond(t *testing.T) {
	for _, env := range []map[string]string{{"ROUTER_BACKEND_CHECK_INTERVAL": "1us"}, {"ROUTER_BACKEND_CHECK_INTERVAL": "999"}} {
		o, err := parse(t, env)
		if err != nil || o.Routes.CheckInterval != time.Second || len(o.Warnings) != 1 || !strings.Contains(o.Warnings[0], "--backend-check-interval (ROUTER_BACKEND_CHECK_INTERVAL)") {
			t.Errorf("%v: the interval is %v, warnings %q, %v", env, o.Routes.CheckInterval, o.Warnings, err)
		}
	}
}

func TestDefaultsForADirectory(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		args []string
		want time.Duration
	}{
		{nil, nil, 45 * time.Second},
		{nil, []string{"--manifests=dir"}, 0},
		{map[string]string{"ROUTER_MANIFESTS": "dir"}, nil, 0},
		{nil, []string{"--manifests=dir", "--graceful-shutdown-delay=45s"}, 45 * time.Second},
		{map[string]string{"ROUTER_GRACEFUL_SHUTDOWN_DELAY": "3s"}, []string{"--manifests=dir"}, 3 * time.Second},
	} {
		o, err := parse(t, c.env, c.args...)
		if err != nil || o.GracefulShutdownDelay != c.want {
			t.Errorf("%v %v: the delay is %v, want %v; %v", c.env, c.args, o.GracefulShutdownDelay, c.want, err)
		}
	}
}

// TestWhatMayBeASecretIsNotShown: an error names the option and what it takes.
func TestWhatMayBeASecretIsNotShown(t *testing.T) {
	const key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEA\n-----END PRIVATE KEY-----\n"
	for _, c := range []struct {
		env  map[string]string
		args []string
		want string
	}{
		{nil, []string{"--http-port", key}, "has a private key in it; must be a whole number from 1 to 65535"},
		{map[string]string{"ROUTER_RESYNC_INTERVAL": key}, nil, "ROUTER_RESYNC_INTERVAL (--resync-interval): [not shown: 63 bytes] has a private key in it; must be a time such as"},
		{map[string]string{"DEFAULT_CERTIFICATE_PATH": key}, nil, "DEFAULT_CERTIFICATE_PATH (--default-certificate-path): [not shown: 63 bytes] has a private key in it; must be a path"},
		{map[string]string{"DEFAULT_CERTIFICATE_PATH": "a\nb"}, nil, "[not shown: 3 bytes] has several lines; it must be the path of a file"},
		{map[string]string{"STATS_PORT": strings.Repeat("9", 300)}, nil, "STATS_PORT (--stats-port): [not shown: 300 bytes] must be a whole number"},
		{map[string]string{"ROUTER_KUBE_PROXY_URL": "http://u:p w@a"}, nil, "ROUTER_KUBE_PROXY_URL (--proxy-url): must be a URL with http, https or socks5"},
	} {
		_, err := parse(t, c.env, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v %q: the error is %v, want %s", c.env, c.args, err, c.want)
		}
	}
	o, err := parse(t, map[string]string{"ROUTER_INTERVAL": "x", "ROUTER_NAMESPACE": "ns", "DEFAULT_CERTIFICATE": key})
	if err != nil || o.DefaultCertificate.Reveal() != key {
		t.Errorf("the variable for the text of a certificate: %v", err)
	}
}
