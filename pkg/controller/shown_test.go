package controller

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"router/pkg/controller/routes"
	"router/pkg/model"
	"router/pkg/source"
	"router/test/certs"
)

// diary keeps what is logged, one JSON object each.
type diary struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

type line struct {
	Level, Msg, Namespace, Name, Ingress, Reason, Message string
	Count, Routes, Admitted, Rejected, Degraded           int
}

// lines are those since the last call.
func (d *diary) lines(t *testing.T) (list []line) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for text := range strings.Lines(d.text.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		list = append(list, l)
	}
	d.text.Reset()
	return list
}

// about are the lines of a route, as "LEVEL MSG: REASON MESSAGE".
func (d *diary) about(t *testing.T, name string) (list []string) {
	t.Helper()
	for _, l := range d.lines(t) {
		if l.Name == name {
			list = append(list, fmt.Sprintf("%s %s: %s %s", l.Level, l.Msg, l.Reason, l.Message))
		}
	}
	return list
}

// telling is a controller whose log is read.
func telling(t *testing.T, change func(*Options)) (*neighbours, *Controller, func(), *diary) {
	t.Helper()
	d := &diary{}
	n, c, settle := runWith(t, func(o *Options) {
		o.Logger = slog.New(slog.NewJSONHandler(d, nil))
		if change != nil {
			change(o)
		}
	})
	return n, c, settle, d
}

func service(name string, change ...func(*corev1.Service)) source.Change {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name}}
	s.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: 80}}
	for _, c := range change {
		c(s)
	}
	return source.Change{Key: source.Key{Kind: source.KindService, Namespace: "n", Name: name}, Object: s}
}

// pods is a slice of a service, whose pods are ready or not.
func pods(service string, ready bool, addresses ...string) source.Change {
	name, port := "http", int32(8080)
	s := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "n", Name: service, Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
	}
	for _, a := range addresses {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{a}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}})
	}
	return change(source.KindEndpointSlice, s)
}

func route(name, service string, change ...func(*routev1.Route)) source.Change {
	c := routeTo(name, service, nil)
	for _, f := range change {
		f(c.Object.(*routev1.Route))
	}
	return c
}

func withTLS(termination routev1.TLSTerminationType, pair certs.Pair) func(*routev1.Route) {
	return func(r *routev1.Route) {
		r.Spec.TLS = &routev1.TLSConfig{Termination: termination, Certificate: pair.Cert, Key: pair.Key}
	}
}

// toldWords is a cause, what brings it about, and the words.
type toldWords struct {
	cause   model.Cause
	objects []source.Change
	// then comes after the start.
	then []source.Change
	now  time.Duration
	text string
}

func toldTable(t *testing.T) []toldWords {
	ca, err := certs.NewAuthority("ca")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue("r.test")
	if err != nil {
		t.Fatal(err)
	}
	hello, served, plain := service("hello"), pods("hello", true, "192.0.2.1"), route("r", "hello")
	external := func(name string) source.Change { return externalService("hello", name) }
	port := func(r *routev1.Route) { r.Spec.Port = &routev1.RoutePort{TargetPort: intstr.FromString("htp")} }
	annotate := func(r *routev1.Route) {
		r.Annotations = map[string]string{"haproxy.router.openshift.io/balance": "first"}
	}
	secretOfRoute := func(r *routev1.Route) {
		r.Spec.TLS = &routev1.TLSConfig{Termination: "edge", ExternalCertificate: &routev1.LocalObjectReference{Name: "one"}}
	}
	one := secret(t, "one")
	// The bubble's time begins in 2000; the certificates are valid from 2020 to 2070.
	in2030 := 30 * 366 * 24 * time.Hour
	return []toldWords{
		{model.ServiceNotFound, []source.Change{hello, route("r", "helo")}, nil, 0, "spec.to.name: there is no service helo in n; did you mean hello?"},
		{model.PortNotFound, []source.Change{hello, served, route("r", "hello", port)}, nil, 0, "spec.port.targetPort: the endpoints of service hello have no port htp; they have http (8080)"},
		{model.ExternalNameInvalid, []source.Change{external("localhost"), plain}, nil, 0, "service hello spec.externalName: must be a DNS name"},
		{model.EndpointsRefused, []source.Change{hello, pods("hello", true, "169.254.169.254"), plain}, nil, 0,
			"spec.to.name: service hello leads to addresses of a machine itself, of its link, or of its cloud's metadata service; to those, no connection is made"},
		{model.NoEndpoints, []source.Change{hello, plain}, nil, 0, "spec.to.name: service hello has no endpoints"},
		{model.NoReadyEndpoints, []source.Change{hello, pods("hello", false, "192.0.2.1"), plain}, nil, 0, "spec.to.name: service hello has no endpoint that is ready"},
		{model.ExternalNameNotResolved, []source.Change{external("db.example"), plain}, nil, 0, "service hello spec.externalName: cannot be resolved: the name servers have not answered yet"},
		{model.CertificateExpired, []source.Change{hello, served, route("r", "hello", withTLS("edge", pair))}, nil, 3 * in2030, "spec.tls.certificate: the certificate expired on 2070-01-01"},
		{model.CertificateNotYetValid, []source.Change{hello, served, route("r", "hello", withTLS("edge", pair))}, nil, 0, "spec.tls.certificate: the certificate is not valid before 2020-01-01T00:00:00Z"},
		{model.SecretNotUsable, []source.Change{hello, served, one, route("r", "hello", secretOfRoute)}, []source.Change{gone(one)}, in2030,
			"spec.tls.externalCertificate: the secret cannot be used; the last good certificate is served"},
		{model.ServersNotVerified, []source.Change{hello, served, route("r", "hello", withTLS("reencrypt", pair))}, nil, in2030,
			"spec.tls.destinationCACertificate: there is no CA to verify the pods by, so their certificates are not verified; give the CA here"},
		{model.SettingIgnored, []source.Change{hello, served, route("r", "hello", annotate)}, nil, 0,
			"metadata.annotations[haproxy.router.openshift.io/balance]: must be roundrobin, leastconn, source or random"},
	}
}

// TestTheWordsAreTheSameEverywhere: whoever has read a status finds it in
// /api/routes and in the log.
func TestTheWordsAreTheSameEverywhere(t *testing.T) {
	table := toldTable(t)
	for _, cause := range model.Causes() {
		if !slices.ContainsFunc(table, func(w toldWords) bool { return w.cause == cause }) {
			t.Errorf("%q is not in the table", cause)
		}
	}
	for _, tt := range table {
		t.Run(reasonOf(model.Problem{Cause: tt.cause}), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				now := func() time.Time { return time.Now().Add(tt.now) }
				n, c, settle, log := telling(t, func(o *Options) { o.Now, o.Admission.Now = now, now })
				n.queue.Push(tt.objects...)
				n.queue.MarkSynced()
				settle()
				n.queue.Push(tt.then...)
				settle()
				time.Sleep(lastsFor + deadlineStep)
				settle()
				kind, reason := Degraded, string(tt.cause)
				if tt.cause == model.SettingIgnored {
					kind, reason = SettingsIgnored, "InvalidSettings"
				}
				d := n.status("r")
				if len(d.ExtraConditions) != 1 || !d.Admitted || d.Unsettled != "" {
					t.Fatalf("the status is to be %+v", d)
				}
				if got, want := d.ExtraConditions[0], (routev1.RouteIngressCondition{Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: tt.text}); got != want {
					t.Errorf("the condition is %+v, want %+v", got, want)
				}
				reports, err := c.Routes(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if p := reports[0].Problems; len(p) != 1 || p[0].Cause != tt.cause || p[0].Text() != tt.text {
					t.Errorf("/api/routes has %+v", p)
				}
				if got, want := log.about(t, "r"), "WARN a route has a problem: "+reason+" "+tt.text; !slices.Contains(got, want) {
					t.Errorf("the log has %q, want %q", got, want)
				}
			})
		})
	}
}

// message is that of the condition that a status is to have, "" without it.
func (n *neighbours) message(name string) string {
	for _, c := range n.status(name).ExtraConditions {
		if c.Type == Degraded {
			return c.Reason + " " + c.Message
		}
	}
	return ""
}

func TestABlipIsNoNews(t *testing.T) {
	const none, unready = "NoEndpoints spec.to.name: service hello has no endpoints", "NoReadyEndpoints spec.to.name: service hello has no endpoint that is ready"
	synctest.Test(t, func(t *testing.T) {
		n, _, settle, log := telling(t, nil)
		n.queue.Push(service("hello"), pods("hello", true, "192.0.2.1"), route("r", "hello"))
		n.queue.MarkSynced()
		settle()
		// step waits some seconds, and says what is to be told then.
		step := func(what string, change source.Change, wait int, want string) {
			t.Helper()
			n.queue.Push(change)
			for range wait {
				settle()
			}
			if got := n.message("r"); got != want {
				t.Errorf("%s: told is %q, want %q", what, got, want)
			}
		}
		up, down, empty := pods("hello", true, "192.0.2.1"), pods("hello", false, "192.0.2.1"), pods("hello", true)
		for range 5 {
			step("a restart", down, 8, "")
			step("is over", up, 2, "")
		}
		// The one wait is not the other's.
		step("not ready", down, 6, "")
		step("nobody", empty, 6, "")
		step("not ready", down, 6, "")
		step("back", up, 1, "")
		if got := log.about(t, "r"); len(got) > 0 {
			t.Errorf("the log has %q", got)
		}
		step("not ready for long", down, 12, unready)
		step("nobody for a while", empty, 5, unready)
		step("not ready again", down, 5, unready)
		step("nobody for long", empty, 12, none)
		step("back at once", up, 1, "")
		want := []string{
			"WARN a route has a problem: " + unready,
			"WARN a route has a problem: " + none, "INFO a problem of a route is gone: " + unready,
			"INFO a problem of a route is gone: " + none,
		}
		if got := log.about(t, "r"); !slices.Equal(got, want) {
			t.Errorf("the log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		// What is wrong at once takes the place of what comes and goes.
		step("no service", gone(service("hello")), 1, "")
		step("nor endpoints", gone(pods("hello", true)), 1, "ServiceNotFound spec.to.name: there is no service hello in n")
		step("a service, and nobody yet", service("hello"), 5, "")
		step("and nobody at all", service("hello"), 7, none)
	})
}

// TestWhatStandsThereIsLeftAlone: a replica that has just begun does not know
// how long something has lasted.
func TestWhatStandsThereIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, settle, _ := telling(t, nil)
		n.queue.Push(service("hello"), route("r", "hello"))
		n.queue.MarkSynced()
		settle()
		unsettled := func() bool { return n.status("r").Unsettled == Degraded }
		if !unsettled() || n.message("r") != "" {
			t.Errorf("at the start: %+v", n.status("r"))
		}
		time.Sleep(lastsFor + deadlineStep)
		settle()
		if unsettled() || n.message("r") == "" {
			t.Errorf("after it has lasted: %+v", n.status("r"))
		}
		// Another service, which nobody stands behind yet: the old word is wrong.
		n.queue.Push(route("r", "helo"))
		settle()
		n.queue.Push(route("r", "hello"))
		settle()
		n.queue.Push(pods("hello", true))
		settle()
		if unsettled() || n.message("r") != "" {
			t.Errorf("after a mistake was mended: %+v", n.status("r"))
		}
	})
}

// TestTheNearestNameIsKeptTrue: replicas that have begun at different times say
// the same.
func TestTheNearestNameIsKeptTrue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, settle, _ := telling(t, nil)
		n.queue.Push(route("r", "hello"), service("world"))
		n.queue.MarkSynced()
		for _, step := range []struct {
			change source.Change
			want   string
		}{
			{service("other"), "ServiceNotFound spec.to.name: there is no service hello in n"},
			{service("hello1"), "ServiceNotFound spec.to.name: there is no service hello in n; did you mean hello1?"},
			{service("hallo"), "ServiceNotFound spec.to.name: there is no service hello in n; did you mean hallo?"},
			{gone(service("hallo")), "ServiceNotFound spec.to.name: there is no service hello in n; did you mean hello1?"},
			{gone(service("hello1")), "ServiceNotFound spec.to.name: there is no service hello in n"},
			{service("hello"), ""},
			{gone(service("hello")), "ServiceNotFound spec.to.name: there is no service hello in n"},
			{gone(route("r", "hello")), ""},
			{service("hello1"), ""},
		} {
			n.mu.Lock()
			delete(n.desired, model.RouteKey{Namespace: "n", Name: "r"})
			n.mu.Unlock()
			n.queue.Push(step.change)
			settle()
			if got := n.message("r"); got != step.want && !(step.change.Key.Name == "other" && got == "") {
				t.Errorf("%s: told is %q, want %q", step.change.Key, got, step.want)
			}
		}
	})
}

// TestTheEndOfACertificateIsTold when it comes, and not when somebody looks.
func TestTheEndOfACertificateIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := time.Date(2070, 1, 1, 0, 0, 0, 0, time.UTC)
		began := time.Now()
		now := func() time.Time { return end.Add(-time.Hour).Add(time.Since(began)) }
		n, _, settle, _ := telling(t, func(o *Options) { o.Now, o.Admission.Now = now, now })
		n.queue.Push(service("app"), pods("app", true, "192.0.2.1"), service("hello"), pods("hello", true, "192.0.2.1"), secret(t, "one"), edge("n", "e", "one"), route("r", "hello", func(r *routev1.Route) {
			one := secret(t, "one").Object.(*corev1.Secret)
			withTLS("edge", certs.Pair{Cert: string(one.Data["tls.crt"]), Key: string(one.Data["tls.key"])})(r)
		}))
		n.queue.MarkSynced()
		settle()
		n.queue.Push(secret(t, "one"))
		settle()
		if n.message("r") != "" || n.message("e") != "" {
			t.Errorf("told is %q and %q", n.message("r"), n.message("e"))
		}
		time.Sleep(time.Hour)
		settle()
		for _, name := range []string{"r", "e"} {
			if !strings.Contains(n.message(name), "spec.tls.certificate: the certificate expired on 2070-01-01") {
				t.Errorf("%s: told is %q", name, n.message(name))
			}
		}
	})
}

// The path of an Ingress is no route of the cluster, whatever its time.
func TestTheEndOfACertificateOfAnIngressIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := time.Date(2070, 1, 1, 0, 0, 0, 0, time.UTC)
		began := time.Now()
		now := func() time.Time { return end.Add(-time.Hour).Add(time.Since(began)) }
		n, _, settle, log := telling(t, func(o *Options) {
			o.Now, o.Admission.Now, o.Ingress = now, now, &routes.Class{Controller: "c", Name: "mine"}
		})
		mine := "mine"
		n.queue.Push(service("hello"), pods("hello", true, "192.0.2.1"), secret(t, "one"), change(source.KindIngress, &networkingv1.Ingress{
			ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "web", UID: "1"}, Spec: networkingv1.IngressSpec{
				IngressClassName: &mine, Rules: []networkingv1.IngressRule{{Host: "a.test"}},
				TLS:            []networkingv1.IngressTLS{{Hosts: []string{"a.test"}, SecretName: "one"}},
				DefaultBackend: &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "hello", Port: networkingv1.ServiceBackendPort{Number: 80}}},
			},
		}))
		n.queue.MarkSynced()
		settle()
		n.queue.Push(secret(t, "one"))
		settle()
		log.lines(t)
		time.Sleep(time.Hour)
		settle()
		if lines := log.lines(t); len(lines) != 1 || lines[0].Reason != string(model.CertificateExpired) || lines[0].Ingress != "web" {
			t.Errorf("the log has %+v", lines)
		}
		if n.observed != 0 {
			t.Errorf("%d statuses of routes were looked at", n.observed)
		}
	})
}

// A verdict is logged when it is new, and when it is gone.
func TestVerdictsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, c, settle, log := telling(t, nil)
		k := model.RouteKey{Namespace: "n", Name: "r"}
		n.outcome = model.Outcome{Rejected: map[model.RouteKey]string{k: "no"}}
		n.queue.Push(service("hello"), pods("hello", true, "192.0.2.1"), route("r", "hello"), route("s", "hello"))
		n.queue.MarkSynced()
		settle()
		n.outcome = model.Outcome{}
		n.queue.Push(route("t", "hello"))
		settle()
		want := []string{"WARN a route is not served: RejectedByProxy no", "INFO a route is served again: RejectedByProxy no"}
		if got := log.about(t, "r"); !slices.Equal(got, want) {
			t.Errorf("the log has %q, want %q", got, want)
		}
		if reports, err := c.Routes(t.Context()); err != nil || !reports[0].Admitted {
			t.Errorf("/api/routes has %+v, %v", reports, err)
		}
	})
}

// A start beside thousands of broken routes says what is wrong with some, and
// how many more there are.
func TestTheLogIsBounded(t *testing.T) {
	const routes = 10000
	synctest.Test(t, func(t *testing.T) {
		n, _, settle, log := telling(t, nil)
		n.queue.Push(service("hello"), pods("hello", true, "192.0.2.1"), route("aaa", "hello"), route("aab", "hello", func(r *routev1.Route) { r.Spec.Host = "Not a host" }))
		for i := range routes {
			n.queue.Push(route(fmt.Sprint("r", i), "helo"))
		}
		n.queue.MarkSynced()
		for range 15 {
			settle()
		}
		lines := log.lines(t)
		if len(lines) != maxLines+2 {
			t.Fatalf("%d lines", len(lines))
		}
		summary, count := lines[maxLines], lines[maxLines+1]
		if summary.Routes != routes+2 || summary.Admitted != routes+1 || summary.Rejected != 1 || summary.Degraded != routes {
			t.Errorf("the start is summed up as %+v", summary)
		}
		if count.Count != routes+1-maxLines || count.Level != "WARN" {
			t.Errorf("what was left out is counted as %+v", count)
		}
		// There is room again; a route that goes is nobody's news.
		n.queue.Push(gone(route("r7", "helo")), route("last", strings.Repeat("ü", 10*maxMessage)))
		for range 15 {
			settle()
		}
		if lines := log.lines(t); len(lines) != 1 || lines[0].Name != "last" || len(lines[0].Message) > maxMessage+3 {
			t.Errorf("the log has %+v", lines)
		}
	})
}

// Paths of Ingresses have no other place than the log and /api/routes.
func TestPathsOfIngressesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, settle, log := telling(t, func(o *Options) { o.Ingress = &routes.Class{Controller: "c", Name: "mine"} })
		mine := "mine"
		i := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "web", UID: "1"}, Spec: networkingv1.IngressSpec{
			IngressClassName: &mine, Rules: []networkingv1.IngressRule{{Host: "a.test"}},
			DefaultBackend: &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "helo", Port: networkingv1.ServiceBackendPort{Number: 80}}},
		}}
		n.queue.Push(change(source.KindIngress, i), service("hello"))
		n.queue.MarkSynced()
		settle()
		only := func(want line) {
			t.Helper()
			lines := slices.DeleteFunc(log.lines(t), func(l line) bool { return l.Routes > 0 })
			if len(lines) == 1 {
				lines[0].Name = ""
			}
			if len(lines) != 1 || lines[0] != want {
				t.Errorf("the log has %+v, want %+v", lines, want)
			}
		}
		const text = "spec.defaultBackend.service.name: there is no service helo in n; did you mean hello?"
		only(line{Level: "WARN", Msg: "a route has a problem", Namespace: "n", Ingress: "web", Reason: "ServiceNotFound", Message: text})
		n.queue.Push(service("helo"), pods("helo", true, "192.0.2.1"))
		settle()
		only(line{Level: "INFO", Msg: "a problem of a route is gone", Namespace: "n", Ingress: "web", Reason: "ServiceNotFound", Message: text})
		n.queue.Push(service("helo", func(s *corev1.Service) { s.Spec.Ports[0].Port = 81 }))
		settle()
		only(line{Level: "WARN", Msg: "a route has a problem", Namespace: "n", Ingress: "web", Reason: "PortNotFound", Message: "spec.defaultBackend.service.port: service helo has no port 80; it has http (81)"})
	})
}
