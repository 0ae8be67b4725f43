package options

import (
	"path/filepath"
	"strings"
	"testing"

	"router/test/certs"
	"router/test/routertest"
)

// TestMistakes starts routers with settings that cannot be used. They end at
// once, with the names of the flag and its variable, and never with HAProxy's
// own words alone.
func TestMistakes(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		files := t.TempDir()
		page := write(t, filepath.Join(files, "page"), "<html>Not there</html>")
		long := write(t, filepath.Join(files, "long"), "HTTP/1.0 503 No\r\n\r\n"+strings.Repeat("x", 40000))
		header := write(t, filepath.Join(files, "header"), "HTTP/1.1 503 No\r\nContent-Length: 5000\r\n\r\nx")
		ca := write(t, filepath.Join(files, "ca"), authority(t, "a").PEM)
		small := must[certs.Pair](t)(authority(t, "a").IssueRSA(1024, "small.test")) // TLS libraries refuse it.
		weak := write(t, filepath.Join(files, "weak"), small.Cert+small.Key)
		for _, c := range []struct {
			flag, env string
			args      []string
		}{
			{"ciphers", "ROUTER_CIPHERS", []string{"--ciphers=NOPE"}},
			{"ciphersuites", "ROUTER_CIPHERSUITES", []string{"--ciphersuites=NOPE"}},
			{"curves", "ROUTER_CURVES", []string{"--curves=NOPE"}},
			{"ssl-min-version", "SSL_MIN_VERSION", []string{"--ssl-min-version=TLSv1.3", "--ssl-max-version=TLSv1.2"}},
			{"syslog-format", "ROUTER_SYSLOG_FORMAT", []string{"--syslog-format=%nope", "--syslog-address=stdout"}},
			{"syslog-address", "ROUTER_SYSLOG_ADDRESS", []string{"--syslog-address=nowhere.invalid"}},
			{"unique-id-format", "ROUTER_UNIQUE_ID_FORMAT", []string{"--unique-id-format=%[nope]"}},
			{"unique-id-format", "ROUTER_UNIQUE_ID_FORMAT", []string{"--unique-id-header-name=X-Id"}},
			{"mutual-tls-auth-filter", "ROUTER_MUTUAL_TLS_AUTH_FILTER", []string{"--mutual-tls-auth=required", "--mutual-tls-auth-ca", ca, "--mutual-tls-auth-filter=("}},
			{"mutual-tls-auth-ca", "ROUTER_MUTUAL_TLS_AUTH_CA", []string{"--mutual-tls-auth=required"}},
			{"mutual-tls-auth-ca", "ROUTER_MUTUAL_TLS_AUTH_CA", []string{"--mutual-tls-auth=required", "--mutual-tls-auth-ca=/nowhere"}},
			{"default-certificate-path", "DEFAULT_CERTIFICATE_PATH", []string{"--default-certificate-path", ca}},
			{"default-certificate-path", "DEFAULT_CERTIFICATE_PATH", []string{"--default-certificate-path", weak}},
			{"default-certificate-dir", "DEFAULT_CERTIFICATE_DIR", []string{"--default-certificate-dir", files}},
			{"default-certificate", "DEFAULT_CERTIFICATE", []string{"--default-certificate=x"}},
			{"default-destination-ca-path", "DEFAULT_DESTINATION_CA_PATH", []string{"--default-destination-ca-path", page}},
			{"errorfile-503", "ROUTER_ERRORFILE_503", []string{"--errorfile-503=/nowhere"}},
			{"errorfile-503", "ROUTER_ERRORFILE_503", []string{"--errorfile-503", page}},
			{"errorfile-503", "ROUTER_ERRORFILE_503", []string{"--errorfile-503", long}},
			{"errorfile-404", "ROUTER_ERRORFILE_404", []string{"--errorfile-404", header}},
			{"ip-mode", "ROUTER_IP_V4_V6_MODE", []string{"--ip-mode=v4v6"}},
		} {
			said := routertest.Refused(t, options(haproxy, files, c.args...))
			at := strings.Index(said, "error: ")
			if at < 0 || !strings.Contains(said[at:], "--"+c.flag) || !strings.Contains(said[at:], c.env) {
				t.Errorf("%v: the router says %s", c.args, said)
			}
		}
	})
}
