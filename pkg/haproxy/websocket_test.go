package haproxy_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/coder/websocket"

	"router/pkg/model"
	"router/test/certs"
	"router/test/haproxies"
	"router/test/pods"
)

// TestRequestsBesideAWebSocket: a pod of a re-encrypt route that speaks HTTP/2
// is spoken to by HTTP/1.1 for a WebSocket, and by HTTP/2 before and after.
func TestRequestsBesideAWebSocket(t *testing.T) {
	ca, err := certs.NewAuthority("pods")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue("pods.test")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	names := make(chan string, 100)
	s := pods.Serve(l, "secure", &tls.Config{Certificates: []tls.Certificate{cert}, GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) { //nolint:gosec // a test's
		names <- hello.ServerName
		return nil, nil //nolint:nilnil // the configuration that there is
	}})
	t.Cleanup(s.Close)
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		host, port, _ := net.SplitHostPort(l.Addr().String())
		n, _ := strconv.Atoi(port)
		r := route("secure", "secure.test", model.Server{ID: "pod:p:svc::" + host + ":" + port, Address: host, Port: n, Weight: 1})
		r.Termination, r.Insecure = model.TerminationReencrypt, model.InsecureAllow
		r.Backend.TLS = &model.ServerTLS{CA: ca.PEM, HTTP2: true}
		apply(t, p, model.Change{Upsert: []*model.Route{r}})
		client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.http)))
		}}}
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			c, _, err := websocket.Dial(ctx, "http://secure.test/ws", &websocket.DialOptions{HTTPClient: client})
			if err != nil {
				t.Fatalf("a WebSocket: %v", err)
			}
			for range 3 {
				if status, body := p.get(t, "secure.test", "/"); status != http.StatusOK {
					t.Errorf("status %d beside a WebSocket: %s", status, body)
				}
			}
			_ = c.CloseNow()
			cancel()
		}
		for len(names) > 0 {
			if name := <-names; name != "" {
				t.Errorf("the pod is asked for by the name %q", name)
			}
		}
	})
}
