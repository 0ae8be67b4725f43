package options

import (
	"fmt"
	"net/url"
	"strings"

	"router/pkg/given"
	"router/pkg/httpheader"
	"router/pkg/model"
)

// The cipher lists that ROUTER_CIPHERS names, as the reference router has
// them, and the sizes of Diffie-Hellman parameters that go with them.
const (
	ciphersModern = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:" +
		"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256"
	ciphersIntermediate = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" +
		"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA256:" +
		"ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES256-SHA:" +
		"ECDHE-RSA-AES256-SHA:DHE-RSA-AES128-SHA256:DHE-RSA-AES128-SHA:DHE-RSA-AES256-SHA256:DHE-RSA-AES256-SHA:ECDHE-ECDSA-DES-CBC3-SHA:" +
		"ECDHE-RSA-DES-CBC3-SHA:EDH-RSA-DES-CBC3-SHA:AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA256:AES256-SHA256:AES128-SHA:AES256-SHA:DES-CBC3-SHA:!DSS"
	ciphersOld = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:" +
		"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256:DHE-DSS-AES128-GCM-SHA256:kEDH+AESGCM:" +
		"ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES256-SHA384:" +
		"ECDHE-RSA-AES256-SHA:ECDHE-ECDSA-AES256-SHA:DHE-RSA-AES128-SHA256:DHE-RSA-AES128-SHA:DHE-DSS-AES128-SHA256:DHE-RSA-AES256-SHA256:DHE-DSS-AES256-SHA:" +
		"DHE-RSA-AES256-SHA:ECDHE-RSA-DES-CBC3-SHA:ECDHE-ECDSA-DES-CBC3-SHA:EDH-RSA-DES-CBC3-SHA:AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA256:" +
		"AES256-SHA256:AES128-SHA:AES256-SHA:AES:DES-CBC3-SHA:HIGH:SEED:!aNULL:!eNULL:!EXPORT:!DES:!RC4:!MD5:!PSK:!RSAPSK:!aDH:!aECDH:" +
		"!EDH-DSS-DES-CBC3-SHA:!KRB5-DES-CBC3-SHA:!SRP"
	dhParam    = 2048
	dhParamOld = 1024
)

func tlsRows() []Row {
	versions := []string{"SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"}
	return []Row{
		file("default-certificate-path", "DEFAULT_CERTIFICATE_PATH", "", "PEM file with the certificate, key and chain for hosts without one of their own.", func(o *Options) *given.Path { return &o.DefaultCertificatePath }).alias("default-cert", ""),
		secret("default-certificate", "DEFAULT_CERTIFICATE", "PEM text", "The same as text.", func(o *Options) *model.Secret { return &o.DefaultCertificate }),
		file("default-certificate-dir", "DEFAULT_CERTIFICATE_DIR", "", "The same as a directory with tls.crt and tls.key.", func(o *Options) *given.Path { return &o.DefaultCertificateDir }),
		choice("ssl-min-version", "SSL_MIN_VERSION", "TLSv1.2", "Oldest TLS version.", func(o *Options) *string { return &o.Global.TLS.MinVersion }, versions...).strict(),
		choice("ssl-max-version", "SSL_MAX_VERSION", "", "Newest TLS version.", func(o *Options) *string { return &o.Global.TLS.MaxVersion }, versions...).strict(),
		custom("ciphers", "ROUTER_CIPHERS", "intermediate", "modern, intermediate, old, or an OpenSSL cipher list", "Ciphers of TLS up to 1.2.", func(o *Options, v string) error {
			t := &o.Global.TLS
			t.DHParam = dhParam
			switch v {
			case "modern":
				t.Ciphers = ciphersModern
			case "intermediate":
				t.Ciphers = ciphersIntermediate
			case "old":
				t.Ciphers, t.DHParam = ciphersOld, dhParamOld
			default:
				if strings.ContainsAny(v, " \t\r\n'\"") {
					return fmt.Errorf("must be modern, intermediate, old, or an OpenSSL cipher list without blanks")
				}
				t.Ciphers = v
			}
			return nil
		}).strict(),
		custom("ciphersuites", "ROUTER_CIPHERSUITES", "", "names of cipher suites of TLS 1.3, separated by colons", "Cipher suites of TLS 1.3.", func(o *Options, v string) error { return nameList(v, &o.Global.TLS.CipherSuites) }).strict(),
		custom("curves", "ROUTER_CURVES", "", "names of groups such as X25519, P-256 or secp384r1, separated by colons", "Key-exchange groups.", func(o *Options, v string) error { return nameList(v, &o.Global.TLS.Curves) }).strict(),
		boolean("strict-sni", "ROUTER_STRICT_SNI", false, "Refuse TLS clients that ask for a host without a certificate. Those that ask for none get the default one.", func(o *Options) *bool { return &o.Global.TLS.StrictSNI }).strict(),
		choice("mutual-tls-auth", "ROUTER_MUTUAL_TLS_AUTH", "", "Whether clients show certificates.", func(o *Options) *string { return &o.Global.TLS.ClientAuth }, "none", "optional", "required").strict(),
		file("mutual-tls-auth-ca", "ROUTER_MUTUAL_TLS_AUTH_CA", "", "File with the CAs of clients' certificates.", func(o *Options) *given.Path { return &o.ClientCAFile }),
		file("mutual-tls-auth-crl", "ROUTER_MUTUAL_TLS_AUTH_CRL", "", "File with lists of revoked certificates.", func(o *Options) *given.Path { return &o.ClientCRLFile }),
		haproxyText("mutual-tls-auth-filter", "ROUTER_MUTUAL_TLS_AUTH_FILTER", "a regular expression", "What the subject of a client's certificate, such as /C=DE/CN=me, must match.", func(o *Options) *string { return &o.Global.TLS.ClientDNFilter }).strict(),
		inverse("mutual-tls-header-filter", "ROUTER_MUTUAL_TLS_HEADER_FILTER", true, "Remove what clients send under the twelve names by which pods learn of a client's certificate, such as X-SSL-Client-CN.", func(o *Options) *bool { return &o.Global.TLS.KeepClientHeaders }).strict(),
	}
}

// nameList checks the form of a list of names; which there are depends on the
// TLS library of HAProxy, which tells at the start.
func nameList(v string, field *string) error {
	for name := range strings.SplitSeq(v, ":") {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
		}) {
			return fmt.Errorf("has %q, which is not a name", name)
		}
	}
	*field = v
	return nil
}

// actions are the header actions of administrators: items "NAME:VALUE:Set"
// and "NAME:Delete", separated by commas, each part percent-encoded.
func actions(flag, env, help string, dir httpheader.Direction, field func(*Options) *[]model.HeaderAction) Row {
	return custom(flag, env, "", "NAME:VALUE:Set and NAME:Delete, separated by commas, parts percent-encoded", help, func(o *Options, v string) error {
		var list []model.HeaderAction
		for item := range strings.SplitSeq(v, ",") {
			a, err := parseAction(item, dir)
			if err != nil {
				return err
			}
			list = append(list, a)
		}
		*field(o) = list
		return nil
	})
}

func parseAction(item string, dir httpheader.Direction) (model.HeaderAction, error) {
	parts := strings.Split(item, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return model.HeaderAction{}, fmt.Errorf("invalid HTTP header input specification: %s", item)
	}
	for i, p := range parts {
		decoded, err := url.QueryUnescape(p)
		if err != nil {
			return model.HeaderAction{}, fmt.Errorf("failed to decode percent encoding: %s", p)
		}
		parts[i] = decoded
	}
	a := model.HeaderAction{Name: parts[0]}
	if !httpheader.ValidName(a.Name) {
		return a, fmt.Errorf("invalid HTTP header name: %s", a.Name)
	}
	if httpheader.Framing(a.Name) {
		return a, fmt.Errorf("has %s, which HAProxy alone writes", a.Name)
	}
	switch action := parts[len(parts)-1]; {
	case action == "Delete":
		a.Delete = true
	case action == "Set" && len(parts) == 3:
		value, err := httpheader.Parse(parts[1], dir)
		if err != nil {
			return a, fmt.Errorf("value of %s: %w", a.Name, err)
		}
		a.Value = value
	default:
		return a, fmt.Errorf("invalid action: %s; must be Set, with a value, or Delete", action)
	}
	return a, nil
}
