package dns

import (
	"context"
	"fmt"
	"net"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// serve answers on a UDP port: good.example. has addresses, mapped.example.
// has an IPv4 address in IPv6, empty.example. has none, broken.example. fails,
// and others do not exist.
func serve(c net.PacketConn) {
	buffer := make([]byte, 4096)
	for {
		n, from, err := c.ReadFrom(buffer)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buffer[:n]) != nil {
			continue
		}
		m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
		q := m.Questions[0]
		header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
		switch name := q.Name.String(); {
		case name == "good.example." && q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 1}}})
		case name == "mapped.example." && q.Type == dnsmessage.TypeAAAA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: [16]byte{10: 0xff, 11: 0xff, 12: 127, 15: 1}}})
		case name == "broken.example.":
			m.RCode = dnsmessage.RCodeServerFailure
		case name != "good.example." && name != "mapped.example." && name != "empty.example.":
			m.RCode = dnsmessage.RCodeNameError
		}
		if answer, err := m.Pack(); err == nil {
			_, _ = c.WriteTo(answer, from)
		}
	}
}

// TestWhatGoSaysOfNames holds Go's own resolver to what is made of its answers.
func TestWhatGoSaysOfNames(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	go serve(c)
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", c.LocalAddr().String())
	}}
	names := New(Options{Resolver: resolver})
	for _, tt := range []struct{ name, four, six string }{
		{"good.example", "[192.0.2.1]", "[]" + noSuchName},
		{"mapped.example", "[]" + noSuchName, "[]" + noSuchName},
		{"empty.example", "[]" + noSuchName, "[]" + noSuchName},
		{"nothing.example", "[]" + noSuchName, "[]" + noSuchName},
		{"broken.example", "[]" + noAnswer, "[]" + noAnswer},
	} {
		got := (&watchedName{Names: names, key: nameKey(tt.name)}).lookup(t.Context())
		for i, want := range [families]string{tt.four, tt.six} {
			if text := fmt.Sprint(got[i].addresses, got[i].failure); text != want {
				t.Errorf("%s: answer %d is %q, want %q", tt.name, i, text, want)
			}
		}
	}
}
