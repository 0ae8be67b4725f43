package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"router/test/haproxies"
	"router/test/routertest"
)

// silence is a pod that reads and never answers.
type silence struct {
	net.Listener
	open atomic.Int64
}

func newSilence(t *testing.T) *silence {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s := &silence{Listener: l}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.open.Add(1)
			go func() {
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
				s.open.Add(-1)
			}()
		}
	}()
	return s
}

// has waits until the pod has a number of connections.
func (s *silence) has(t *testing.T, want int) {
	t.Helper()
	eventually(t, "the pod has the connections", func() error {
		if n := s.open.Load(); n != int64(want) {
			return fmt.Errorf("there are %d, not %d", n, want)
		}
		return nil
	})
}

// visitor asks for a host of a scheme in a way of its own.
type visitor struct {
	scheme string
	from   string
}

// ask sends a request, or begins TLS that is passed on, and leaves the
// connection open.
func (v visitor) ask(r *router, host string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: routertest.Patience}
	if v.from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(v.from)}
	}
	to := r.HTTPS
	if v.scheme == "http" {
		to = r.HTTP
	}
	conn, err := dialer.Dial("tcp", to)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(routertest.Patience))
	secure := tls.Client(conn, &tls.Config{ServerName: host, InsecureSkipVerify: true}) //nolint:gosec // certificates are looked at where they matter
	request := "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n"
	switch v.scheme {
	case "tcp":
		go func() { _ = secure.Handshake() }()
	case "https":
		_, err = io.WriteString(secure, request)
		return secure, err
	default:
		_, err = io.WriteString(conn, request)
	}
	return conn, err
}

// refused is an error unless the visitor gets no connection to the pod.
func (v visitor) refused(r *router, host string) error {
	if v.scheme != "tcp" {
		return r.status(v.scheme+"://"+host+"/", http.StatusServiceUnavailable)
	}
	conn, err := v.ask(r, host)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	var timeout net.Error
	_, err = conn.Read(make([]byte, 1))
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		return errors.New("the connection goes on")
	}
	return nil
}

// TestRoutesHaveAShareOfTheConnections fills the share of a route: the next
// visitor is refused, and those of other routes are not.
func TestRoutesHaveAShareOfTheConnections(t *testing.T) {
	haproxies.EachAndNewerAtOnce(t, func(t *testing.T, haproxy string) {
		d, pod := newDirectory(t), newSilence(t)
		objects := func(names ...string) {
			docs := append(good(t), at("silent", pod.Addr().String()))
			for _, name := range names {
				docs = append(docs, route(name, name+".test", "silent", edgeAllow), route(name+"-tcp", name+"-tcp.test", "silent", untouched))
			}
			d.write("all.yaml", docs...)
		}
		objects("first")
		r := start(t, haproxy, "--manifests", d.dir, "--max-connections", fmt.Sprint(few), "--route-connection-share", "10", "--abort-on-close")
		objects("first", "later") // While HAProxy runs.
		for _, name := range []string{"first", "later"} {
			eventually(t, "the route is there", func() error {
				routes, err := r.routes()
				for _, route := range []string{name, name + "-tcp"} {
					if s := routes[route].Servers; err == nil && (len(s) != 1 || s[0].State != "up") {
						err = fmt.Errorf("%s has the servers %v", route, s)
					}
				}
				return err
			})
			// A tenth of 200; half of it where requests take two connections; a
			// tenth of it for the machine itself.
			for v, share := range map[visitor]int{{"http", ""}: 20, {"https", ""}: 10, {"tcp", ""}: 2, {"tcp", "127.0.0.2"}: 20} {
				host := name + ".test"
				if v.scheme == "tcp" {
					host = name + "-tcp.test"
				}
				var open []net.Conn
				for range share {
					conn, err := v.ask(r, host)
					if err != nil {
						t.Fatal(err)
					}
					open = append(open, conn)
				}
				pod.has(t, share)
				if err := v.refused(r, host); err != nil {
					t.Errorf("%+v beyond the share: %v", v, err)
				}
				if err := r.unharmed(); err != nil {
					t.Errorf("others are harmed: %v", err)
				}
				pod.has(t, share)
				for _, conn := range open {
					_ = conn.Close()
				}
				pod.has(t, 0)
			}
		}
	})
}

// TestTheShareIsAnOption looks at what HAProxy is told.
func TestTheShareIsAnOption(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		d := newDirectory(t)
		d.write("all.yaml", append(good(t), looping("pass", "good", untouched))...)
		for _, c := range []struct {
			args []string
			want string
		}{
			{[]string{"--max-connections", "3000"}, "{ be_conn gt 1500 }"},
			{[]string{"--max-connections", "10", "--route-connection-share", "1"}, "{ be_conn gt 1 }"},
			{[]string{"--route-connection-share", "0"}, ""}, {[]string{"--route-connection-share", "100"}, ""},
			// HAProxy does not tell what it computes.
			{[]string{"--max-connections", "auto"}, ""},
		} {
			r := start(t, haproxy, append(c.args, "--manifests", d.dir)...)
			text, err := os.ReadFile(filepath.Join(r.Dir, "conf", "haproxy.config"))
			if err != nil {
				t.Fatal(err)
			}
			if c.want == "" && (strings.Contains(string(text), "be_conn") || strings.Contains(string(text), "conn_cur gt")) || !strings.Contains(string(text), c.want) {
				t.Errorf("%q: HAProxy is not told %q, or something else", c.args, c.want)
			}
			r.Stop()
		}
	})
}
