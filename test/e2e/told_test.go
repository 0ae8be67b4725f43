package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/model"
	"router/test/haproxies"
)

// wrong is a route that something is wrong with, and the words for it.
type wrong struct {
	name   string
	spec   string
	cause  model.Cause
	text   string
	status int
}

func wrongRoutes() []wrong {
	alternate := "  alternateBackends: [{kind: Service, name: helo}]\n"
	return []wrong{
		{"misspelt", "  to: {name: helo}\n", model.ServiceNotFound, "spec.to.name: there is no service helo in default; did you mean hello?", 503},
		{"other", "  to: {name: hello}\n" + alternate, model.ServiceNotFound, "spec.alternateBackends[0].name: there is no service helo in default; did you mean hello?", 200},
		{"port", "  to: {name: ports}\n  port: {targetPort: 80}\n", model.PortNotFound, "spec.port.targetPort: the endpoints of service ports have no port 80; they have main (8080), admin (8081)", 503},
		{"hollow", "  to: {name: hollow}\n", model.NoEndpoints, "spec.to.name: service hollow has no endpoints", 503},
		{"unready", "  to: {name: unready}\n", model.NoReadyEndpoints, "spec.to.name: service unready has no endpoint that is ready", 503},
		{"refused", "  to: {name: refused}\n", model.EndpointsRefused,
			"spec.to.name: service refused leads to addresses of a machine itself, of its link, or of its cloud's metadata service; to those, no connection is made", 503},
	}
}

// behind is a service, and its one endpoint if there is an address.
func behind(name, address, rest string) string {
	text := "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\n"
	if address == "" {
		return text
	}
	return text + fmt.Sprintf("---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: %[1]s, labels: {kubernetes.io/service-name: %[1]s}}\n"+
		"addressType: IPv4\nports: [{name: admin, port: 8081}, {name: main, port: 8080}]\nendpoints: [{addresses: [%[2]s]%[3]s}]\n", name, address, rest)
}

// TestWhatIsWrongIsTold asks for routes that somebody has got wrong: the answer
// of /api/routes and the log say why, in the same words.
func TestWhatIsWrongIsTold(t *testing.T) {
	haproxies.EachAndNewerAtOnce(t, func(t *testing.T, haproxy string) {
		d := newDirectory(t)
		hello := runApp(t, "hello", 1, nil)
		docs := []string{
			hello.manifest(""), behind("ports", "127.0.0.1", ""), behind("hollow", "", ""), behind("unready", "127.0.0.1", ", conditions: {ready: false}"), behind("refused", "169.254.169.254", ""),
			class("mine", "openshift.io/router", ""), ingress("web", "", mine+"rules:\n"+ingressRule("web.test", "Prefix / helo 80")),
			route("fine", "fine.test", "hello", ""), route("nowhere", "Not a host", "hello", ""),
		}
		for _, w := range wrongRoutes() {
			docs = append(docs, fmt.Sprintf("apiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {name: %[1]s}\nspec:\n  host: %[1]s.test\n%[2]s", w.name, w.spec))
		}
		d.write("objects.yaml", docs...)
		r := start(t, haproxy, "--manifests", d.dir, "--enable-ingress")
		logs := func(want string) error {
			if text := r.Stderr.String(); !strings.Contains(text, want) {
				return fmt.Errorf("the log does not say %s:\n%s", want, text)
			}
			return nil
		}
		for _, w := range wrongRoutes() {
			if err := r.status("http://"+w.name+".test/", w.status); err != nil {
				t.Error(err)
			}
			eventually(t, "what is wrong with "+w.name+" is told", func() error {
				routes, err := r.routes()
				if p := routes[w.name].Problems; err == nil && (len(p) != 1 || p[0].Cause != w.cause || p[0].Text() != w.text || p[0].Blocks != (w.status != http.StatusOK)) {
					err = fmt.Errorf("/api/routes has %+v", p)
				}
				return err
			})
			eventually(t, "and is in the log", func() error {
				return logs(`level=WARN msg="a route has a problem" namespace=default name=` + w.name + " reason=" + string(w.cause) + " message=" + strconv.Quote(w.text))
			})
		}
		// What has to last first is not among what was wrong at the start.
		for _, want := range []string{
			"routes=9 admitted=8 rejected=1 degraded=5", `msg="a route is not served" namespace=default name=nowhere reason=InvalidHost`,
			`ingress=web host=web.test path="" reason=ServiceNotFound message="spec.rules[0].http.paths[0].backend.service.name: there is no service helo in default; did you mean hello?"`,
		} {
			if err := logs(want); err != nil {
				t.Error(err)
			}
		}

		helo := runApp(t, "helo", 1, nil)
		d.write("helo.yaml", strings.Replace(helo.manifest(""), "{name: helo}\n", "{name: helo}\nspec: {ports: [{name: main, port: 80}]}\n", 1))
		for _, host := range []string{"misspelt.test", "web.test"} {
			eventually(t, "the service that was missing serves", func() error { return r.servedBy("http://"+host+"/", "helo-1") })
		}
		eventually(t, "nothing is wrong any longer", func() error {
			routes, err := r.routes()
			if err == nil && len(routes["misspelt"].Problems)+len(routes["other"].Problems) > 0 {
				err = fmt.Errorf("/api/routes has %+v", routes)
			}
			return err
		})
		eventually(t, "and the log says so", func() error {
			return logs(`level=INFO msg="a problem of a route is gone" namespace=default name=misspelt reason=ServiceNotFound`)
		})
	})
}

// testTold has two replicas of a router tell what is wrong with a route: once,
// and no more when one of them is started again.
func (c *cluster) testTold(haproxy string) {
	t := c.t
	services := c.client.CoreV1().Services(namespace)
	selects := func(service, app string) {
		t.Helper()
		eventually(t, "service "+service+" has the pods of "+app, func() error {
			s, err := services.Get(t.Context(), service, metav1.GetOptions{})
			if err != nil {
				return err
			}
			s.Spec.Selector = map[string]string{"app": app}
			_, err = services.Update(t.Context(), s, metav1.UpdateOptions{})
			return err
		})
	}
	routers := []*router{}
	for range 2 {
		routers = append(routers, start(t, haproxy, "--config", c.Kubeconfig, "--router-canonical-hostname", canonicalHostname))
	}
	// gone are the writes of routers that have ended.
	gone, before := 0.0, 0.0
	writes := func() (sum float64) {
		t.Helper()
		for _, r := range routers {
			n, err := r.metric("router_status_writes_total")
			if err != nil {
				t.Fatal(err)
			}
			sum += n
		}
		return gone + sum
	}
	says := func(text string) error {
		r, err := c.routes.Get(t.Context(), "told", metav1.GetOptions{})
		if err != nil {
			return err
		}
		told := ""
		for _, i := range r.Status.Ingress {
			for _, cond := range i.Conditions {
				if cond.Type == "Degraded" {
					told += cond.Message
				}
			}
		}
		if len(r.Status.Ingress) == 0 || told != text {
			return fmt.Errorf("the status says %q, want %q", told, text)
		}
		return nil
	}
	// step waits for the words in the status, and counts what they have cost.
	step := func(what, text string, want float64) {
		t.Helper()
		within(t, time.Minute, what, func() error { return says(text) })
		// The count is that of the replica that has written, after the answer.
		eventually(t, what+" is counted", func() error {
			if now := writes(); now < before+want {
				return fmt.Errorf("%v writes", now-before)
			}
			return nil
		})
		if now := writes(); now != before+want {
			t.Errorf("%s cost %v writes, want %v", what, now-before, want)
		}
		before = writes()
	}
	defer func() {
		_ = c.routes.Delete(context.Background(), "told", metav1.DeleteOptions{})
		for _, name := range []string{"helo", "hello"} {
			_ = services.Delete(context.Background(), name, metav1.DeleteOptions{})
		}
	}()

	before = writes()
	c.route("told", "told.test", "helo", nil)
	const missing, none = "spec.to.name: there is no service helo in default", "spec.to.name: service helo has no endpoints"
	step("a service that is not there", missing, 1)
	c.service("hello")
	step("one with a similar name", missing+"; did you mean hello?", 1)
	c.service("helo")
	selects("helo", "plain")
	for _, r := range routers {
		eventually(t, "the service that was missing serves", func() error { return r.servedBy("http://told.test/", "plain-1") })
	}
	step("a service that is there", "", 1)

	selects("helo", "nobody")
	step("a service without endpoints", none, 1)
	n, err := routers[1].metric("router_status_writes_total")
	if err != nil {
		t.Fatal(err)
	}
	routers[1].Stop()
	gone += n
	routers[1] = start(t, haproxy, "--config", c.Kubeconfig, "--router-canonical-hostname", canonicalHostname)
	within(t, time.Minute, "the new replica has seen it for long enough", func() error {
		if !strings.Contains(routers[1].Stderr.String(), "reason=NoEndpoints message="+strconv.Quote(none)) {
			return fmt.Errorf("the log does not say so")
		}
		return nil
	})
	// A write that it had put off would be due before that of this edit.
	c.edit("told", func(r *routev1.Route) { r.Spec.Host = "moved.test" })
	eventually(t, "an edit is told", func() error { return c.admitted("told", "True", "") })
	step("a restart and an edit", none, 1)
	selects("helo", "plain")
	step("endpoints that are back", "", 1)
	for _, r := range routers {
		eventually(t, "they serve", func() error { return r.servedBy("http://moved.test/", "plain-1") })
	}
}
