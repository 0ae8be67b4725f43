package options

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"router/test/certs"
	"router/test/ports"
	"router/test/routertest"
)

// hidden is an error of the test where a part of a secret is in a text.
func hidden(t *testing.T, where, text string, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		// A line of a key says enough; its first one is the same for all.
		if lines := strings.Split(strings.TrimSpace(s), "\n"); len(lines) > 2 {
			s = lines[1]
		}
		if i := strings.Index(text, s); i >= 0 {
			t.Errorf("%s shows a secret: %s", where, text[max(0, i-200):i+len(s)])
		}
	}
}

// TestSecretsThatAreUsedAreNotShown runs a router with secrets in every way, as
// talkative as can be.
func TestSecretsThatAreUsedAreNotShown(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		ca := authority(t, "secrets")
		pair, metrics := must[certs.Pair](t)(ca.Issue("default.test")), must[certs.Pair](t)(ca.Issue("metrics.test"))
		password, key := "Pw"+rand.Text(), "Key"+rand.Text()
		files := t.TempDir()
		o := options(haproxy, directory(t, serve(t, "app", nil)), "--verbosity=debug", "--v=10",
			"--stats-user-file", write(t, filepath.Join(files, "user"), "somebody"), "--stats-password-file", write(t, filepath.Join(files, "password"), password),
			"--metrics-tls-cert-file", write(t, filepath.Join(files, "crt"), metrics.Cert), "--metrics-tls-key-file", write(t, filepath.Join(files, "key"), metrics.Key),
			"--google-json-key", key)
		o.Env = []string{"DEFAULT_CERTIFICATE=" + pair.Cert + pair.Key}
		r := routertest.Start(t, o)

		// The text in the variable is the certificate that is served.
		c := client(t, r, &tls.Config{RootCAs: ca.Pool(), ServerName: "default.test", MinVersion: tls.VersionTLS12})
		if a, err := ask(c, "https://edge.test/"); err != nil || a.StatusCode != http.StatusOK {
			t.Errorf("the default certificate: %v, %v", a.Response, err)
		}
		secrets := []string{pair.Key, metrics.Key, password, key, routertest.Password}
		for _, path := range []string{"/", "/;csv", "/metrics", "/api/routes", "/api/workers", "/healthz", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2"} {
			for _, user := range []string{"somebody", "admin"} {
				req := must[*http.Request](t)(http.NewRequest(http.MethodGet, "http://"+r.Stats+path, nil))
				req.SetBasicAuth(user, password)
				hidden(t, path, body(t, must[*http.Response](t)(http.DefaultClient.Do(req))), secrets...)
			}
		}
		r.Stop()
		hidden(t, "standard output", r.Stdout.String(), secrets...)
		hidden(t, "the log", r.Stderr.String(), secrets...)
	})
}

// TestSecretsForAClusterAreNotShown has a cluster that cannot be reached.
func TestSecretsForAClusterAreNotShown(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		token, password := "Token"+rand.Text(), "Pw"+rand.Text()
		o := options(haproxy, "")
		o.Args = []string{
			"--server", "https://" + ports.Address(t), "--insecure-skip-tls-verify", "--token", token, "--proxy-url", "http://user:" + password + "@" + ports.Address(t),
			// From 9 on, the library traces connections, and has a data race.
			"--verbosity=debug", "--v=8", "--update-status=false",
		}
		r := routertest.Launch(t, o)
		routertest.Eventually(t, "the cluster cannot be reached", func() error {
			if !strings.Contains(r.Stderr.String(), "connection refused") {
				return errors.New("it does not say so")
			}
			return nil
		})
		r.Stop()
		hidden(t, "standard output", r.Stdout.String(), token, password)
		hidden(t, "the log", r.Stderr.String(), token, password)
	})
}
