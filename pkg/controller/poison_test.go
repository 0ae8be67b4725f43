package controller

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"

	"router/conf"
	"router/pkg/controller/admission"
	"router/pkg/controller/routes"
	"router/pkg/controller/status"
	"router/pkg/controller/translate"
	"router/pkg/model"
	"router/pkg/source"
	"router/pkg/template"
	"router/test/certs"
	"router/test/configreader"
)

// rendering is a data plane that only writes configuration, and complains of
// routes for which it cannot.
type rendering struct {
	*neighbours
	t         *testing.T
	templates *template.Templates
	rendered  int
}

// Apply implements DataPlane.
func (r *rendering) Apply(_ context.Context, c model.Change) (model.Outcome, error) {
	for _, route := range c.Upsert {
		r.rendered++
		text, err := r.templates.Route(route)
		if err != nil {
			r.t.Errorf("%s is admitted and cannot be rendered: %.500v", route.Key, err)
			continue
		}
		r.readBack(route, &text)
	}
	return model.Outcome{}, nil
}

// readBack has another parser find one backend in the text, its servers, and
// what headers are set to.
func (r *rendering) readBack(route *model.Route, text *template.RouteText) {
	title := "backend " + text.Backend + " from " + text.Profile
	config := title + "\n" + text.Settings
	var want, got []string
	for _, s := range text.Servers {
		address := net.JoinHostPort(s.Address, strconv.Itoa(s.Port))
		config += "  server " + s.ID + " " + address + s.Options + "\n"
		want = append(want, s.ID+" "+address)
	}
	sections, err := configreader.Read(config)
	if err != nil || len(sections) != 1 || sections[0].Title != title {
		r.t.Errorf("%s is rendered as\n%.3000s\nwhich is not %s: %v", route.Key, config, title, err)
		return
	}
	for _, words := range sections[0].Lines["server"] {
		got = append(got, words[1]+" "+words[2])
	}
	for _, words := range sections[0].Lines["http-response"] {
		if words[1] == "set-header" {
			got = append(got, strings.Join(words[2:], " "))
		}
	}
	for _, h := range route.Backend.ResponseHeaders {
		if !h.Delete {
			want = append(want, h.Name+" "+formatOf(h.Value))
		}
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("%s has the servers and headers %q, want %q", route.Key, got, want)
	}
}

// formatOf is a value as HAProxy is to see it, without quotes.
func formatOf(parts []model.ValuePart) string {
	var b strings.Builder
	for _, p := range parts {
		switch {
		case p.Sample == "":
			b.WriteString(strings.ReplaceAll(p.Literal, "%", "%%"))
		case p.Flags == "":
			b.WriteString("%[" + p.Sample + "]")
		default:
			b.WriteString("%{" + p.Flags + "}[" + p.Sample + "]")
		}
	}
	return b.String()
}

// poison makes objects that nobody would write, but that some source may
// deliver: the directory's, an old API server's, one without a schema.
type poison struct {
	*rand.Rand
	fill *randfill.Filler
	good []string
}

func newPoison(t *testing.T, seed uint64) *poison {
	t.Helper()
	ca, err := certs.NewAuthority("ca")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue("a.test")
	if err != nil {
		t.Fatal(err)
	}
	p := &poison{Rand: rand.New(rand.NewPCG(seed, 1)), good: []string{pair.Cert, pair.Key, ca.PEM, pair.Cert + pair.Key}}
	p.fill = randfill.NewWithSeed(int64(seed)).NilChance(0.3).NumElements(0, 3).Funcs( //nolint:gosec // small
		func(s *string, _ randfill.Continue) { *s = p.text() },
		func(n *int32, _ randfill.Continue) { *n = pick[int32](p, -1, 0, 1, 80, 65535, 65536, 1<<31-1, -1<<31) },
		func(v *intstr.IntOrString, _ randfill.Continue) {
			*v = pick(p, intstr.FromInt32(0), intstr.FromInt32(-1), intstr.FromInt32(80), intstr.FromInt32(1<<31-1), intstr.FromString(p.text()))
		},
		func(k *routev1.RouteHTTPHeaderActionType, _ randfill.Continue) {
			*k = pick[routev1.RouteHTTPHeaderActionType](p, "Set", "Delete", "", "Other")
		},
		func(k *routev1.TLSTerminationType, _ randfill.Continue) {
			*k = pick[routev1.TLSTerminationType](p, "edge", "edge", "reencrypt", "passthrough", "", "Edge")
		},
		func(k *routev1.InsecureEdgeTerminationPolicyType, _ randfill.Continue) {
			*k = pick[routev1.InsecureEdgeTerminationPolicyType](p, "", "None", "Allow", "Redirect", "x")
		},
		func(k *routev1.WildcardPolicyType, _ randfill.Continue) {
			*k = pick[routev1.WildcardPolicyType](p, "", "None", "Subdomain", "x")
		},
		func(k *networkingv1.PathType, _ randfill.Continue) {
			*k = pick(p, networkingv1.PathTypeExact, networkingv1.PathTypePrefix, networkingv1.PathTypeImplementationSpecific, "x")
		},
		func(k *discoveryv1.AddressType, _ randfill.Continue) {
			*k = pick[discoveryv1.AddressType](p, "IPv4", "IPv6", "FQDN", "")
		},
		func(k *corev1.ServiceType, _ randfill.Continue) {
			*k = pick[corev1.ServiceType](p, "", "ClusterIP", "ExternalName")
		},
		func(k *corev1.SecretType, _ randfill.Continue) {
			*k = pick(p, corev1.SecretTypeTLS, corev1.SecretTypeOpaque)
		},
		func(o *metav1.Time, _ randfill.Continue) { *o = metav1.Unix(int64(p.IntN(5)), 0) },
		func(o *metav1.ObjectMeta, c randfill.Continue) {
			o.Labels, o.Annotations = map[string]string{discoveryv1.LabelServiceName: p.name()}, map[string]string{}
			for range p.IntN(4) {
				o.Annotations[pick(p, annotationNames...)] = p.text()
			}
			c.Fill(&o.CreationTimestamp)
		},
	)
	return p
}

var annotationNames = []string{
	"haproxy.router.openshift.io/timeout", "haproxy.router.openshift.io/balance", "haproxy.router.openshift.io/ip_whitelist",
	"haproxy.router.openshift.io/rewrite-target", "haproxy.router.openshift.io/hsts_header", "router.openshift.io/cookie_name",
	"haproxy.router.openshift.io/rate-limit-connections", "haproxy.router.openshift.io/rate-limit-connections.rate-http",
	"haproxy.router.openshift.io/pod-concurrent-connections", "idling.alpha.openshift.io/idled-at", "kubernetes.io/ingress.class",
	"nginx.ingress.kubernetes.io/rewrite-target", "haproxy.router.openshift.io/unknown", "route.openshift.io/termination",
}

func pick[T any](p *poison, list ...T) T { return list[p.IntN(len(list))] }

func (p *poison) name() string { return pick(p, "a", "b", "c", strings.Repeat("d", 253)) }

// text is often what fits somewhere, so that the rest of the object counts.
func (p *poison) text() string {
	switch p.IntN(10) {
	case 0, 1, 2:
		return p.name()
	case 3:
		return pick(p, p.good...)
	case 4:
		return pick(p, "a.test", "*.test", "x.a.test", "A.test", "a.test.", "1.2.3.4", "::1", "b\u00fccher.test", "*", strings.Repeat("a.", 200)+"test")
	case 5:
		return pick(p, "/", "/a", "/a b", "/%", "/\x00", "/"+strings.Repeat("x", 5000), "/é", "/a?b#c", "//", "/a\nbackend x", "/a\n  server x 10.0.0.1:80")
	case 6:
		return pick(p, "Service", "Pod", "10.0.0.1", "192.0.2.1", "127.0.0.1", "fd00::1", "80", "http", "tls.crt", "TCP", "UDP", "true")
	case 7:
		return pick(p, "30s", "-1", "99999999999999999999", "1", "roundrobin", "max-age=1;includeSubDomains", "10.0.0.0/8 nonsense", "%[src]", "%{+X}Q[src]", "set-cookie", "X-A")
	case 8:
		return pick(p, "\x00", "\r\n", "'\"\\", "$HOME", "\u2028", strings.Repeat("-----BEGIN CERTIFICATE-----\n", 50), "-----BEGIN \x01-----\nAA==\n-----END \x01-----\n", strings.Repeat("x", 100_000))
	}
	return ""
}

// next is a change of one object, or its end.
func (p *poison) next() source.Change {
	var o metav1.Object
	var kind source.Kind
	switch p.IntN(12) {
	case 0:
		o, kind = &corev1.Service{}, source.KindService
	case 1, 2:
		o, kind = &discoveryv1.EndpointSlice{}, source.KindEndpointSlice
	case 3:
		o, kind = &corev1.Secret{}, source.KindSecret
	case 4, 5, 6:
		o, kind = &networkingv1.Ingress{}, source.KindIngress
	case 7:
		o, kind = &networkingv1.IngressClass{}, source.KindIngressClass
	default:
		o, kind = &routev1.Route{}, source.KindRoute
	}
	p.fill.Fill(o)
	o.SetNamespace(pick(p, "n", strings.Repeat("m", 63)))
	o.SetName(p.name())
	if kind == source.KindIngressClass {
		o.SetNamespace("")
	}
	o.SetUID("u")
	o.SetResourceVersion(fmt.Sprint(p.Uint64()))
	switch o := o.(type) {
	case *routev1.Route:
		if p.IntN(3) > 0 {
			// Enough is in order to get beyond the first check.
			o.Spec.Host, o.Spec.Path, o.Spec.WildcardPolicy = pick(p, "a.test", "b.a.test"), pick(p, "", "/a"), "None"
			o.Spec.To.Kind = "Service"
			if p.IntN(3) == 0 {
				p.quotes(o)
			}
		}
	case *corev1.Secret:
		o.Data = map[string][]byte{"tls.crt": []byte(p.text()), "tls.key": []byte(pick(p, p.good[1], "\xff", p.text()))}
	}
	c := change(kind, o)
	if p.IntN(6) == 0 {
		c.Object = nil
	}
	return c
}

// quotes gives a route values that are allowed, and need quotes.
func (p *poison) quotes(o *routev1.Route) {
	breakout := func() string {
		return pick(p, "it's", "a' deny '", `a" deny "`, "'", `"`, `\`, `a\\ b`, "$HOME", "a # b", `\x0aserver`, `'\''`, "a;b", "{a}")
	}
	o.Annotations["haproxy.router.openshift.io/rewrite-target"] = "/" + breakout()
	o.Spec.HTTPHeaders = &routev1.RouteHTTPHeaders{Actions: routev1.RouteHTTPHeaderActions{Response: []routev1.RouteHTTPHeader{{
		Name: "X-A", Action: routev1.RouteHTTPHeaderActionUnion{Type: routev1.Set, Set: &routev1.RouteSetHTTPHeader{Value: breakout()}},
	}}}}
}

// Whatever objects hold, nothing panics, who is refused is told why, and what
// is admitted can be rendered.
func TestPoisonedObjectsHarmNobody(t *testing.T) {
	const steps = 8000
	layout, err := template.NewLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	templates, err := template.New(conf.Files, "", layout)
	if err != nil {
		t.Fatal(err)
	}
	n := &rendering{t: t, templates: templates, neighbours: &neighbours{queue: source.NewQueue(time.Now), desired: map[model.RouteKey]status.Desired{}}}
	c := New(Options{
		Queue: n.queue, DataPlane: n, Status: n, ExternalCertificates: true, Ingress: &routes.Class{Controller: "c", Name: "a"},
		Admission: admission.Options{Validate: true, AllowWildcards: true, Now: time.Now}, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Translate: translate.Options{Balance: model.BalanceRandom, TCPBalance: model.BalanceSource, CheckInterval: time.Second, Forwarded: model.ForwardedAppend},
	})
	p := newPoison(t, 1)
	n.queue.MarkSynced()
	rejected, slowest := 0, time.Duration(0)
	for step := range steps {
		change := p.next()
		n.queue.Push(change)
		began := time.Now()
		o, err := c.reconcile(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.report(o)
		slowest = max(slowest, time.Since(began))
		for k, d := range n.desired {
			if !d.Admitted {
				rejected++
			}
			if !d.Admitted && (d.Reason == "" || d.Message == "") {
				t.Errorf("step %d: %s: %+v", step, k, d)
			}
		}
		clear(n.desired)
		if t.Failed() {
			t.Fatalf("step %d: %+.3000v", step, change.Object)
		}
	}
	t.Logf("%d routes rendered, %d rejected, the slowest turn took %v", n.rendered, rejected, slowest)
	if n.rendered < steps/40 || rejected < steps/20 {
		t.Errorf("%d routes rendered, %d rejected: the test does not test", n.rendered, rejected)
	}
}
