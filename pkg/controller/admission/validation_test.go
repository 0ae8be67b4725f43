package admission_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/controller/admission"
	"router/pkg/controller/routes"
	"router/pkg/model"
	"router/test/admissiontest"
)

func options() admission.Options { return admission.Options{Validate: true, Now: admissiontest.Now} }

func withTLS(c routev1.TLSConfig) *routev1.Route {
	return &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "r", UID: "u"}, Spec: routev1.RouteSpec{Host: "www.example.org", TLS: &c}}
}

func decide(r *routev1.Route, o admission.Options) admission.Verdict {
	return decideFrom(r, nil, o)
}

// decideFrom decides about a route whose secret, if it names one, is as given.
func decideFrom(r *routev1.Route, secret *routes.SecretCertificate, o admission.Options) admission.Verdict {
	c := routes.FromRoute(r)
	c.Certificate = secret
	return admission.Decide([]*routes.Candidate{c}, o)[c.Key]
}

// subjects are the common names of a chain, leaf first.
func subjects(t *testing.T, chain string) string {
	t.Helper()
	var names []string
	for rest := []byte(chain); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if strings.TrimSpace(string(rest)) != "" {
				t.Errorf("the chain ends with %q", rest)
			}
			return strings.Join(names, " ")
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, c.Subject.CommonName)
	}
}

func TestWhatIsServedOfCertificatesAndKeys(t *testing.T) {
	m := material(t)
	tests := []struct {
		name           string
		cert, key, ca  string
		chain, keyType string
		problem        string
	}{
		{name: "a pair", cert: "<leaf>", key: "<leaf-key>", chain: "leaf", keyType: "EC PRIVATE KEY"},
		{name: "a pair and its CA", cert: "<leaf>", key: "<leaf-key>", ca: "<ca>", chain: "leaf ca", keyType: "EC PRIVATE KEY"},
		{name: "a self-signed pair", cert: "<self>", key: "<self-key>", chain: "self", keyType: "EC PRIVATE KEY"},
		{name: "a self-signed pair that is its own CA", cert: "<self>", key: "<self-key>", ca: "<self>", chain: "self", keyType: "EC PRIVATE KEY"},
		{name: "a chain in one field", cert: "<deep><middle><ca>", key: "<deep-key>", chain: "deep middle ca", keyType: "EC PRIVATE KEY"},
		{name: "a chain over two fields", cert: "<deep><middle>", key: "<deep-key>", ca: "<ca>", chain: "deep middle ca", keyType: "EC PRIVATE KEY"},
		{name: "intermediates among the CAs, in any order", cert: "<deep>", key: "<deep-key>", ca: "<ca><middle>", chain: "deep middle ca", keyType: "EC PRIVATE KEY"},
		{name: "a certificate twice", cert: "<leaf><leaf>", key: "<leaf-key>", ca: "<ca><ca>", chain: "leaf ca", keyType: "EC PRIVATE KEY"},
		{name: "a certificate that is of no use", cert: "<leaf><other>", key: "<leaf-key>", ca: "<ca>", chain: "leaf ca other", keyType: "EC PRIVATE KEY"},
		{name: "the key in the field of the certificate", cert: "<leaf-key><leaf>", chain: "leaf", keyType: "EC PRIVATE KEY"},
		{name: "the key in both fields", cert: "<leaf><leaf-key>", key: "<leaf-key>", chain: "leaf", keyType: "EC PRIVATE KEY"},
		{name: "two keys, the first of which belongs to the certificate", cert: "<leaf><leaf-key>", key: "<other-key>", chain: "leaf", keyType: "EC PRIVATE KEY"},
		{name: "an RSA key", cert: "<rsa>", key: "<rsa-key>", chain: "rsa", keyType: "RSA PRIVATE KEY"},
		{name: "an RSA key in its own form", cert: "<rsa>", key: "<rsa-key-pkcs1>", chain: "rsa", keyType: "RSA PRIVATE KEY"},
		{name: "an Ed25519 key", cert: "<ed25519>", key: "<ed25519-key>", chain: "ed25519", keyType: "PRIVATE KEY"},
		{name: "a key in the form of its curve", cert: "<leaf>", key: "<leaf-key-sec1>", chain: "leaf", keyType: "EC PRIVATE KEY"},
		{name: "a key under the header of another type", cert: "<leaf>", key: "<leaf-key-mislabelled>", chain: "leaf", keyType: "EC PRIVATE KEY"},
		{name: "a key after its parameters", cert: "<leaf>", key: "<ec-parameters><leaf-key>", chain: "leaf", keyType: "EC PRIVATE KEY"},
		{name: "text around the blocks", cert: "Bag Attributes\n  friendlyName: x\n<leaf>the end", key: "# key\n<leaf-key>", chain: "leaf", keyType: "EC PRIVATE KEY"},
		{name: "no line break at the end", cert: "<leaf>$", key: "<leaf-key>$", chain: "leaf", keyType: "EC PRIVATE KEY"},
		{name: "blocks joined without a line break", cert: "<leaf>$<ca>", key: "<leaf-key>", chain: "leaf ca", keyType: "EC PRIVATE KEY"},
		{name: "line breaks of another system", cert: "\r<leaf>", key: "<leaf-key>", chain: "leaf", keyType: "EC PRIVATE KEY"},
		{name: "a block that is cut off", cert: "<leaf><cut-off>", key: "<leaf-key>", chain: "leaf", keyType: "EC PRIVATE KEY", problem: "spec.tls.certificate: 1 PEM block(s) cannot be decoded"},
		{name: "an expired chain is told certificate by certificate", cert: "<expired><ca>", key: "<expired-key>", chain: "expired ca", keyType: "EC PRIVATE KEY", problem: "certificate 1 of 2 expired on"},
		{name: "a self-signed certificate with SHA-1", cert: "<sha1-self>", key: "<sha1-self-key>", chain: "sha1-self", keyType: "EC PRIVATE KEY"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := routev1.TLSConfig{Termination: routev1.TLSTerminationEdge}
			fill(t, m, &config.Certificate, tt.cert)
			fill(t, m, &config.Key, tt.key)
			fill(t, m, &config.CACertificate, tt.ca)
			v := decide(withTLS(config), options())
			if !v.Admitted {
				t.Fatalf("refused: %s", v.Message)
			}
			if v.Certificate == nil {
				t.Fatal("no certificate is served")
			}
			if got := subjects(t, v.Certificate.Chain); got != tt.chain {
				t.Errorf("chain is %q, want %q", got, tt.chain)
			}
			key := v.Certificate.Key.Reveal()
			if block, rest := pem.Decode([]byte(key)); block == nil || block.Type != tt.keyType || len(rest) > 0 {
				t.Errorf("the key is not one block of type %s", tt.keyType)
			}
			if _, err := tls.X509KeyPair([]byte(v.Certificate.Chain), []byte(key)); err != nil {
				t.Errorf("what is served is no pair: %v", err)
			}
			if len(v.Problems) > 1 || len(v.Problems) == 1 != (tt.problem != "") {
				t.Errorf("problems are %+v", v.Problems)
			} else if len(v.Problems) == 1 && !strings.Contains(v.Problems[0].Field+": "+v.Problems[0].Message, tt.problem) {
				t.Errorf("problem is %+v, want %q", v.Problems[0], tt.problem)
			}
			direct, failures := admission.Certificate(&config)
			if len(failures) > 0 || direct != *v.Certificate {
				t.Errorf("Certificate differs: %v", failures)
			}
		})
	}
}

// fill puts PEM for names into a field. "$" takes away the line break before
// it, "\r" at the beginning makes all line breaks those of Windows.
func fill(t *testing.T, m *admissiontest.Material, to *string, text string) {
	t.Helper()
	filled, err := m.PEM(text)
	if err != nil {
		t.Fatal(err)
	}
	filled = strings.ReplaceAll(filled, "\n$", "")
	if rest, windows := strings.CutPrefix(filled, "\r"); windows {
		filled = strings.ReplaceAll(rest, "\n", "\r\n")
	}
	*to = filled
}

func TestRefusedCertificatesAndKeys(t *testing.T) {
	m := material(t)
	const cert, key, ca, destination = "spec.tls.certificate: Invalid value: \"redacted certificate data\": ", "spec.tls.key: Invalid value: \"redacted key data\": ",
		"spec.tls.caCertificate: Invalid value: \"redacted ca certificate data\": ", "spec.tls.destinationCACertificate: Invalid value: \"redacted destination ca certificate data\": "
	tests := []struct {
		name                       string
		cert, key, ca, destination string
		want                       []string
	}{
		{name: "a certificate that does not parse", cert: "<broken>", key: "<leaf-key>", want: []string{cert + "certificate 1 cannot be parsed"}},
		{name: "an intermediate that does not parse", cert: "<leaf><broken>", key: "<leaf-key>", want: []string{cert + "certificate 2 cannot be parsed"}},
		{name: "a request", cert: "<request>", key: "<leaf-key>", want: []string{cert + "unrecognized PEM block CERTIFICATE REQUEST"}},
		{name: "a request beside the certificate", cert: "<leaf><request>", key: "<leaf-key>", want: []string{cert + "unrecognized PEM block CERTIFICATE REQUEST"}},
		{name: "a public key", cert: "<leaf><leaf-public>", key: "<leaf-key>", want: []string{cert + "field contains invalid types PUBLIC KEY, expecting only CERTIFICATE"}},
		{name: "a certificate in the field of the key", cert: "<leaf>", key: "<leaf><leaf-key>", want: []string{key + "field contains invalid types CERTIFICATE, expecting only PRIVATE KEY"}},
		{name: "a public key in the field of the key", cert: "<leaf>", key: "<leaf-public>", want: []string{key + "field contains invalid types PUBLIC KEY, expecting only PRIVATE KEY"}},
		{name: "a key that does not parse", cert: "<leaf>", key: "<broken-key>", want: []string{key + "the private key cannot be parsed"}},
		{name: "an encrypted key", cert: "<leaf>", key: "<encrypted-key>", want: []string{key + "the private key is encrypted"}},
		{name: "a key encrypted in the old way", cert: "<leaf>", key: "<proc-type-key>", want: []string{key + "the private key is encrypted"}},
		{name: "a key for something else than signatures", cert: "<leaf>", key: "<x25519-key>", want: []string{key + "block private key *ecdh.PrivateKey is not valid"}},
		{name: "a key that is cut off", cert: "<leaf>", key: "-----BEGIN PRIVATE KEY-----\nAAAA\n", want: []string{"spec.tls.key: Invalid value: \"\": no key specified"}},
		{name: "two keys, the first of which is another's", cert: "<leaf><other-key>", key: "<leaf-key>", want: []string{key + "private key does not match public key"}},
		{name: "SHA-1 of an authority", cert: "<sha1-leaf>", key: "<sha1-leaf-key>", want: []string{cert + "router does not support CA-signed certs using SHA1"}},
		{name: "SHA-1 of an authority that is given", cert: "<sha1-leaf>", key: "<sha1-leaf-key>", ca: "<ca>", want: []string{cert + "router does not support CA-signed certs using SHA1"}},
		{name: "SHA-1 among the CAs", cert: "<leaf>", key: "<leaf-key>", ca: "<ca><sha1-leaf>", want: []string{ca + "router does not support CA-signed certs using SHA1"}},
		{name: "SHA-1 among the destination CAs", destination: "<ca><sha1-leaf>", want: []string{destination + "router does not support CA-signed certs using SHA1"}},
		{name: "a CA that does not parse", cert: "<leaf>", key: "<leaf-key>", ca: "<broken>", want: []string{ca + "failed to parse CA certificate: certificate 1 cannot be parsed"}},
		{name: "a CA that is a key", cert: "<leaf>", key: "<leaf-key>", ca: "<leaf-key>", want: []string{ca + "failed to parse CA certificate: field contains invalid types PRIVATE KEY"}},
		{name: "a CA that is a request", cert: "<leaf>", key: "<leaf-key>", ca: "<request>", want: []string{ca + "failed to parse CA certificate: unrecognized PEM block CERTIFICATE REQUEST"}},
		{name: "a CA without its intermediate", cert: "<deep>", key: "<deep-key>", ca: "<ca>", want: []string{cert + "error verifying certificate: certificate signed by unknown authority"}},
		{name: "a CA that is no authority", cert: "<leaf>", key: "<leaf-key>", ca: "<self>", want: []string{cert + "error verifying certificate"}},
		{name: "a destination CA that does not parse", destination: "<broken>", want: []string{destination + "failed to parse destination CA certificate"}},
		{name: "a destination CA that is a key", destination: "<leaf-key>", want: []string{destination + "failed to parse destination CA certificate: field contains invalid types PRIVATE KEY"}},
		{name: "everything at once", cert: "<leaf>", key: "<other-key>", ca: "<broken>", destination: "nonsense", want: []string{ca, key, destination}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := routev1.TLSConfig{Termination: routev1.TLSTerminationReencrypt}
			fill(t, m, &config.Certificate, tt.cert)
			fill(t, m, &config.Key, tt.key)
			fill(t, m, &config.CACertificate, tt.ca)
			fill(t, m, &config.DestinationCACertificate, tt.destination)
			v := decide(withTLS(config), options())
			if v.Admitted || v.Reason != admission.ExtendedValidationFailed || v.Certificate != nil || v.DestinationCA != "" {
				t.Errorf("verdict is %+v", v)
			}
			for _, want := range tt.want {
				if !strings.Contains(v.Message, want) {
					t.Errorf("message is %q, want %q in it", v.Message, want)
				}
			}
			if got := strings.Count(v.Message, "spec.tls."); len(tt.want) != got {
				t.Errorf("message is %q, want %d failures", v.Message, len(tt.want))
			}
			if strings.Contains(v.Message, "-----") || strings.Contains(v.Message, config.Key) && config.Key != "" {
				t.Errorf("the message shows what it must not: %q", v.Message)
			}
			if c, failures := admission.Certificate(&config); tt.destination == "" && (len(failures) == 0 || c != model.Certificate{}) {
				t.Error("Certificate accepts it")
			}
		})
	}
}

func TestTheTLSLibraryJudgesCertificatesWhereItIsAsked(t *testing.T) {
	m := material(t)
	config := routev1.TLSConfig{Termination: routev1.TLSTerminationEdge}
	fill(t, m, &config.Certificate, "<sha1-leaf>")
	fill(t, m, &config.Key, "<sha1-leaf-key>")
	o := options()
	var asked []model.Certificate
	o.CheckCertificate = func(c model.Certificate) error {
		asked = append(asked, c)
		return nil
	}
	if v := decide(withTLS(config), o); !v.Admitted || len(asked) != 1 || subjects(t, asked[0].Chain) != "sha1-leaf" {
		t.Errorf("a certificate that the library accepts: %+v", v)
	}
	o.CheckCertificate = func(model.Certificate) error { return errors.New("ca md too weak") }
	if v := decide(withTLS(config), o); v.Admitted || v.Message != `spec.tls.certificate: Invalid value: "redacted certificate data": router does not support CA-signed certs using SHA1` {
		t.Errorf("a certificate that the library refuses for a reason that the reference router knows: %+v", v)
	}
	fill(t, m, &config.Certificate, "<leaf>")
	fill(t, m, &config.Key, "<leaf-key>")
	o.CheckCertificate = func(model.Certificate) error { return errors.New("ee key too small") }
	if v := decide(withTLS(config), o); v.Admitted || v.Message != `spec.tls.certificate: Invalid value: "redacted certificate data": ee key too small` {
		t.Errorf("a certificate that the library refuses: %+v", v)
	}
	fill(t, m, &config.Key, "<other-key>")
	o.CheckCertificate = func(model.Certificate) error { t.Error("the library is asked about what is no pair"); return nil }
	decide(withTLS(config), o)
}

func TestCertificatesFromSecrets(t *testing.T) {
	m := material(t)
	var cert, key string
	fill(t, m, &cert, "<leaf>")
	fill(t, m, &key, "<leaf-key>")
	route := withTLS(routev1.TLSConfig{Termination: routev1.TLSTerminationEdge, ExternalCertificate: &routev1.LocalObjectReference{Name: "secret"}})
	tests := []struct {
		name     string
		external routes.SecretCertificate
		admitted bool
		reason   admission.Reason
		message  string
	}{
		{"a good secret", routes.SecretCertificate{Certificate: cert, Key: key}, true, "", ""},
		{"a secret without contents", routes.SecretCertificate{}, false, admission.ExternalCertificateGetFailed, "the secret has no certificate"},
		{"a secret that may not be read", routes.SecretCertificate{Reason: admission.ExternalCertificateValidationFailed, Message: "no"}, false, admission.ExternalCertificateValidationFailed, "no"},
		{"a deleted secret whose last contents are kept", routes.SecretCertificate{Certificate: cert, Key: key, Reason: admission.ExternalCertificateSecretDeleted, Message: "kept"}, true, admission.ExternalCertificateSecretDeleted, "kept"},
		{"a secret with nonsense", routes.SecretCertificate{Certificate: "nonsense", Key: key}, false, admission.ExtendedValidationFailed, "spec.tls.certificate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := decideFrom(route, &tt.external, options())
			if v.Admitted != tt.admitted || v.Reason != tt.reason || !strings.Contains(v.Message, tt.message) {
				t.Errorf("verdict is %+v", v)
			}
			if v.Admitted && v.Certificate == nil {
				t.Error("the default certificate would be served")
			}
		})
	}
	both := withTLS(routev1.TLSConfig{Termination: routev1.TLSTerminationEdge, Certificate: cert, Key: key, ExternalCertificate: &routev1.LocalObjectReference{Name: "secret"}})
	if v := decideFrom(both, &routes.SecretCertificate{Certificate: cert, Key: key}, options()); v.Admitted || !strings.Contains(v.Message, "cannot have both spec.tls.certificate and spec.tls.externalCertificate") {
		t.Errorf("both certificates: %+v", v)
	}
}

// What was found out once is looked at again when it may be another: when the
// contents change, and when a certificate's time comes or goes.
func TestAnUnchangedCertificateIsCheckedOnce(t *testing.T) {
	m := material(t)
	now, asked := admissiontest.Now(), 0
	o := admission.Options{Validate: true, Now: func() time.Time { return now }, CheckCertificate: func(model.Certificate) error { asked++; return nil }}
	config := routev1.TLSConfig{Termination: routev1.TLSTerminationEdge}
	fill(t, m, &config.Certificate, "<future>")
	fill(t, m, &config.Key, "<future-key>")
	x := admission.NewIndex(o)
	for range 10 {
		r := withTLS(config)
		r.Annotations = map[string]string{"a": now.String()}
		x.Set(routes.FromRoute(r))
	}
	if asked != 1 {
		t.Errorf("checked %d times", asked)
	}
	now = now.Add(90 * time.Minute)
	if changed := x.Set(routes.FromRoute(withTLS(config))); asked != 2 || len(changed) != 1 {
		t.Errorf("at its time: checked %d times, changed %v", asked, changed)
	}
	fill(t, m, &config.Certificate, "<leaf>")
	fill(t, m, &config.Key, "<leaf-key>")
	if changed := x.Set(routes.FromRoute(withTLS(config))); asked != 3 || len(changed) != 1 {
		t.Errorf("another certificate: checked %d times, changed %v", asked, changed)
	}
	now = admissiontest.Now().AddDate(30, 0, 0)
	x.Set(routes.FromRoute(withTLS(config)))
	v, _ := x.Verdict(model.RouteKey{Namespace: "n", Name: "r"})
	if len(v.Problems) != 1 || !strings.Contains(v.Problems[0].Message, "expired on") {
		t.Errorf("after its time: %+v", v)
	}
}
