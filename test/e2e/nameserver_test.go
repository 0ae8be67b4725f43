package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers on port 53 of a loopback address of its own.
type nameServer struct {
	address string

	mu      sync.Mutex
	answers map[string][]netip.Addr
	silent  bool
	asked   int
}

// serveNames starts a name server that says nothing until speak.
func serveNames(t *testing.T) *nameServer {
	t.Helper()
	for i := 1; i < 255; i++ {
		address := fmt.Sprintf("127.53.%d.1", i)
		c, err := net.ListenPacket("udp", net.JoinHostPort(address, "53"))
		if err != nil {
			continue // Another test has it.
		}
		t.Cleanup(func() { _ = c.Close() })
		s := &nameServer{address: address, answers: map[string][]netip.Addr{}, silent: true}
		go s.serve(c)
		return s
	}
	t.Fatal("no loopback address has port 53 free; run the tests as root")
	return nil
}

// set makes a name stand for addresses.
func (s *nameServer) set(name string, addresses ...netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[name+"."] = addresses
}

// silence makes the name server answer no longer, or again. It returns how
// often it was asked so far.
func (s *nameServer) silence(silent bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = silent
	return s.asked
}

func (s *nameServer) serve(c net.PacketConn) {
	buffer := make([]byte, 4096)
	for {
		n, from, err := c.ReadFrom(buffer)
		if err != nil {
			return
		}
		if answer := s.answer(buffer[:n]); answer != nil {
			_, _ = c.WriteTo(answer, from)
		}
	}
}

// answer is nil where there is none.
func (s *nameServer) answer(query []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil || s.silent {
		return nil
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	for _, q := range m.Questions {
		addresses, known := s.answers[q.Name.String()]
		if !known {
			m.RCode = dnsmessage.RCodeNameError
		}
		for _, a := range addresses {
			header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
			switch {
			case q.Type == dnsmessage.TypeA && a.Is4():
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
			case q.Type == dnsmessage.TypeAAAA && a.Is6():
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
			}
		}
	}
	answer, err := m.Pack()
	if err != nil {
		return nil
	}
	return answer
}

// asking is a program that becomes the router, in a mount namespace where
// resolv.conf names this name server.
func (s *nameServer) asking(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	config, wrapper := filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "router")
	for path, text := range map[string]string{
		config:  "nameserver " + s.address + "\noptions timeout:1\n",
		wrapper: fmt.Sprintf("#!/bin/sh\nexec unshare -m sh -c 'mount --bind %s \"$(readlink -f /etc/resolv.conf)\" && exec %s \"$@\"' router \"$@\"\n", config, program),
	} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil { //nolint:gosec // it is to run
			t.Fatal(err)
		}
	}
	return wrapper
}
