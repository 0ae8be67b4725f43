package ingress

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/controller/admission"
	"router/pkg/model"
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
			c := NewCertificates(store, CertificateOptions{})
			putSecret(store, tt.secret, tt.absence)
			if e := c.Certificate("n", "s"); e.Certificate != "" || e.Key != "" || e.Reason != tt.reason || !strings.Contains(e.Message, tt.says) {
				t.Errorf("at first: %s: %s", e.Reason, e.Message)
			}
			putSecret(store, good, "")
			want := admission.External{Certificate: string(good.Data[corev1.TLSCertKey]), Key: string(good.Data[corev1.TLSPrivateKeyKey])}
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
			c.Forget("n", "s")
			if e := c.Certificate("n", "s"); e.Certificate != "" {
				t.Error("a certificate that nobody names is remembered")
			}
		})
	}
}

func TestTheSetKnowsWhatIngressesHave(t *testing.T) {
	store := source.NewStore(source.Selection{})
	set := NewSet(Class{Name: "router"}, store, CertificateOptions{})
	k := model.RouteKey{Namespace: "n", Name: "i"}
	class := "router"
	ingress := func(secret string, hosts ...string) *networkingv1.Ingress {
		i := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "i"}, Spec: networkingv1.IngressSpec{IngressClassName: &class}}
		if secret != "" {
			i.Spec.TLS = []networkingv1.IngressTLS{{SecretName: secret}}
		}
		for _, h := range hosts {
			i.Spec.Rules = append(i.Spec.Rules, networkingv1.IngressRule{Host: h, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
				Paths: []networkingv1.HTTPIngressPath{{Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "s"}}}},
			}}})
		}
		return i
	}
	update := func(i *networkingv1.Ingress, wantSet, wantGone []string, wantOwns bool) {
		t.Helper()
		routes, gone, owns := set.Update(k, i)
		var have, lost []string
		for _, r := range routes {
			have = append(have, r.Name)
			if p := set.IngressPath(model.RouteKey{Namespace: "n", Name: r.Name}); p == nil || p.Ingress != "i" {
				t.Errorf("path of %s is %+v", r.Name, p)
			}
		}
		for _, g := range gone {
			lost = append(lost, g.Name)
			if set.Path(g) != nil {
				t.Errorf("%s is gone and there", g)
			}
		}
		if !slices.Equal(have, wantSet) || !slices.Equal(lost, wantGone) || owns != wantOwns || set.Owns(k) != wantOwns {
			t.Errorf("have %v, lost %v, owns %v; want %v, %v, %v", have, lost, owns, wantSet, wantGone, wantOwns)
		}
	}
	name := func(host string) string { return routeName("i", host, "", false) }
	putSecret(store, tlsSecret(t, "a", nil), "")
	update(ingress("s", "a", "b"), []string{name("a"), name("b")}, nil, true)
	putSecret(store, nil, source.Deleted)
	update(ingress("s", "b", "c"), []string{name("b"), name("c")}, []string{name("a")}, true)
	if p := set.IngressPath(model.RouteKey{Namespace: "n", Name: name("c")}); p.Certificate.Certificate == "" {
		t.Error("the last good certificate is lost")
	}
	update(ingress("", "b"), []string{name("b")}, []string{name("c")}, true)
	update(ingress("s", "b"), []string{name("b")}, nil, true)
	if p := set.IngressPath(model.RouteKey{Namespace: "n", Name: name("b")}); p.Certificate.Certificate != "" {
		t.Error("a certificate that nobody named is remembered")
	}
	class = "other"
	update(ingress("s", "b"), nil, []string{name("b")}, false)
	class = "router"
	update(ingress("s", "b"), []string{name("b")}, nil, true)
	update(nil, nil, []string{name("b")}, false)
	if len(set.paths)+len(set.of)+len(set.users)+len(set.secrets)+len(set.owned) != 0 {
		t.Errorf("something is left: %+v", set)
	}
}
