package admission_test

import (
	"crypto/tls"
	"strings"
	"testing"

	routev1 "github.com/openshift/api/route/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/controller/admission"
)

// FuzzCertificate feeds the fields of spec.tls: what is accepted is a pair in
// clean PEM, what is not has a message without its contents.
func FuzzCertificate(f *testing.F) {
	m := material(f)
	for _, seed := range [][3]string{
		{"<leaf>", "<leaf-key>", "<ca>"}, {"<leaf-key><leaf>", "", ""}, {"<deep><middle>", "<deep-key>", "<ca>"}, {"<rsa>", "<rsa-key>", ""},
		{"<cut-off><leaf>", "<proc-type-key>", "<request>"}, {"<broken>", "<broken-key>", "<leaf-public>"}, {"<leaf>", "<ec-parameters><leaf-key-sec1>", ""},
	} {
		var filled [3]string
		for i, text := range seed {
			var err error
			if filled[i], err = m.PEM(text); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(filled[0], filled[1], filled[2])
	}
	f.Fuzz(func(t *testing.T, cert, key, ca string) {
		config := routev1.TLSConfig{Termination: routev1.TLSTerminationEdge, Certificate: cert, Key: key, CACertificate: ca}
		c, failures := admission.Certificate(&config)
		for _, err := range failures {
			if strings.Contains(err.Error(), "-----") {
				t.Errorf("the message shows PEM: %s", err)
			}
		}
		if c.Chain == "" {
			if !c.Key.IsEmpty() {
				t.Error("a key without a certificate")
			}
			if len(failures) == 0 && cert+key != "" {
				t.Error("neither a certificate nor a failure")
			}
			return
		}
		if _, err := tls.X509KeyPair([]byte(c.Chain), []byte(c.Key.Reveal())); err != nil {
			t.Errorf("what is accepted is no pair: %v", err)
		}
		again, failures := admission.Certificate(&routev1.TLSConfig{Termination: routev1.TLSTerminationEdge, Certificate: c.Chain, Key: c.Key.Reveal()})
		if len(failures) > 0 || again != c {
			t.Errorf("what is accepted is not accepted again as it is: %v", failures)
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(c.Chain+c.Key.Reveal(), "\n"), "\n") {
			if strings.Trim(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=- ") != "" || line == "" {
				t.Errorf("line %q is no PEM", line)
			}
		}
	})
}

// FuzzRoute feeds the other fields: whatever a tenant writes, there is one
// verdict, and what is admitted can be looked up by a request.
func FuzzRoute(f *testing.F) {
	f.Add("www.example.org", "/a", "", "None")
	f.Add("", "", "front", "")
	f.Add("a.\x00b", "/\x7f", "x.y", "Subdomain")
	f.Fuzz(func(t *testing.T, host, path, subdomain, policy string) {
		r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "r"}}
		r.Spec = routev1.RouteSpec{Host: host, Path: path, Subdomain: subdomain, WildcardPolicy: routev1.WildcardPolicyType(policy)}
		o := options()
		o.AllowWildcards, o.Naming = true, admission.Naming{Domain: "apps.example.org", Template: "${name}.tmpl.example.org"}
		v := decide(r, o)
		if v.Admitted == (v.Reason != "") || v.Admitted == (v.Message != "") {
			t.Errorf("verdict is %+v", v)
		}
		if !v.Admitted {
			return
		}
		if v.Host == "" || strings.Trim(v.Host, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" {
			t.Errorf("host %q is admitted", v.Host)
		}
		if v.Path != "" && (v.Path[0] != '/' || strings.ContainsAny(v.Path, " ?#\x00\t\r\n\x7f")) || len(v.Path) > 1792 {
			t.Errorf("path %q is admitted", v.Path)
		}
	})
}
