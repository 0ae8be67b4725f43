package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"router/test/routertest"
)

// nameServer answers on port 53 of a loopback address of its own.
type nameServer struct {
	address string
	answers map[string]netip.Addr
}

// serveNames starts a name server.
func serveNames(t *testing.T, answers map[string]netip.Addr) nameServer {
	t.Helper()
	for i := 1; i < 255; i++ {
		address := fmt.Sprintf("127.53.%d.1", i)
		c, err := net.ListenPacket("udp", net.JoinHostPort(address, "53"))
		if err != nil {
			continue // Another test has it.
		}
		t.Cleanup(func() { _ = c.Close() })
		s := nameServer{address, answers}
		go s.serve(c)
		return s
	}
	t.Fatal("no loopback address has port 53 free; run the tests as root")
	return nameServer{}
}

func (s nameServer) serve(c net.PacketConn) {
	buffer := make([]byte, 4096)
	for {
		n, from, err := c.ReadFrom(buffer)
		if err != nil {
			return
		}
		if answer, err := s.answer(buffer[:n]); err == nil {
			_, _ = c.WriteTo(answer, from)
		}
	}
}

func (s nameServer) answer(query []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return nil, err
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	for _, q := range m.Questions {
		a, known := s.answers[q.Name.String()]
		switch {
		case !known:
			m.RCode = dnsmessage.RCodeNameError
		case q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: a.As4()},
			})
		}
	}
	return m.Pack()
}

// TestExternalNames has a name server of its own, in a mount namespace where
// resolv.conf names it: HAProxy asks for external names while it runs, and
// starts without an answer.
func TestExternalNames(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		p := newPlane(t)
		external := runApp(t, "external", 1, nil)
		secure := runApp(t, "external-tls", 1, serverTLS(t, p.ca, "there.example"))
		names := serveNames(t, map[string]netip.Addr{"there.example.": netip.MustParseAddr("127.0.0.1")})
		for name, at := range terminations() {
			pod := external
			if name == "reencrypt" || name == "passthrough" {
				pod = secure
			}
			for service, host := range map[string]string{"there-" + name: "there.example", "nowhere-" + name: "nowhere.example"} {
				p.add(fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {type: ExternalName, externalName: %s, ports: [{port: %s}]}", service, host, routertest.Port(pod.addr[0].String())))
				p.route(service, p.terminated(at), to(service))
			}
		}
		dir := t.TempDir()
		config, wrapper := filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "haproxy")
		for path, text := range map[string]string{
			config:  "nameserver " + names.address + "\n",
			wrapper: fmt.Sprintf("#!/bin/sh\nexec unshare -m sh -c 'mount --bind %s \"$(readlink -f /etc/resolv.conf)\" && exec %s \"$@\"' haproxy \"$@\"\n", config, haproxy),
		} {
			if err := os.WriteFile(path, []byte(text), 0o700); err != nil { //nolint:gosec // it is to run
				t.Fatal(err)
			}
		}
		p.start(wrapper)
		for name := range terminations() {
			eventually(t, "an external name is resolved", func() error { return p.served(scheme(name) + "there-" + name + ".test/") })
			want := 503
			if name == "passthrough" {
				want = refused
			}
			p.wantStatus(t, somebody, scheme(name)+"nowhere-"+name+".test/", want)
		}
	})
}
