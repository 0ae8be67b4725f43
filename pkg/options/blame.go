package options

import (
	"errors"
	"fmt"
	"regexp"
)

// culprits say which setting a line of HAProxy's configuration comes from,
// where its value is checked by HAProxy alone: what that knows differs from
// version to version. The first match counts.
func culprits() []struct{ line, message, flag string } {
	return []struct{ line, message, flag string }{
		{"", "cipher list", "ciphers"},
		{"", "cipher suites", "ciphersuites"},
		{"", "curves", "curves"},
		// Of these, 2.6 names another line.
		{"", "failed to parse log-format", "syslog-format"},
		{"", "failed to parse unique-id", "unique-id-format"},
		{"", "SSL/TLS versions", "ssl-min-version"},
		{"^ssl-default-bind-options", "ssl-max-ver", "ssl-max-version"},
		{"^ssl-default-bind-options", "", "ssl-min-version"},
		{"^ssl-default-bind-ciphers ", "", "ciphers"},
		{"^ssl-default-bind-ciphersuites ", "", "ciphersuites"},
		{"^ssl-default-bind-curves ", "", "curves"},
		{"^log ", "facility", "log-facility"},
		{"^log ", "", "syslog-address"},
		{"^unique-id-header ", "", "unique-id-header-name"},
		{"^http-request deny if !{ ssl_c_s_dn ", "", "mutual-tls-auth-filter"},
		{"^compression type", "", "compression-mime"},
		{"^errorfile 503 ", "", "errorfile-503"},
		{"^errorfile 404 ", "", "errorfile-404"},
		{"^bind .* ca-file ", "ca-file", "mutual-tls-auth-ca"},
		{"^bind .* crl-file ", "crl-file", "mutual-tls-auth-crl"},
		{"^bind ", "/certs/default.pem'", "default-certificate-path"},
		{"^bind ", "", "bind-address"},
		{"^tune.bufsize ", "", "buf-size"},
		{"^tune.maxrewrite ", "", "max-rewrite-size"},
		{"^nbthread ", "", "threads"},
		{"^maxconn ", "", "max-connections"},
		{"^capture request ", "", "capture-http-request-headers"},
		{"^capture response ", "", "capture-http-response-headers"},
		{"^capture cookie ", "", "capture-http-cookie"},
		{"^http-request (set|del)-header ", "", "set-delete-http-request-header"},
		{"^http-response (set|del)-header ", "", "set-delete-http-response-header"},
		{"^h1-case-adjust ", "", "http-header-name-case-adjustments"},
	}
}

// Refused is the error of a line of HAProxy's configuration, and of what
// HAProxy says of it, in terms of the setting that it comes from.
func Refused(line, message string) error {
	for _, c := range culprits() {
		if !regexp.MustCompile(c.line).MatchString(line) || !regexp.MustCompile(regexp.QuoteMeta(c.message)).MatchString(message) {
			continue
		}
		for _, r := range Table() {
			if r.Flag == c.flag {
				return fmt.Errorf("--%s (%s) accepts %s: haproxy says: %s", r.Flag, r.Env, r.Accepts, message)
			}
		}
	}
	return errors.New("haproxy refuses the line \"" + line + "\": " + message)
}
