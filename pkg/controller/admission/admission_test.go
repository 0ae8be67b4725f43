package admission

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	mathrand "math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"router/pkg/model"
)

// route makes a route from "namespace/name@age host[path] [flags...]", where
// flags are edge, reencrypt, passthrough, wild.
func route(t *testing.T, text string) *routev1.Route {
	t.Helper()
	fields := strings.Fields(text)
	var age int
	id, ageText, _ := strings.Cut(fields[0], "@")
	if _, err := fmt.Sscan(ageText, &age); err != nil {
		t.Fatal(err)
	}
	ns, name, _ := strings.Cut(id, "/")
	r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, UID: types.UID(id), CreationTimestamp: metav1.Unix(int64(age), 0)}}
	if len(fields) > 1 && fields[1] != "-" {
		i := strings.IndexByte(fields[1]+"/", '/')
		r.Spec.Host, r.Spec.Path = fields[1][:i], fields[1][i:]
	}
	for _, f := range fields[2:] {
		switch f {
		case "wild":
			r.Spec.WildcardPolicy = routev1.WildcardPolicySubdomain
		default:
			r.Spec.TLS = &routev1.TLSConfig{Termination: routev1.TLSTerminationType(f)}
		}
	}
	return r
}

func testOptions() Options {
	return Options{AllowWildcards: true, Validate: true, Now: func() time.Time { return time.Unix(1e9, 0) }}
}

func TestWhoWins(t *testing.T) {
	shared := testOptions()
	shared.SharedHosts = true
	domains := testOptions()
	domains.AllowedDomains, domains.DeniedDomains = []string{"good.test", "both.test"}, []string{"both.test"}
	noWild := testOptions()
	noWild.AllowWildcards = false
	tests := []struct {
		name   string
		o      Options
		routes []string
		// lost has the routes that are not admitted, and a part of why.
		lost map[string]string
	}{
		{"one route", testOptions(), []string{"a/r@1 h.test"}, nil},
		{"the older of two", testOptions(), []string{"a/r@2 h.test", "a/s@1 h.test"}, map[string]string{"a/r": "HostAlreadyClaimed: route s already exposes h.test and is older"}},
		{"the smaller UID of two of one age", testOptions(), []string{"a/r@1 h.test", "a/q@1 h.test"}, map[string]string{"a/r": "route q already"}},
		{"different paths", testOptions(), []string{"a/r@1 h.test/a", "a/s@2 h.test/b", "a/t@3 h.test"}, nil},
		{"no path and / are one path", testOptions(), []string{"a/r@1 h.test", "a/s@2 h.test/"}, map[string]string{"a/s": "route r already exposes h.test"}},
		{"/a and /a/ are two paths", testOptions(), []string{"a/r@1 h.test/a", "a/s@2 h.test/a/"}, nil},
		{"another namespace, whatever the path", testOptions(), []string{"a/r@1 h.test/a", "b/s@2 h.test/b"}, map[string]string{"b/s": "a route in another namespace holds h.test and is older than s: a/r"}},
		{"another namespace, older", testOptions(), []string{"a/r@2 h.test/a", "b/s@1 h.test/b"}, map[string]string{"a/r": "b/s"}},
		{"a second route of the owner beside a foreign older one", testOptions(), []string{"a/r@1 h.test/a", "b/s@2 h.test/b", "a/t@3 h.test/b"}, map[string]string{"b/s": "a/r"}},
		{"shared hosts: different paths", shared, []string{"a/r@1 h.test/a", "b/s@2 h.test/b"}, nil},
		{"shared hosts: one path", shared, []string{"a/r@1 h.test/a", "b/s@2 h.test/a"}, map[string]string{"b/s": "a/r"}},
		{"passthrough beside another TLS route", testOptions(), []string{"a/r@1 h.test passthrough", "a/s@2 h.test/x edge"}, map[string]string{"a/s": "route r already"}},
		{"passthrough beside a plain path", testOptions(), []string{"a/r@1 h.test passthrough", "a/s@2 h.test/x"}, nil},
		{"passthrough with a path", testOptions(), []string{"a/r@1 h.test/x passthrough"}, map[string]string{"a/r": "ExtendedValidationFailed: spec.path: passthrough"}},
		{"a wildcard beside its own hosts", testOptions(), []string{"a/w@1 x.d.test wild", "a/r@2 y.d.test", "a/s@3 x.d.test"}, nil},
		{"an older foreign wildcard over a host", testOptions(), []string{"a/w@1 x.d.test wild", "b/r@2 y.d.test"}, map[string]string{"b/r": "wildcard route a/w has host *.d.test, blocking y.d.test"}},
		{"an older host under a foreign wildcard", testOptions(), []string{"a/w@2 x.d.test wild", "b/r@1 y.d.test/p"}, map[string]string{"a/w": "route b/r has host y.d.test, blocking *.d.test"}},
		{"a wildcard and hosts deeper below", testOptions(), []string{"a/w@1 x.d.test wild", "b/r@2 y.z.d.test"}, nil},
		{"two wildcards of one domain", testOptions(), []string{"a/w@1 x.d.test wild", "a/v@2 y.d.test wild"}, map[string]string{"a/v": "route w already"}},
		{"wildcards with different paths", testOptions(), []string{"a/w@1 x.d.test/a wild", "a/v@2 x.d.test/b wild"}, nil},
		{"shared hosts: wildcard and foreign host", shared, []string{"a/w@1 x.d.test wild", "b/r@2 y.d.test"}, nil},
		{"wildcards not allowed", noWild, []string{"a/w@1 x.d.test wild"}, map[string]string{"a/w": "RouteNotAdmitted: wildcard routes are not allowed"}},
		{"no host", testOptions(), []string{"a/r@1 -"}, map[string]string{"a/r": "NoHostValue: no host value was defined for the route"}},
		{"an upper-case host", testOptions(), []string{"a/r@1 H.test"}, map[string]string{"a/r": "InvalidHost: host name validation errors"}},
		{"a host with an underscore", testOptions(), []string{"a/r@1 a_b.test"}, map[string]string{"a/r": "InvalidHost"}},
		{"a label of 64 bytes", testOptions(), []string{"a/r@1 " + strings.Repeat("a", 64) + ".test"}, map[string]string{"a/r": "InvalidHost"}},
		{"a label of 63 bytes", testOptions(), []string{"a/r@1 " + strings.Repeat("a", 63) + ".test"}, nil},
		{"an invalid host holds nothing", testOptions(), []string{"a/r@1 H.test", "b/s@2 h.test"}, map[string]string{"a/r": "InvalidHost"}},
		{"a path with a query", testOptions(), []string{"a/r@1 h.test/a?b"}, map[string]string{"a/r": "InvalidPath: spec.path"}},
		{"a denied domain", domains, []string{"a/r@1 x.both.test"}, map[string]string{"a/r": "host in list of denied domains"}},
		{"a domain that is not allowed", domains, []string{"a/r@1 x.test", "a/s@1 good.test", "a/t@1 a.b.good.test"}, map[string]string{"a/r": "host not in the allowed list of domains"}},
		{"an unknown termination keeps the host", testOptions(), []string{"a/r@1 h.test nonsense", "b/s@2 h.test"}, map[string]string{"a/r": "ExtendedValidationFailed: spec.tls.termination", "b/s": "a/r"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var routes []*routev1.Route
			for _, text := range tt.routes {
				routes = append(routes, route(t, text))
			}
			got := Decide(routes, tt.o)
			for k, v := range got {
				why := string(v.Reason) + ": " + v.Message
				if want, lost := tt.lost[k.String()]; lost == v.Admitted || !strings.Contains(why, want) {
					t.Errorf("%s: admitted %v, %s; want %q", k, v.Admitted, why, want)
				}
			}
			if len(got) != len(routes) {
				t.Errorf("%d verdicts for %d routes", len(got), len(routes))
			}
		})
	}
}

// randomOperation changes the set of routes by one step.
func randomOperation(t *testing.T, rnd *mathrand.Rand, routes map[model.RouteKey]*routev1.Route) (set []*routev1.Route, gone []model.RouteKey) {
	t.Helper()
	hosts := []string{"a.d.test", "b.d.test", "c.e.test", "d.test", "A.d.test"}
	paths := []string{"", "/", "/x", "/x/"}
	flags := []string{"", "", "edge", "passthrough", "wild", "edge wild", "nonsense"}
	k := model.RouteKey{Namespace: fmt.Sprint("n", rnd.IntN(3)), Name: fmt.Sprint("r", rnd.IntN(8))}
	if old := routes[k]; old != nil && rnd.IntN(3) == 0 {
		delete(routes, k)
		return nil, []model.RouteKey{k}
	}
	r := route(t, fmt.Sprintf("%s@%d %s%s %s", k, rnd.IntN(5), hosts[rnd.IntN(len(hosts))], paths[rnd.IntN(len(paths))], flags[rnd.IntN(len(flags))]))
	r.UID = types.UID(fmt.Sprint(rnd.IntN(3)))
	routes[k] = r
	return []*routev1.Route{r}, nil
}

func TestTheIndexAnswersLikeAFreshDecision(t *testing.T) {
	for _, shared := range []bool{false, true} {
		o := testOptions()
		o.SharedHosts = shared
		rnd := mathrand.New(mathrand.NewPCG(7, 7))
		routes := map[model.RouteKey]*routev1.Route{}
		x := NewIndex(o)
		said := map[model.RouteKey]Verdict{} // what an observer of changes believes
		for step := range 20000 {
			var set []*routev1.Route
			var gone []model.RouteKey
			for range 1 + rnd.IntN(3) {
				s, g := randomOperation(t, rnd, routes)
				// One key once in an update, as the store's batches have it.
				if len(g) == 0 && len(set) > 0 || len(set)+len(gone) > 0 && len(g) > 0 {
					for _, k := range x.Update(set, gone) {
						note(x, said, k)
					}
					set, gone = nil, nil
				}
				set, gone = append(set, s...), append(gone, g...)
			}
			for _, k := range x.Update(set, gone) {
				note(x, said, k)
			}
			var all []*routev1.Route
			for _, r := range routes {
				all = append(all, r)
			}
			if want := Decide(all, o); !maps.EqualFunc(said, want, func(a, b Verdict) bool { return reflect.DeepEqual(a, b) }) {
				for k, v := range want {
					if !reflect.DeepEqual(said[k], v) {
						t.Errorf("%s is %+v, want %+v", k, said[k], v)
					}
				}
				t.Fatalf("step %d: the index differs", step)
			}
		}
	}
}

func note(x *Index, said map[model.RouteKey]Verdict, k model.RouteKey) {
	if v, ok := x.Verdict(k); ok {
		said[k] = v
	} else {
		delete(said, k)
	}
}

type issued struct{ cert, key string }

func issue(t *testing.T, name string, parent *issued) issued {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Unix(9e8, 0), NotAfter: time.Unix(11e8, 0),
		IsCA: true, BasicConstraintsValid: true, DNSNames: []string{name},
	}
	issuer, signer := template, any(k)
	if parent != nil {
		block, _ := pem.Decode([]byte(parent.cert))
		if issuer, err = x509.ParseCertificate(block.Bytes); err != nil {
			t.Fatal(err)
		}
		block, _ = pem.Decode([]byte(parent.key))
		if signer, err = x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
			t.Fatal(err)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, k.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return issued{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))}
}

func TestCertificates(t *testing.T) {
	ca := issue(t, "ca", nil)
	leaf := issue(t, "h.test", &ca)
	other := issue(t, "other.test", nil)
	request := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: []byte("x")}))
	tests := []struct {
		name string
		tls  routev1.TLSConfig
		want string // a part of the message, "" for admitted
	}{
		{"a pair", routev1.TLSConfig{Certificate: leaf.cert, Key: leaf.key}, ""},
		{"a pair with its CA", routev1.TLSConfig{Certificate: leaf.cert, Key: leaf.key, CACertificate: ca.cert}, ""},
		{"a chain", routev1.TLSConfig{Certificate: leaf.cert + ca.cert, Key: leaf.key}, ""},
		{"text around the blocks", routev1.TLSConfig{Certificate: "Bag Attributes\n x: y\n" + leaf.cert, Key: leaf.key}, ""},
		{"a key in the certificate's field", routev1.TLSConfig{Certificate: leaf.key + leaf.cert}, ""},
		{"a key with the header of another type", routev1.TLSConfig{Certificate: leaf.cert, Key: strings.ReplaceAll(leaf.key, "PRIVATE KEY", "RSA PRIVATE KEY")}, ""},
		{"a CA first", routev1.TLSConfig{Certificate: ca.cert + leaf.cert, Key: leaf.key}, "spec.tls.key: the key does not belong to the first certificate"},
		{"another key", routev1.TLSConfig{Certificate: leaf.cert, Key: other.key}, "spec.tls.key: the key does not belong"},
		{"no key", routev1.TLSConfig{Certificate: leaf.cert}, "spec.tls.key: no key specified"},
		{"no certificate", routev1.TLSConfig{Key: leaf.key}, "spec.tls.certificate: holds no PEM certificate"},
		{"nonsense", routev1.TLSConfig{Certificate: "nonsense", Key: leaf.key}, "spec.tls.certificate: holds no PEM certificate"},
		{"a request", routev1.TLSConfig{Certificate: request, Key: leaf.key}, `PEM block of type "CERTIFICATE REQUEST"`},
		{"another CA", routev1.TLSConfig{Certificate: leaf.cert, Key: leaf.key, CACertificate: other.cert}, "spec.tls.caCertificate: error verifying certificate"},
		{"a certificate as key", routev1.TLSConfig{Certificate: leaf.cert, Key: leaf.cert}, `spec.tls.key: holds a PEM block of type "CERTIFICATE"`},
		{"a destination CA on edge", routev1.TLSConfig{DestinationCACertificate: ca.cert}, "edge termination does not support destination certificates"},
		{"an unknown policy", routev1.TLSConfig{InsecureEdgeTerminationPolicy: "Sometimes"}, "acceptable values are None, Allow, Redirect, or empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := route(t, "a/r@1 h.test edge")
			tt.tls.Termination = routev1.TLSTerminationEdge
			r.Spec.TLS = &tt.tls
			v := Decide([]*routev1.Route{r}, testOptions())[model.RouteKey{Namespace: "a", Name: "r"}]
			if v.Admitted != (tt.want == "") || !strings.Contains(v.Message, tt.want) {
				t.Errorf("admitted %v: %s", v.Admitted, v.Message)
			}
			if strings.Contains(v.Message, "PRIVATE") && !strings.Contains(v.Message, "type") {
				t.Errorf("a key is shown: %s", v.Message)
			}
			if v.Admitted && (v.Certificate == nil || !strings.HasPrefix(v.Certificate.Chain, "-----BEGIN CERTIFICATE-----")) {
				t.Errorf("certificate is %v", v.Certificate)
			}
		})
	}
}

func TestNamesGivenByTheRouter(t *testing.T) {
	tests := []struct {
		name   string
		naming Naming
		host   string
		sub    string
		want   string
	}{
		{"its own", Naming{Template: "${name}-${namespace}.apps.test"}, "h.test", "", "h.test"},
		{"by template", Naming{Template: "${name}-${namespace}.apps.test"}, "", "", "r-a.apps.test"},
		{"by subdomain", Naming{Domain: "apps.test"}, "", "www", "www.apps.test"},
		{"overridden", Naming{Template: "${name}.apps.test", Override: true}, "h.test", "", "r.apps.test"},
		{"overridden in a domain", Naming{Template: "${name}.apps.test", OverrideDomains: []string{"test"}}, "h.test", "", "r.apps.test"},
		{"outside the domain", Naming{Template: "${name}.apps.test", OverrideDomains: []string{"x.test"}}, "h.test", "", "h.test"},
		{"an unknown placeholder", Naming{Template: "${uid}.apps.test"}, "", "", ""},
	}
	for _, tt := range tests {
		r := route(t, "a/r@1 -")
		r.Spec.Host, r.Spec.Subdomain = tt.host, tt.sub
		if got := tt.naming.host(r); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzPEM(f *testing.F) {
	f.Add("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := certificates(text); err == nil && len(p.list) == 0 {
			t.Error("no error without a certificate")
		}
		_, _ = privateKey(text)
	})
}
