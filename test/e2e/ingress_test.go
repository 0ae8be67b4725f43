package e2e

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"router/test/certs"
	"router/test/routertest"
)

// ingress is an Ingress's manifest; meta is more of its metadata, rest the
// lines of its spec.
func ingress(name, meta, rest string) string {
	return fmt.Sprintf("apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: %s\n%sspec:\n%s", name, indentBy("  ", meta), indentBy("  ", rest))
}

func indentBy(blanks, text string) string {
	if text = strings.TrimSpace(text); text == "" {
		return ""
	}
	return blanks + strings.ReplaceAll(text, "\n", "\n"+blanks) + "\n"
}

// ingressRule is one rule of an Ingress; each path is "TYPE PATH SERVICE PORT", where
// the port is a number or a name.
func ingressRule(host string, paths ...string) string {
	text := "- http:\n    paths:\n"
	if host != "" {
		text = "- host: '" + host + "'\n  http:\n    paths:\n"
	}
	for _, p := range paths {
		f := strings.Fields(p)
		text += fmt.Sprintf("    - {pathType: %s, path: %s, backend: {service: {name: %s, port: %s}}}\n", f[0], f[1], f[2], portRef(f[3]))
	}
	return text
}

func portRef(port string) string {
	if strings.Trim(port, "0123456789") == "" {
		return "{number: " + port + "}"
	}
	return "{name: " + port + "}"
}

func class(name, controller, rest string) string {
	return fmt.Sprintf("apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata:\n  name: %s\n%sspec: {controller: %s}\n", name, indentBy("  ", rest), controller)
}

func secretManifest(name, kind string, pair certs.Pair) string {
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: %s}\ntype: %s\ndata: {tls.crt: %s, tls.key: %s}\n", name, kind, encode(pair.Cert), encode(pair.Key))
}

// servicePorts is a Service with two ports that one app has each.
func servicePorts(name string, first, second app) string {
	slice := func(port string, a app) string {
		return fmt.Sprintf("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: %[1]s-%[2]s, labels: {kubernetes.io/service-name: %[1]s}}\n"+
			"addressType: IPv4\nports: [{name: %[2]s, port: %[3]s}]\nendpoints: [{addresses: [127.0.0.1], targetRef: {kind: Pod, name: %[4]s-1}}]\n",
			name, port, routertest.Port(a.addr[0].String()), a.name)
	}
	return strings.Join([]string{
		"apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec: {ports: [{name: one, port: 80}, {name: two, port: 81}]}\n",
		slice("one", first), slice("two", second),
	}, "\n---\n")
}

// certificateOf is the common name of the certificate that a host is shown,
// and its serial number.
func (r *router) certificateOf(host string) (string, error) {
	conn, err := tls.Dial("tcp", r.HTTPS, &tls.Config{ServerName: host, InsecureSkipVerify: true}) //nolint:gosec // the certificate is looked at
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	leaf := conn.ConnectionState().PeerCertificates[0]
	return leaf.Subject.CommonName + " " + leaf.SerialNumber.String(), nil
}

const mine = "ingressClassName: mine\n"

func TestIngressManifests(t *testing.T) {
	ca := authority(t)
	a, b, c := runApp(t, "a", 1, nil), runApp(t, "b", 1, nil), runApp(t, "c", 1, nil)
	secure := runApp(t, "secure", 1, serverTLS(t, ca, "pass.test"))
	own := pair(t, ca, "tls.test")
	each(t, func(t *testing.T, haproxy string) {
		d := newDirectory(t)
		d.write("apps.yaml",
			servicePorts("a", a, b), servicePorts("b", b, c), servicePorts("c", c, a), servicePorts("secure", secure, a),
			class("mine", "openshift.io/router", ""), class("other", "example.com/other", "annotations: {ingressclass.kubernetes.io/is-default-class: 'false'}"))
		d.write("ingresses.yaml",
			ingress("paths", "creationTimestamp: '2026-01-01T00:00:00Z'", mine+"rules:\n"+ingressRule("paths.test", "Exact /exact a 80", "Prefix /prefix/ b one", "Prefix /prefix/deep c one", "ImplementationSpecific /only/ c 80", "Exact /both b 80", "Prefix /both c 80")),
			ingress("ports", "", mine+"rules:\n"+ingressRule("ports.test", "Prefix /one a one", "Prefix /80 a 80", "Prefix /two a two", "Prefix /81 a 81", "Prefix /none a none", "Prefix /82 a 82", "Prefix /nobody nobody 80")),
			ingress("default", "", mine+"defaultBackend: {service: {name: b, port: {number: 80}}}\nrules:\n"+ingressRule("default.test", "Prefix /a a 80")),
			ingress("any", "", mine+"defaultBackend: {service: {name: c, port: {number: 80}}}\n"),
			ingress("wild", "", mine+"rules:\n"+ingressRule("*.wild.test", "Prefix / a 80")),
			ingress("tls", "", mine+"tls: [{hosts: [tls.test], secretName: pair}]\nrules:\n"+ingressRule("tls.test", "Prefix / a 80")+ingressRule("plain.test", "Prefix / a 80")),
			ingress("nopair", "", mine+"tls: [{hosts: [nopair.test], secretName: nopair}]\nrules:\n"+ingressRule("nopair.test", "Prefix / a 80")),
			ingress("pass", "annotations: {route.openshift.io/termination: passthrough}", mine+"rules:\n"+ingressRule("pass.test", "Prefix / secure 80")),
			ingress("resource", "", mine+"rules:\n- host: resource.test\n  http: {paths: [{pathType: Prefix, path: /, backend: {resource: {kind: Bucket, name: x}}}]}\n"),
			ingress("legacy", "annotations: {kubernetes.io/ingress.class: router}", "rules:\n"+ingressRule("legacy.test", "Prefix / a 80")),
			ingress("foreign", "", "ingressClassName: other\nrules:\n"+ingressRule("foreign.test", "Prefix / a 80")),
			ingress("classless", "", "rules:\n"+ingressRule("classless.test", "Prefix / a 80")),
			ingress("rewrite", "annotations: {haproxy.router.openshift.io/rewrite-target: /new}", mine+"rules:\n"+ingressRule("rewrite.test", "Prefix /old a 80")),
		)
		d.write("secrets.yaml", secretManifest("pair", "kubernetes.io/tls", own))
		r := start(t, haproxy, "--manifests", d.dir, "--enable-ingress", "--allow-wildcard-routes")

		for url, pod := range map[string]string{
			"http://paths.test/exact": "a", "http://paths.test/exact?x": "a", "http://paths.test/exact/": "", "http://paths.test/exact/x": "",
			"http://paths.test/prefix": "b", "http://paths.test/prefix/": "b", "http://paths.test/prefix/x": "b", "http://paths.test/prefixx": "", "http://paths.test/prefix/deep/x": "c",
			"http://paths.test/only/x": "c", "http://paths.test/only": "", "http://paths.test/both": "b", "http://paths.test/both/": "c", "http://paths.test/": "",
			"http://ports.test/one": "a", "http://ports.test/80": "a", "http://ports.test/two": "b", "http://ports.test/81": "b",
			"http://ports.test/none": "", "http://ports.test/82": "", "http://ports.test/nobody": "",
			"http://default.test/a": "a", "http://default.test/": "b", "http://default.test/x": "b",
			"http://nobodys.test/": "c", "http://nobodys.test/x": "c",
			"http://x.wild.test/": "a", "http://x.y.wild.test/": "c",
			"https://tls.test/": "a", "http://plain.test/": "a", "https://pass.test/": "secure", "http://legacy.test/": "a",
			// Not this router's, so it is as if they did not exist.
			"http://foreign.test/": "c", "http://classless.test/": "c",
			// What cannot be served keeps its host all the same.
			"http://resource.test/": "", "https://nopair.test/": "", "http://nopair.test/": "",
		} {
			if pod == "" {
				if err := r.status(url, http.StatusServiceUnavailable); err != nil {
					t.Error(err)
				}
			} else if err := r.servedBy(url, pod+"-1"); err != nil {
				t.Error(err)
			}
		}
		for _, at := range []string{"tls.test/x?y", "pass.test/"} {
			if answer, err := r.get("http://" + at); err != nil || answer.StatusCode != http.StatusFound || answer.Header.Get("Location") != "https://"+at {
				t.Errorf("%s: %+v %v", at, answer.Response, err)
			}
		}
		if answer, err := r.get("http://rewrite.test/old/x"); err != nil || answer.echo.Path != "/new/x" {
			t.Errorf("rewritten to %q, %v", answer.echo.Path, err)
		}
		reports := r.ingresses(t)
		for key, want := range map[string]struct {
			admitted bool
			says     string
		}{
			"resource resource.test/":      {false, "Bucket x cannot be served"},
			"nopair nopair.test/":          {false, "secret nopair does not exist"},
			"ports ports.test/82":          {true, "has no port 82; it has "},
			"ports ports.test/nobody":      {true, "there is no service nobody in default"},
			"tls tls.test/":                {true, ""},
			"any */":                       {true, ""},
			"wild *.wild.test/":            {true, ""},
			"paths paths.test/exact":       {true, ""},
			"default default.test/":        {true, ""},
			"legacy legacy.test/":          {true, ""},
			"rewrite rewrite.test/old":     {true, ""},
			"ports ports.test/one":         {true, ""},
			"pass pass.test/":              {true, ""},
			"paths paths.test/prefix":      {true, ""},
			"paths paths.test/only/":       {true, ""},
			"paths paths.test/both":        {true, ""},
			"tls plain.test/":              {true, ""},
			"default default.test/a":       {true, ""},
			"ports ports.test/81":          {true, ""},
			"paths paths.test/prefix/deep": {true, ""},
		} {
			report, ok := reports[key]
			said := report.Message
			for _, p := range report.Problems {
				said += " " + p.Message
			}
			if !ok || report.Admitted != want.admitted || !strings.Contains(said, want.says) || want.says == "" && said != "" {
				t.Errorf("%s is reported as %+v", key, report)
			}
		}
		if !strings.Contains(r.Stderr.String(), "secret nopair does not exist") {
			t.Error("the log does not tell of the missing secret")
		}
		testIngressSecrets(t, r, d, ca)
		testIngressClasses(t, r, d)
		testIngressesAndRoutes(t, r, d)

		before, err := r.metric("router_reloads_total")
		if err != nil {
			t.Fatal(err)
		}
		d.write("apps.yaml",
			// The first service has other endpoints, the second another name for them.
			servicePorts("a", c, b), strings.ReplaceAll(servicePorts("b", b, c), "name: one", "name: first"), servicePorts("c", c, a), servicePorts("secure", secure, a),
			class("mine", "openshift.io/router", ""), class("other", "example.com/other", ""))
		eventually(t, "other endpoints", func() error { return r.servedBy("http://legacy.test/", "c-1") })
		eventually(t, "a port by number has another name", func() error { return r.servedBy("http://default.test/x", "b-1") })
		eventually(t, "a port by its old name is not there", func() error { return r.status("http://paths.test/prefix", http.StatusServiceUnavailable) })
		if after, err := r.metric("router_reloads_total"); err != nil || after != before {
			t.Errorf("other endpoints took %v reloads, %v", after-before, err)
		}
	})
}

// testIngressSecrets renews a certificate, breaks it, takes it away, and
// brings one that was missing.
func testIngressSecrets(t *testing.T, r *router, d directory, ca *certs.Authority) {
	t.Helper()
	first, err := r.certificateOf("tls.test")
	if err != nil || !strings.HasPrefix(first, "tls.test ") {
		t.Fatalf("tls.test is shown %q, %v", first, err)
	}
	d.write("secrets.yaml", secretManifest("pair", "kubernetes.io/tls", pair(t, ca, "tls.test")))
	var second string
	eventually(t, "the new certificate is shown", func() error {
		second, err = r.certificateOf("tls.test")
		if err == nil && (second == first || !strings.HasPrefix(second, "tls.test ")) {
			err = fmt.Errorf("%s is shown", second)
		}
		return err
	})
	other := pair(t, ca, "tls.test")
	for _, broken := range []struct{ name, content, says string }{
		{"a key of another certificate", secretManifest("pair", "kubernetes.io/tls", certs.Pair{Cert: pair(t, ca, "tls.test").Cert, Key: other.Key}), "does not match"},
		{"another type", secretManifest("pair", "Opaque", other), `is of type "Opaque"`},
		{"no secret", secretManifest("unrelated", "kubernetes.io/tls", other), "does not exist"},
	} {
		d.write("secrets.yaml", broken.content)
		eventually(t, broken.name+" is told", func() error {
			report := r.ingresses(t)["tls tls.test/"]
			if !report.Admitted || !strings.Contains(report.Message, broken.says) || !strings.Contains(report.Message, "last good") {
				return fmt.Errorf("report is %+v", report)
			}
			return nil
		})
		if now, err := r.certificateOf("tls.test"); err != nil || now != second {
			t.Errorf("%s: %q is shown, want the last good one %q, %v", broken.name, now, second, err)
		}
		if err := r.servedBy("https://tls.test/", "a-1"); err != nil {
			t.Error(err)
		}
	}
	d.write("secrets.yaml", secretManifest("pair", "kubernetes.io/tls", other), secretManifest("nopair", "kubernetes.io/tls", pair(t, ca, "nopair.test")))
	eventually(t, "the missing secret has come", func() error { return r.servedBy("https://nopair.test/", "a-1") })
	if now, err := r.certificateOf("nopair.test"); err != nil || !strings.HasPrefix(now, "nopair.test ") {
		t.Errorf("nopair.test is shown %q, %v", now, err)
	}
}

// testIngressClasses changes whose Ingresses are.
func testIngressClasses(t *testing.T, r *router, d directory) {
	t.Helper()
	d.write("class.yaml", class("zdefault", "openshift.io/router", "annotations: {ingressclass.kubernetes.io/is-default-class: 'true'}"))
	eventually(t, "the default class brings what names none", func() error { return r.servedBy("http://classless.test/", "a-1") })
	d.write("class.yaml", class("zdefault", "example.com/other", "annotations: {ingressclass.kubernetes.io/is-default-class: 'true'}"))
	eventually(t, "and takes it away", func() error { return r.servedBy("http://classless.test/", "c-1") })
	d.remove("class.yaml")
	// An Ingress that goes leaves its host to the next.
	d.write("late.yaml", ingress("late", "creationTimestamp: '2026-01-02T00:00:00Z'", mine+"rules:\n"+ingressRule("paths.test", "Prefix /prefix c 80")))
	eventually(t, "the second of two waits", func() error {
		if report := r.ingresses(t)["late paths.test/prefix"]; report.Admitted || report.Reason != "HostAlreadyClaimed" || !strings.Contains(report.Message, "ingress paths") {
			return fmt.Errorf("report is %+v", report)
		}
		return nil
	})
	d.remove("late.yaml")
}

// testIngressesAndRoutes lets Routes and Ingresses want the same: the older
// gets it, whatever it is.
func testIngressesAndRoutes(t *testing.T, r *router, d directory) {
	t.Helper()
	dated := func(name, day string) string {
		return strings.Replace(route(name, name+".test", "a", ""), "{name: "+name+"}", "{name: "+name+", creationTimestamp: '2026-01-"+day+"T00:00:00Z'}", 1)
	}
	contest := func(name, day string) string {
		return ingress(name, "creationTimestamp: '2026-01-"+day+"T00:00:00Z'", mine+"rules:\n"+ingressRule(name+".test", "Prefix / b 80", "Exact /exact b 80"))
	}
	d.write("contest.yaml", dated("older", "01"), contest("older", "02"), dated("younger", "04"), contest("younger", "03"))
	eventually(t, "the older route wins", func() error { return r.servedBy("http://older.test/", "a-1") })
	eventually(t, "and keeps out no other path of its namespace", func() error { return r.servedBy("http://older.test/exact", "b-1") })
	eventually(t, "the older ingress wins", func() error { return r.servedBy("http://younger.test/", "b-1") })
	eventually(t, "the younger route is told who wins", func() error {
		all, err := r.routes()
		if report := all["younger"]; err == nil && (report.Admitted || !strings.Contains(report.Message, "ingress younger already exposes younger.test")) {
			err = fmt.Errorf("report is %+v", report)
		}
		return err
	})
	if report := r.ingresses(t)["older older.test/"]; report.Admitted || !strings.Contains(report.Message, "route older already exposes older.test") {
		t.Errorf("the younger ingress is told %+v", report)
	}
	d.write("contest.yaml", contest("older", "02"), dated("younger", "04"))
	eventually(t, "the ingress is next in line", func() error { return r.servedBy("http://older.test/", "b-1") })
	eventually(t, "the route is next in line", func() error { return r.servedBy("http://younger.test/", "a-1") })
	eventually(t, "an exact path goes with its ingress", func() error { return r.servedBy("http://younger.test/exact", "a-1") })
}

const canonicalHostname = "router.example.org"

// testIngresses serves an Ingress of a cluster, and counts what is written
// into its status.
func (c *cluster) testIngresses(r *router) {
	t := c.t
	ctx := t.Context()
	ingresses := c.client.NetworkingV1().Ingresses(namespace)
	class, other := "ours", "theirs"
	for name, controller := range map[string]string{class: "openshift.io/router", other: "example.com/other"} {
		if _, err := c.client.NetworkingV1().IngressClasses().Create(ctx, &networkingv1.IngressClass{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: networkingv1.IngressClassSpec{Controller: controller},
		}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = c.client.NetworkingV1().IngressClasses().Delete(context.Background(), name, metav1.DeleteOptions{})
		}()
	}
	exact := networkingv1.PathTypeExact
	service := func(app string) networkingv1.IngressBackend {
		return networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: app, Port: networkingv1.ServiceBackendPort{Number: 80}}}
	}
	plain := service("plain")
	made, err := ingresses.Create(ctx, &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Name: "shop"},
		Spec: networkingv1.IngressSpec{IngressClassName: &class, DefaultBackend: &plain, Rules: []networkingv1.IngressRule{{
			Host: "ingress.test", IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
				Paths: []networkingv1.HTTPIngressPath{{Path: "/next", PathType: &exact, Backend: service("next")}},
			}},
		}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	watched, err := ingresses.Watch(ctx, metav1.ListOptions{ResourceVersion: made.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	defer watched.Stop()
	edit := func(change func(*networkingv1.Ingress)) {
		t.Helper()
		eventually(t, "editing the ingress", func() error {
			i, err := ingresses.Get(ctx, "shop", metav1.GetOptions{})
			if err != nil {
				return err
			}
			change(i)
			_, err = ingresses.Update(ctx, i, metav1.UpdateOptions{})
			return err
		})
	}
	said := func(want ...string) error {
		i, err := ingresses.Get(ctx, "shop", metav1.GetOptions{})
		if err != nil {
			return err
		}
		var got []string
		for _, p := range i.Status.LoadBalancer.Ingress {
			got = append(got, p.Hostname+p.IP)
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("status says %q, want %q", got, want)
		}
		return nil
	}
	eventually(t, "the exact path is served", func() error { return r.servedBy("http://ingress.test/next", "next-1") })
	eventually(t, "the default backend is served", func() error { return r.servedBy("http://ingress.test/next/x", "plain-1") })
	eventually(t, "the status says where", func() error { return said(canonicalHostname) })
	edit(func(i *networkingv1.Ingress) { i.Spec.Rules[0].HTTP.Paths[0].Path = "/other" })
	eventually(t, "an edit is served", func() error { return r.servedBy("http://ingress.test/other", "next-1") })
	edit(func(i *networkingv1.Ingress) { i.Spec.IngressClassName = &other })
	eventually(t, "one that left is not served", func() error { return r.status("http://ingress.test/other", http.StatusServiceUnavailable) })
	eventually(t, "and its status says so", func() error { return said() })
	if err := ingresses.Delete(ctx, "shop", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	modified := 0
	for event := range watched.ResultChan() {
		if event.Type == watch.Deleted {
			break
		}
		modified++
	}
	if want := 2 + 2; modified != want {
		t.Errorf("the ingress was written %d times, want %d: two edits, and the status when it came and when it left", modified, want)
	}
}

// testSecretsOfIngresses runs a router with no more permissions than deploy/
// gives it, and its own and another router's Ingress, whose secrets it may
// read both.
func (c *cluster) testSecretsOfIngresses(haproxy string) {
	t, ctx := c.t, c.t.Context()
	ca := authority(t)
	first, second := pair(t, ca, "first", "shop.test"), pair(t, ca, "second", "shop.test")
	ingresses := c.client.NetworkingV1().Ingresses(namespace)
	for name, class := range map[string]string{"shop": "router", "foreign": "nginx"} {
		c.secret(name+"-tls", first)
		c.letRead(name+"-tls", "get", "list", "watch")
		if _, err := ingresses.Create(ctx, &networkingv1.Ingress{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: networkingv1.IngressSpec{
				IngressClassName: &class, TLS: []networkingv1.IngressTLS{{Hosts: []string{name + ".test"}, SecretName: name + "-tls"}},
				Rules:          []networkingv1.IngressRule{{Host: name + ".test"}},
				DefaultBackend: &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "plain", Port: networkingv1.ServiceBackendPort{Name: "main"}}},
			},
		}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ingresses.Delete(context.Background(), name, metav1.DeleteOptions{}) }()
	}
	before, err := c.secretWatches()
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, haproxy, "--config", c.Kubeconfig, "--as", serviceAccount, "--enable-ingress", "--router-canonical-hostname", canonicalHostname)
	// The secret has been read before the router says that it is ready.
	if err := r.shows("shop.test", "first", "plain-1"); err != nil {
		t.Error(err)
	}
	eventually(t, "the secret of the other router's Ingress is not read", func() error {
		now, err := c.secretWatches()
		if err == nil && now-before != 1 {
			err = fmt.Errorf("%d watches", now-before)
		}
		return err
	})
	eventually(t, "the router may write the status", func() error {
		i, err := ingresses.Get(ctx, "shop", metav1.GetOptions{})
		if err == nil && (len(i.Status.LoadBalancer.Ingress) != 1 || i.Status.LoadBalancer.Ingress[0].Hostname != canonicalHostname) {
			err = fmt.Errorf("status is %+v", i.Status)
		}
		return err
	})
	c.secret("shop-tls", second)
	within(t, 5*time.Second, "the new certificate is served", func() error { return r.shows("shop.test", "second", "plain-1") })
	if err := c.client.CoreV1().Secrets(namespace).Delete(ctx, "shop-tls", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a deleted secret is told", func() error {
		if report := r.ingresses(t)["shop shop.test/"]; !report.Admitted || !strings.Contains(report.Message, "secret shop-tls does not exist; the last good certificate is served") {
			return fmt.Errorf("report is %+v", report)
		}
		return nil
	})
	if err := r.shows("shop.test", "second", "plain-1"); err != nil {
		t.Errorf("without its secret: %v", err)
	}
	if strings.Contains(r.Stderr.String(), "has not been read yet") {
		t.Error("a secret that is still to come is told of")
	}
}
