package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"router/test/haproxies"
	"router/test/netns"
	"router/test/pods"
)

// externalPort is where pods outside of the cluster listen.
const externalPort = 8080

// restricted is what names must not lead to, by the name that does.
var restricted = map[string]string{
	"loopback.example": "127.0.0.1", "loopback6.example": "::1", "mapped.example": "::ffff:127.0.0.1",
	"unspecified.example": "0.0.0.0", "unspecified6.example": "::", "metadata.example": "169.254.169.254",
}

// TestExternalNames has a name server of its own, which says nothing at first:
// the start does not wait for it. Then it says where names lead to.
func TestExternalNames(t *testing.T) {
	haproxies.EachAndNewerAtOnce(t, func(t *testing.T, haproxy string) {
		p := newPlane(t)
		outside := netns.New(t)
		elsewhere := func(pod string, config *tls.Config) netip.Addr {
			a := outside.Address(t)
			server := pods.Serve(outside.ListenOn(t, a, externalPort), pod, config)
			t.Cleanup(server.Close)
			return a
		}
		// It does not name the hosts of the routes: no version may ask for that.
		certificate := serverTLS(t, p.ca, "there.example")
		before, after := elsewhere("before", nil), elsewhere("after", nil)
		beforeTLS, afterTLS := elsewhere("before", certificate), elsewhere("after", certificate)
		port, visits := nobodyVisits(t)
		service := func(name, host string, port int) {
			p.add(fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {type: ExternalName, externalName: %s, ports: [{port: %d}]}", name, host, port))
		}
		for name, at := range terminations() {
			host := "there.example"
			if name == "reencrypt" || name == "passthrough" {
				host = "there-tls.example"
			}
			service("there-"+name, host, externalPort)
			p.route("there-"+name, p.terminated(at), to("there-"+name))
			service("nowhere-"+name, "nowhere.example", externalPort)
			p.route("nowhere-"+name, p.terminated(at), to("nowhere-"+name))
			for host := range restricted {
				route := name + "-" + strings.TrimSuffix(host, ".example")
				service(route, host, port)
				p.route(route, p.terminated(at), to(route))
			}
		}
		service("rebound", "rebound.example", port)
		p.route("rebound", to("rebound"))

		p.route("mixed", to("there-http"), also(p.plain.name, 100), annotated(haproxyAnnotation+"disable_cookies", "true"))
		p.add(class("mine", "openshift.io/router", ""),
			ingress("outside", "", mine+"rules:\n"+ingressRule("ingress.test", fmt.Sprintf("Prefix / there-http %d", externalPort))))

		names := serveNames(t)
		names.set("there.example", before)
		names.set("there-tls.example", beforeTLS)
		names.set("rebound.example", netip.MustParseAddr(restricted["loopback.example"]), outside.Address(t))
		for name, address := range restricted {
			names.set(name, netip.MustParseAddr(address))
		}
		p.program = names.asking(t)
		p.start(haproxy, "--external-name-interval", "1s", "--enable-ingress")
		p.route("other")
		p.objects.write("objects.yaml", p.docs...)
		eventually(t, "another route is served while no name server answers", func() error { return p.served("http://other.test/") })
		p.wantStatus(t, somebody, "http://there-http.test/", http.StatusServiceUnavailable)
		names.silence(false)

		servedBy := func(pod string) {
			t.Helper()
			for name := range terminations() {
				eventually(t, "an external name leads to "+pod, func() error {
					a, err := p.once(somebody, scheme(name)+"there-"+name+".test/")
					if err == nil && a.echo.Pod != pod {
						err = fmt.Errorf("%s: status %d by %q", name, a.StatusCode, a.echo.Pod)
					}
					return err
				})
			}
		}
		servedBy("before")
		if a, err := p.once(somebody, "http://ingress.test/"); err != nil || a.echo.Pod != "before" {
			t.Errorf("an Ingress leads to %q, %v", a.echo.Pod, err)
		}
		seen := map[string]int{}
		for range 8 {
			if a, err := p.once(somebody, "http://mixed.test/"); err == nil {
				seen[a.echo.Pod]++
			}
		}
		// A round begins anywhere, so a half is 4, give or take one.
		if seen["before"] < 3 || seen["before"] > 5 || len(seen) != 3 {
			t.Errorf("a name and a service share the requests as %v", seen)
		}
		reloads, err := p.metric("router_reloads_total")
		if err != nil {
			t.Fatal(err)
		}
		names.set("there.example", after)
		names.set("there-tls.example", afterTLS)
		servedBy("after")
		names.set("rebound.example", netip.MustParseAddr(restricted["loopback.example"]))

		eventually(t, "what is wrong with names is told", func() error {
			problems := p.problems(t)
			for name := range terminations() {
				if told := problems("nowhere-" + name); !strings.Contains(told, "cannot be resolved: there is no such name") {
					return fmt.Errorf("of no name is told %q", told)
				}
				for host := range restricted {
					if told := problems(name + "-" + strings.TrimSuffix(host, ".example")); !strings.Contains(told, "service "+name) || !strings.Contains(told, "no connection is made") && !strings.HasPrefix(host, "mapped") {
						return fmt.Errorf("of %s is told %q", host, told)
					}
				}
			}
			return nil
		})
		eventually(t, "a name that changes to a restricted address is left out", func() error {
			routes, err := p.routes()
			if servers := routes["rebound"].Servers; err == nil && len(servers) > 0 {
				err = fmt.Errorf("servers are %v", servers)
			}
			return err
		})
		p.wantStatus(t, somebody, "http://rebound.test/", http.StatusServiceUnavailable)
		for name := range terminations() {
			want := http.StatusServiceUnavailable
			if name == "passthrough" {
				want = refused
			}
			p.wantStatus(t, somebody, scheme(name)+"nowhere-"+name+".test/", want)
			for host := range restricted {
				p.wantStatus(t, somebody, scheme(name)+name+"-"+strings.TrimSuffix(host, ".example")+".test/", want)
			}
		}
		if n := visits(); n > 0 {
			t.Errorf("%d connections were made to this machine", n)
		}

		asked := names.silence(true)
		eventually(t, "the name server is asked again", func() error {
			if now := names.silence(true); now < asked+20 {
				return fmt.Errorf("%d times since", now-asked)
			}
			return nil
		})
		servedBy("after") // What is known is kept.
		if now, err := p.metric("router_reloads_total"); err != nil || now != reloads {
			t.Errorf("there were %v reloads and are %v, %v", reloads, now, err)
		}
	})
}

// nobodyVisits listens on a port of all addresses of this machine, and counts
// who comes.
func nobodyVisits(t *testing.T) (port int, visits func() int64) {
	t.Helper()
	l, err := net.Listen("tcp", ":0") //nolint:gosec // the others of the machine would be seen
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var n atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			_ = c.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, n.Load
}
