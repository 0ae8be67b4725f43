package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	xhttp2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c" //nolint:staticcheck // net/http itself does not take these upgrades
	"golang.org/x/net/http2/hpack"
)

// hopByHop are the lines of a request that belong to one connection, sorted,
// in lower case. text is the header as a rawPod got it.
func hopByHop(text string) []string {
	var lines []string
	for line := range strings.Lines(strings.ToLower(text)) {
		name, _, _ := strings.Cut(line, ":")
		if slices.Contains([]string{"connection", "upgrade", "http2-settings", "http2_settings"}, name) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	slices.Sort(lines)
	return lines
}

// upgradeHosts are routes to a rawPod, by the server name to ask for over TLS.
var upgradeHosts = map[string]string{"upgrade.test": "", "upgrade-edge.test": "upgrade-edge.test"}

func upgradeObjects(p *plane) {
	p.add(rawPod(p.t, "upgrade-raw").manifest(""))
	p.route("upgrade", to("upgrade-raw"))
	p.route("upgrade-edge", to("upgrade-raw"), p.terminated(routev1.TLSTerminationEdge))
	p.route("upgrade-ws")
	p.route("upgrade-ws-edge", p.terminated(routev1.TLSTerminationEdge))
	p.tunnels = h2cPod(p.t, p, "upgrade-h2c")
	p.route("upgrade-h2c", to("upgrade-h2c"))
	p.route("upgrade-h2c-edge", to("upgrade-h2c"), p.terminated(routev1.TLSTerminationEdge))
}

// webSocketKey is what HAProxy wants of a WebSocket handshake.
const webSocketKey = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

func testUpgrades(t *testing.T, p *plane) {
	socket := []string{"connection: upgrade", "upgrade: websocket"}
	for _, c := range []struct {
		lines string
		want  []string
	}{
		{"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", nil},
		{"CONNECTION: UPGRADE, HTTP2-SETTINGS\r\nUPGRADE: H2C\r\nHTTP2-SETTINGS: AAMAAABkAAQAAP__\r\n", nil},
		{"Connection: HTTP2-Settings\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\nHTTP2-Settings: BB\r\n", nil},
		{"Connection: Upgrade\r\nUpgrade: h2c\r\n", nil},
		{"Connection: Upgrade\r\nUpgrade: h2\r\n", nil},
		{"Connection: Upgrade\r\nUpgrade:\th2c \r\n", nil},
		{"Connection: Upgrade\r\nUpgrade: h2c;q=1, H2C\r\n", nil},
		{"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", nil},
		{"HTTP2-Settings: AAMAAABkAAQAAP__\r\nHTTP2_Settings: AA\r\n", nil},
		{"Upgrade: websocket\r\n" + webSocketKey, nil},
		{"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket, h2c\r\nHTTP2-Settings: AA\r\n" + webSocketKey, socket},
		{"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c , WEBSOCKET\r\nHTTP2-Settings: AA\r\n" + webSocketKey, socket},
		{"Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n" + webSocketKey, socket},
		{"Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: H2c\r\n" + webSocketKey, socket},
		{"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" + webSocketKey, socket},
		{"Connection: UPGRADE\r\nUpgrade: WebSocket\r\n" + webSocketKey, socket},
		{"Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n", []string{"connection: upgrade", "upgrade: spdy/3.1"}},
		// What is not about an upgrade is not for the pod either: what is named
		// here, a proxy in a pod takes away.
		{"Connection: keep-alive, X-Forwarded-For, X-SSL-Client-CN\r\n", nil},
		{"Connection: Upgrade, X-Forwarded-For\r\nUpgrade: SPDY/3.1\r\n", []string{"connection: upgrade", "upgrade: spdy/3.1"}},
		{"Connection: Upgrade\r\n", nil},
		{"Connection: X-Forwarded-For\r\nX-Other: 1\r\n", nil},
	} {
		for host, server := range upgradeHosts {
			a, err := p.raw(server, "GET / HTTP/1.1\r\nHost: "+host+"\r\n"+c.lines+"\r\n")
			if err != nil || a.StatusCode != http.StatusOK {
				t.Errorf("%s, %q: %v, %v", host, c.lines, a.Response, err)
				continue
			}
			if got := hopByHop(a.body); !slices.Equal(got, c.want) {
				t.Errorf("%s, %q: the pod gets %q, want %q", host, c.lines, got, c.want)
			}
		}
	}
	closes(t, p)
	webSocketsBeside(t, p)
	noTunnel(t, p)
	noProtocol(t, p)
	if n := p.tunnels.Load(); n != 0 {
		t.Errorf("%d requests came through tunnels", n)
	}
}

// closes looks at clients that want their connection to end.
func closes(t *testing.T, p *plane) {
	for host, server := range upgradeHosts {
		a, err := p.raw(server, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close, X-Forwarded-For\r\n\r\n")
		if err != nil || !a.Close || len(hopByHop(a.body)) > 0 {
			t.Errorf("%s: a client that closes gets %v, %v; its pod %q", host, a.Response, err, hopByHop(a.body))
		}
	}
}

// webSocketsBeside opens WebSockets that offer HTTP/2 as well.
func webSocketsBeside(t *testing.T, p *plane) {
	for host, server := range map[string]string{"upgrade-ws.test": "", "upgrade-ws-edge.test": "upgrade-ws-edge.test"} {
		a, err := p.raw(server, "GET /ws HTTP/1.1\r\nHost: "+host+"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket, h2c\r\nHTTP2-Settings: AA\r\n"+webSocketKey+"\r\n")
		if err != nil || a.StatusCode != http.StatusSwitchingProtocols || !strings.EqualFold(a.Header.Get("Upgrade"), "websocket") {
			t.Errorf("%s: a WebSocket that could be HTTP/2: %v, %v", host, a.Response, err)
		}
	}
}

// h2cPod is a pod that lets HTTP/1.1 connections become HTTP/2. It counts the
// requests that it gets by HTTP/2.
func h2cPod(t *testing.T, p *plane, name string) *atomic.Int64 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tunnels := &atomic.Int64{}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 {
			tunnels.Add(1)
		}
		_, _ = fmt.Fprintf(w, "%s %s", r.Proto, r.URL.Path) //nolint:gosec // nobody's browser sees it
	})
	s := &http.Server{Handler: h2c.NewHandler(handler, &xhttp2.Server{}), ReadHeaderTimeout: 10 * time.Second} //nolint:staticcheck // as above
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	p.add(app{name: name, addr: []net.Addr{l.Addr()}}.manifest(""))
	return tunnels
}

// secretRequest is what a client sends over HTTP/2 once it has a tunnel.
func secretRequest(host string) []byte {
	var block, wire bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: host}, {Name: ":path", Value: "/admin"}, {Name: "x-ssl-client-cn", Value: "root"},
	} {
		_ = encoder.WriteField(f) // To memory.
	}
	wire.WriteString(xhttp2.ClientPreface)
	framer := xhttp2.NewFramer(&wire, nil)
	_ = framer.WriteSettings()
	_ = framer.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 3, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true})
	return wire.Bytes()
}

// noTunnel asks a pod that would take the upgrade, and goes on as if it had.
func noTunnel(t *testing.T, p *plane) {
	for host, server := range map[string]string{"upgrade-h2c.test": "", "upgrade-h2c-edge.test": "upgrade-h2c-edge.test"} {
		for _, upgrade := range []string{"h2c", "H2C", "foo, h2c"} {
			a, err := p.raw(server, "GET /public HTTP/1.1\r\nHost: "+host+"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: "+upgrade+"\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"+string(secretRequest(host)))
			if err != nil || a.StatusCode != http.StatusOK || a.body != "HTTP/1.1 /public" {
				t.Errorf("%s, %s: %v, %q, %v", host, upgrade, a.Response, a.body, err)
			}
		}
	}
}

// noProtocol asks for the upgrade as HTTP/2 clients do (RFC 8441).
func noProtocol(t *testing.T, p *plane) {
	want := []string{"connection: upgrade", "upgrade: websocket"}
	if got, err := p.extendedConnect("upgrade-edge.test", "websocket"); err != nil || !slices.Equal(hopByHop(got), want) {
		t.Errorf("CONNECT with the protocol websocket: the pod gets %q, %v; want %q", hopByHop(got), err, want)
	}
	// HAProxy 2.6 makes a request without an upgrade of it, later ones refuse it.
	for _, host := range []string{"upgrade-edge.test", "upgrade-h2c-edge.test"} {
		if got, err := p.extendedConnect(host, "h2c"); len(hopByHop(got)) > 0 || err == nil && host == "upgrade-h2c-edge.test" && got != "HTTP/1.1 /ws" {
			t.Errorf("%s, CONNECT with the protocol h2c: %q, %v", host, got, err)
		}
	}
}

// extendedConnect sends CONNECT with a protocol over HTTP/2, and returns the
// body of the answer.
func (p *plane) extendedConnect(host, protocol string) (string, error) {
	plain, err := p.dial(p.t.Context(), somebody, 443)
	if err != nil {
		return "", err
	}
	defer func() { _ = plain.Close() }()
	if err := plain.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	c := tls.Client(plain, &tls.Config{ServerName: host, NextProtos: []string{"h2"}, InsecureSkipVerify: true}) //nolint:gosec // of no matter here
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: "CONNECT"}, {Name: ":protocol", Value: protocol}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: host}, {Name: ":path", Value: "/ws"},
		{Name: "sec-websocket-version", Value: "13"}, {Name: "http2-settings", Value: "AAMAAABkAAQAAP__"},
	} {
		_ = encoder.WriteField(f) // To memory.
	}
	if _, err := io.WriteString(c, xhttp2.ClientPreface); err != nil {
		return "", err
	}
	framer := xhttp2.NewFramer(c, bufio.NewReader(c))
	if err := framer.WriteSettings(); err != nil {
		return "", err
	}
	if err := framer.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true}); err != nil {
		return "", err
	}
	var body strings.Builder
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return body.String(), err
		}
		switch f := frame.(type) {
		case *xhttp2.DataFrame:
			body.Write(f.Data())
			if f.StreamEnded() {
				return body.String(), nil
			}
		case *xhttp2.RSTStreamFrame:
			return body.String(), fmt.Errorf("the stream is reset: %v", f.ErrCode)
		}
	}
}
