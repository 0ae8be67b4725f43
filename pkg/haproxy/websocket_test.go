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

// securePod is a pod that speaks TLS, and the authority that its certificate is
// of; hello, if not nil, sees each handshake begin.
func securePod(t *testing.T, hello func(*tls.ClientHelloInfo)) (model.Server, *certs.Authority) {
	t.Helper()
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
	s := pods.Serve(l, "secure", &tls.Config{Certificates: []tls.Certificate{cert}, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) { //nolint:gosec // a test's
		if hello != nil {
			hello(h)
		}
		return nil, nil //nolint:nilnil // the configuration that there is
	}})
	t.Cleanup(s.Close)
	host, port, _ := net.SplitHostPort(l.Addr().String())
	n, _ := strconv.Atoi(port)
	return model.Server{ID: "pod:p:svc::" + host + ":" + port, Address: host, Port: n, Weight: 1}, ca
}

// secureRoute is a re-encrypt route that plain HTTP may ask for, too.
func secureRoute(server model.Server, trust *model.ServerTLS) *model.Route {
	r := route("secure", "secure.test", server)
	r.Termination, r.Insecure, r.Backend.TLS = model.TerminationReencrypt, model.InsecureAllow, trust
	return r
}

// TestRequestsBesideAWebSocket: a pod of a re-encrypt route that speaks HTTP/2
// is spoken to by HTTP/1.1 for a WebSocket, and by HTTP/2 before and after.
func TestRequestsBesideAWebSocket(t *testing.T) {
	names := make(chan string, 100)
	server, ca := securePod(t, func(hello *tls.ClientHelloInfo) { names <- hello.ServerName })
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		r := secureRoute(server, &model.ServerTLS{CA: ca.PEM, HTTP2: true})
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
