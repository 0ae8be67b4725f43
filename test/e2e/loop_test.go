package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"router/test/haproxies"
	"router/test/routertest"
)

// relay is a load balancer in front of a router: it passes connections on, and
// counts them.
type relay struct {
	net.Listener
	to    atomic.Value
	count atomic.Int64
	dial  net.Dialer
}

// newRelay listens on this machine. Its connections come from the address; ""
// for the one that they go to, as of any process of this machine.
func newRelay(t *testing.T, from string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: l, dial: net.Dialer{Timeout: routertest.Patience}}
	if from != "" {
		r.dial.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	var open sync.WaitGroup
	open.Go(func() { r.serve(&open) })
	t.Cleanup(func() {
		_ = l.Close()
		open.Wait()
	})
	return r
}

func (r *relay) serve(open *sync.WaitGroup) {
	for {
		in, err := r.Accept()
		if err != nil {
			return
		}
		r.count.Add(1)
		open.Go(func() {
			defer func() { _ = in.Close() }()
			to, _ := r.to.Load().(string)
			out, err := r.dial.Dial("tcp", to)
			if err != nil {
				return
			}
			defer func() { _ = out.Close() }()
			deadline := time.Now().Add(routertest.Patience)
			_, _ = in.SetDeadline(deadline), out.SetDeadline(deadline)
			ended := make(chan struct{}, 2)
			pass := func(to, from net.Conn) {
				_, _ = io.Copy(to, from)
				ended <- struct{}{}
			}
			go pass(in, out)
			go pass(out, in)
			<-ended
		})
	}
}

// TestLoopsThroughALoadBalancer has routes whose pods are a load balancer that
// leads to the router: nobody can see from the address where it leads.
func TestLoopsThroughALoadBalancer(t *testing.T) {
	haproxies.EachAndNewerAtOnce(t, func(t *testing.T, haproxy string) {
		plain, secure, far := newRelay(t, ""), newRelay(t, ""), newRelay(t, "127.0.0.2")
		d := newDirectory(t)
		d.write("loops.yaml", append(good(t), at("plain", plain.Addr().String()), at("secure", secure.Addr().String()), at("far", far.Addr().String()),
			looping("plain", "plain", ""), looping("edge", "plain", edgeAllow), looping("re", "secure", reencrypted),
			looping("pass", "secure", untouched), looping("far", "far", untouched),
			"apiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {name: rewritten, annotations: {haproxy.router.openshift.io/rewrite-target: /a/b}}\n"+
				"spec: {host: rewritten.test, path: /a, to: {name: plain}}\n")...)
		r := start(t, haproxy, "--manifests", d.dir, "--max-connections", fmt.Sprint(few))
		plain.to.Store(r.HTTP)
		secure.to.Store(r.HTTPS)
		far.to.Store(r.HTTPS)

		for _, c := range []struct {
			url    string
			relay  *relay
			passes int64
		}{
			{"http://plain.test/", plain, 1}, {"http://edge.test/", plain, 1}, {"https://edge.test/a?b", plain, 1}, {"https://re.test/", secure, 1},
			// Each pass asks for another path.
			{"http://rewritten.test/a", plain, 10},
		} {
			for _, http2 := range []bool{false, true} {
				before := c.relay.count.Load()
				a, err := ask(r.client(http2), c.url)
				if err != nil || a.StatusCode != http.StatusLoopDetected || a.Header.Get("Content-Type") != "text/plain" || len(a.body) < 20 {
					t.Errorf("%s: %v, %v: %s", c.url, a.Response, err, a.body)
				}
				if n := c.relay.count.Load() - before; n > c.passes {
					t.Errorf("%s: the request was sent %d times", c.url, n)
				}
			}
			r.attack(t, func() error { return r.status(c.url, http.StatusLoopDetected) })
		}
		for _, c := range []struct {
			host  string
			relay *relay
			share int64
		}{
			// A twentieth of all connections where the machine itself connects,
			// and a half from elsewhere.
			{"pass.test", secure, few / 20}, {"far.test", far, few / 2},
		} {
			before := c.relay.count.Load()
			if err := r.handshake(c.host); err != nil {
				t.Error(err)
			}
			if n := c.relay.count.Load() - before; n < 2 || n > c.share+1 {
				t.Errorf("%s: there were %d connections, with a share of %d", c.host, n, c.share)
			}
			r.attack(t, func() error { return r.handshake(c.host) })
		}
	})
}

// TestLoopsOfTwoRouters has routes of one router that lead to another one, and
// back.
func TestLoopsOfTwoRouters(t *testing.T) {
	haproxies.EachAndNewerAtOnce(t, func(t *testing.T, haproxy string) {
		da, db := newDirectory(t), newDirectory(t)
		da.write("good.yaml", good(t)...)
		limit := fmt.Sprint(few)
		a, b := start(t, haproxy, "--manifests", da.dir, "--max-connections", limit), start(t, haproxy, "--manifests", db.dir, "--max-connections", limit)
		loops := func(of *router) []string {
			return []string{at("plain", of.HTTP), at("secure", of.HTTPS),
				looping("plain", "plain", ""), looping("edge", "plain", edgeAllow), looping("re", "secure", reencrypted), looping("pass", "secure", untouched)}
		}
		da.write("loops.yaml", loops(b)...)
		db.write("loops.yaml", loops(a)...)
		for url := range map[string]bool{"http://plain.test/": true, "https://edge.test/": true, "https://re.test/": true} {
			eventually(t, "both routers have the route", func() error { return a.status(url, http.StatusLoopDetected) })
			a.attack(t, func() error { return a.status(url, http.StatusLoopDetected) })
		}
		eventually(t, "both routers have the passthrough route", func() error {
			routes, err := b.routes()
			if err == nil && len(routes["pass"].Servers) != 1 {
				err = fmt.Errorf("the route is %+v", routes["pass"])
			}
			return err
		})
		a.attack(t, func() error { return a.handshake("pass.test") })
	})
}
