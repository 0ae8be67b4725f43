package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"router/test/haproxies"
	"router/test/netns"
	"router/test/pods"
	"router/test/routertest"
)

// toldOfItself is an error unless it is told of the route that an address is
// the router's.
func (r *router) toldOfItself(name, address string) error {
	routes, err := r.routes()
	if err != nil {
		return err
	}
	for _, p := range routes[name].Problems {
		if strings.Contains(p.Message, address) && strings.Contains(p.Message, "this router itself") && p.Blocks == (len(routes[name].Servers) == 0) {
			return nil
		}
	}
	return fmt.Errorf("of %s is told %+v", name, routes[name])
}

// TestTheRouterIsNoEndpoint has routes whose pods are the router's own ports,
// under addresses that the machine has at the start and others that it gets.
func TestTheRouterIsNoEndpoint(t *testing.T) {
	haproxies.EachAndNewerAtOnce(t, func(t *testing.T, haproxy string) {
		names := serveNames(t)
		names.silence(false)
		d := newDirectory(t)
		d.write("good.yaml", good(t)...)
		r := &router{routertest.Start(t, routertest.Options{
			Program: names.asking(t), HAProxy: haproxy, Anywhere: true,
			Args: []string{"--manifests", d.dir, "--max-connections", fmt.Sprint(few), "--external-name-interval", "1s"},
		}), t}
		httpPort, httpsPort, statsPort := routertest.Port(r.HTTP), routertest.Port(r.HTTPS), routertest.Port(r.Stats)
		loopback := map[string]string{
			"plain": "127.0.0.1:" + httpPort, "other": "127.1.2.3:" + httpPort, "mapped": "[::ffff:127.0.0.1]:" + httpPort, "six": "[::1]:" + httpPort,
			"stats": "127.0.0.1:" + statsPort, "edge": "127.0.0.1:" + httpPort, "re": "127.0.0.1:" + httpsPort, "pass": "127.0.0.1:" + httpsPort,
		}
		tls := map[string]string{"edge": edgeAllow, "re": reencrypted, "pass": untouched}
		var docs []string
		for name, address := range loopback {
			docs = append(docs, at(name, address), looping(name, name, tls[name]))
		}
		// Beside the router itself there is a pod.
		_, itself, _ := strings.Cut(at("self", r.HTTP), "---\n")
		docs = append(docs, looping("mixed", "mixed", ""), runApp(t, "mixed", 1, nil).manifest(""), strings.ReplaceAll(itself, "name: self}", "name: mixed}"))
		d.write("loops.yaml", docs...)
		refused := func(name, address string) {
			t.Helper()
			eventually(t, "the router is no endpoint", func() error { return r.toldOfItself(name, address) })
			if strings.HasPrefix(name, "pass") {
				// Before the route is there, the default certificate answers.
				eventually(t, "nobody answers", func() error { return r.handshake(name + ".test") })
				return
			}
			scheme := "http://"
			if tls[name] != "" {
				scheme = "https://"
			}
			eventually(t, "nobody serves", func() error { return r.status(scheme+name+".test/", http.StatusServiceUnavailable) })
		}
		for name, address := range loopback {
			refused(name, address)
		}
		eventually(t, "the pod beside it serves", func() error { return r.servedBy("http://mixed.test/", "mixed-1") })
		if err := r.toldOfItself("mixed", r.HTTP); err != nil {
			t.Error(err)
		}

		// The machine gets an address, and an interface with it.
		namespace := netns.New(t)
		inside := namespace.Address(t)
		own := inside.Prev().String()
		names.set("own.example", inside.Prev())
		docs = append(docs, looping("name", "name", ""),
			fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: name}\nspec: {type: ExternalName, externalName: own.example, ports: [{port: %s}]}", httpPort))
		later := map[string]string{
			"node": net.JoinHostPort(own, httpPort), "node-mapped": net.JoinHostPort("::ffff:"+own, httpPort), "node-nat64": net.JoinHostPort("64:ff9b::"+own, httpPort),
			"pass-node": net.JoinHostPort(own, httpsPort),
		}
		tls["pass-node"] = untouched
		for name, address := range later {
			docs = append(docs, at(name, address), looping(name, name, tls[name]))
		}
		// A port of another program is none of the router's.
		l, err := net.Listen("tcp", net.JoinHostPort(own, "0"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pods.Serve(l, "neighbour", nil).Close)
		docs = append(docs, at("neighbour", l.Addr().String()), looping("neighbour", "neighbour", ""))
		d.write("loops.yaml", docs...)
		eventually(t, "nobody answers", func() error { return r.handshake("pass-node.test") })
		r.attack(t, func() error { return r.handshake("pass-node.test") })
		for name, address := range later {
			refused(name, netip.MustParseAddrPort(address).String())
		}
		refused("name", own)
		if err := r.servedBy("http://neighbour.test/", "neighbour"); err != nil {
			t.Error(err)
		}
		if err := r.unharmed(); err != nil {
			t.Error(err)
		}
	})
}
