package options

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"router/test/routertest"
)

// The PROXY protocol's headers of a client with an address of its own.
const (
	proxyV4 = "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n"
	proxyV6 = "PROXY TCP6 2001:db8::7 2001:db8::1 40000 443\r\n"
)

// proxyV2 is the same for IPv4 in version 2 of the protocol.
func proxyV2() string {
	header := "\r\n\r\n\x00\r\nQUIT\n" + "\x21\x11" + string(binary.BigEndian.AppendUint16(nil, 12))
	return header + "\xc0\x00\x02\x07" + "\xc6\x33\x64\x01" + string(binary.BigEndian.AppendUint16(nil, 40000)) + string(binary.BigEndian.AppendUint16(nil, 443))
}

// behind is a client behind a load balancer that speaks the PROXY protocol.
func behind(t *testing.T, r *routertest.Router, header string) *http.Client {
	t.Helper()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := r.Dial(ctx, network, address)
			if err == nil {
				_, err = io.WriteString(conn, header)
			}
			return conn, err
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // a test
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: routertest.Patience}
}

func TestProxyProtocol(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		address := serve(t, "app", nil)
		list := "apiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {name: listed, annotations: {haproxy.router.openshift.io/ip_whitelist: 192.0.2.0/24}}\n" +
			"spec: {host: listed.test, to: {name: app}, tls: {termination: edge, insecureEdgeTerminationPolicy: Allow}}\n"
		pass := route("pass", "app", "  tls: {termination: passthrough}\n")
		s := listen(t, "udp4", "127.0.0.1:0")
		// With a passthrough route, TLS ends behind a hop of the router's own.
		for name, more := range map[string][]string{"direct": {list}, "hop": {list, pass}} {
			r := start(t, haproxy, directory(t, address, more...), "--use-proxy-protocol", "--syslog-address", s.conn.LocalAddr().String(), "--log-level=info")
			for _, c := range []struct{ name, header, client, forwarded string }{
				{"v1", proxyV4, "192.0.2.7", "for=192.0.2.7"}, {"v2", proxyV2(), "192.0.2.7", "for=192.0.2.7"}, {"v6", proxyV6, "2001:db8::7", `for="[2001:db8::7]"`},
			} {
				for _, url := range []string{"http://edge.test/", "https://edge.test/"} {
					a, err := ask(behind(t, r, c.header), url+name+c.name)
					if err != nil || a.echo.Headers.Get("X-Forwarded-For") != c.client || a.echo.Headers.Get("X-Forwarded-Port") != "443" ||
						a.echo.Headers.Get("Forwarded")[:len(c.forwarded)] != c.forwarded {
						t.Errorf("%s, %s, %s: %v, %v", name, c.name, url, a.echo.Headers, err)
					}
				}
				s.with(t, "]: "+c.client+":40000 ")
				for _, url := range []string{"http://listed.test/", "https://listed.test/"} {
					a, err := ask(behind(t, r, c.header), url)
					if in := err == nil && a.StatusCode == http.StatusOK; in != (c.name != "v6") {
						t.Errorf("%s, %s: %s lets in: %v (%v)", name, c.name, url, in, err)
					}
				}
			}
			// Who does not speak it is not served.
			for _, url := range []string{"http://edge.test/", "https://edge.test/"} {
				if a, err := ask(client(t, r, nil), url); err == nil {
					t.Errorf("%s: without the header, %s has status %d", name, url, a.StatusCode)
				}
			}
			if resp, err := http.Get("http://" + r.Stats + "/healthz/ready"); err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("%s: the router's health: %v, %v", name, resp, err)
			} else {
				_ = resp.Body.Close()
			}
		}
	})
}

func TestAddressFamilies(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		dir := directory(t, serve(t, "app", nil))
		for _, c := range []struct {
			args   []string
			v4, v6 bool
		}{
			{nil, true, false},
			{[]string{"--ip-mode=v6"}, false, true},
			{[]string{"--ip-mode=v4v6"}, true, true},
			{[]string{"--bind-address=::1"}, false, true},
			{[]string{"--bind-address=127.0.0.1"}, true, false},
		} {
			o := options(haproxy, dir, c.args...)
			o.Anywhere = true
			r := routertest.Start(t, o)
			for host, want := range map[string]bool{"127.0.0.1": c.v4, "::1": c.v6} {
				for _, port := range []string{routertest.Port(r.HTTP), routertest.Port(r.HTTPS)} {
					if got := answers(net.JoinHostPort(host, port), port == routertest.Port(r.HTTPS)); got != want {
						t.Errorf("%v: %s port %s answers: %v, want %v", c.args, host, port, got, want)
					}
				}
			}
		}
	})
}

// answers reports whether a router is at the address.
func answers(address string, secure bool) bool {
	conn, err := net.DialTimeout("tcp", address, routertest.Patience)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(routertest.Patience))
	if secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // a test
	}
	if _, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\n\r\n"); err != nil {
		return false
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
