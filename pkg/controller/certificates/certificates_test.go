package certificates

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"router/pkg/controller/admission"
	"router/pkg/controller/routes"
	"router/pkg/source"
	"router/test/certs"
)

// tlsSecret is a secret of a certificate for a name; edit spoils it.
func tlsSecret(t *testing.T, name string, edit func(*corev1.Secret)) *corev1.Secret {
	t.Helper()
	ca, err := certs.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue(name)
	if err != nil {
		t.Fatal(err)
	}
	s := &corev1.Secret{Type: corev1.SecretTypeTLS, Data: map[string][]byte{corev1.TLSCertKey: []byte(pair.Cert), corev1.TLSPrivateKeyKey: []byte(pair.Key)}}
	if edit != nil {
		edit(s)
	}
	return s
}

// wideCertificate has an RSA key that may not be served.
func wideCertificate(t *testing.T) certs.Pair {
	t.Helper()
	ca, err := certs.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.IssueRSA(4224, "a.test")
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func putSecret(store *source.Store, s *corev1.Secret, absence source.Absence) {
	c := source.Change{Key: source.Key{Kind: source.KindSecret, Namespace: "n", Name: "s"}, Absence: absence}
	if s != nil {
		c.Object = s
	}
	store.Apply(c)
}

func TestTheLastGoodCertificateIsKept(t *testing.T) {
	good := tlsSecret(t, "a.test", nil)
	tests := []struct {
		name    string
		secret  *corev1.Secret
		absence source.Absence
		reason  admission.Reason
		says    string
	}{
		{"deleted", nil, source.Deleted, admission.ExternalCertificateGetFailed, "does not exist"},
		{"forbidden", nil, source.Forbidden, admission.ExternalCertificateGetFailed, "may not be read"},
		{"of another type", tlsSecret(t, "a.test", func(s *corev1.Secret) { s.Type = corev1.SecretTypeOpaque }), "", admission.ExternalCertificateValidationFailed, "is of type"},
		{"without a certificate", tlsSecret(t, "a.test", func(s *corev1.Secret) { delete(s.Data, corev1.TLSCertKey) }), "", admission.ExternalCertificateValidationFailed, "has no tls.crt"},
		{"without a key", tlsSecret(t, "a.test", func(s *corev1.Secret) { delete(s.Data, corev1.TLSPrivateKeyKey) }), "", admission.ExternalCertificateValidationFailed, "has no tls.key"},
		{"with another key", tlsSecret(t, "a.test", func(s *corev1.Secret) {
			s.Data[corev1.TLSPrivateKeyKey] = tlsSecret(t, "b.test", nil).Data[corev1.TLSPrivateKeyKey]
		}), "", admission.ExternalCertificateValidationFailed, "does not match"},
		{"with a key that costs too much", tlsSecret(t, "a.test", func(s *corev1.Secret) {
			wide := wideCertificate(t)
			s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey] = []byte(wide.Cert), []byte(wide.Key)
		}), "", admission.ExternalCertificateValidationFailed, "RSA key of 4224 bits"},
		{"with no PEM", tlsSecret(t, "a.test", func(s *corev1.Secret) { s.Data[corev1.TLSCertKey] = []byte("x") }), "", admission.ExternalCertificateValidationFailed, "cannot be served"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := source.NewStore(source.Selection{})
			c := New(Options{Secrets: store, Pending: func(string, string) bool { return false }, Unservable: admission.Options{Now: time.Now}.Unservable})
			putSecret(store, tt.secret, tt.absence)
			if e := c.Certificate("n", "s"); e.Certificate != "" || e.Key != "" || e.Reason != tt.reason || !strings.Contains(e.Message, tt.says) {
				t.Errorf("at first: %s: %s", e.Reason, e.Message)
			}
			putSecret(store, good, "")
			want := routes.SecretCertificate{Certificate: string(good.Data[corev1.TLSCertKey]), Key: string(good.Data[corev1.TLSPrivateKeyKey])}
			if e := c.Certificate("n", "s"); e != want {
				t.Errorf("a good one: %s: %s", e.Reason, e.Message)
			}
			putSecret(store, tt.secret, tt.absence)
			e := c.Certificate("n", "s")
			if e.Certificate != want.Certificate || e.Key != want.Key || e.Reason != tt.reason || !strings.Contains(e.Message, tt.says) || !strings.Contains(e.Message, "last good") {
				t.Errorf("after a good one: %s: %s", e.Reason, e.Message)
			}
			if strings.Contains(e.Message, "PRIVATE KEY-----") {
				t.Error("the message shows the key")
			}
			c.Forget(source.Key{Kind: source.KindSecret, Namespace: "n", Name: "s"})
			if e := c.Certificate("n", "s"); e.Certificate != "" {
				t.Error("a certificate that nobody names is remembered")
			}
		})
	}
}
