package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"router/test/routertest"
)

// few is a limit of connections that a loop reaches at once.
const few = 200

// looping is a route without forwarded headers, which would grow with each pass
// and end it at some time.
func looping(name, service, rest string) string {
	return fmt.Sprintf("apiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {name: %[1]s, annotations: {haproxy.router.openshift.io/set-forwarded-headers: never}}\n"+
		"spec:\n  host: %[1]s.test\n  to: {name: %[2]s}\n%[3]s", name, service, rest)
}

// The TLS of routes of loops.
const (
	edgeAllow   = "  tls: {termination: edge, insecureEdgeTerminationPolicy: Allow}\n"
	reencrypted = "  tls: {termination: reencrypt}\n"
	untouched   = "  tls: {termination: passthrough}\n"
)

// handshake begins TLS with a host, and waits for the end of it, which has to
// be an error.
func (r *router) handshake(host string) error {
	conn, err := net.DialTimeout("tcp", r.HTTPS, routertest.Patience)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(routertest.Patience))
	err = tls.Client(conn, &tls.Config{ServerName: host, InsecureSkipVerify: true}).Handshake() //nolint:gosec // nobody answers
	var timeout net.Error
	switch {
	case err == nil:
		return fmt.Errorf("%s: somebody answers", host)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%s: the connection does not end", host)
	}
	return nil
}

// unharmed is an error unless the good route, which another namespace has,
// is served at once, and the router is live and ready.
func (r *router) unharmed() error {
	started := time.Now()
	for _, url := range []string{"http://good.test/", "https://good.test/"} {
		if err := r.servedBy(url, "good-1"); err != nil {
			return err
		}
	}
	// It is some milliseconds; machines of tests are slow.
	if took := time.Since(started); took > 5*time.Second {
		return fmt.Errorf("it took %v", took)
	}
	for _, path := range []string{"/healthz", "/healthz/ready"} {
		resp, err := http.Get("http://" + r.Stats + path)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s has status %d", path, resp.StatusCode)
		}
	}
	return nil
}

// attack has some visitors ask for a loop again and again, and looks after the
// others meanwhile.
func (r *router) attack(t *testing.T, ask func() error) {
	t.Helper()
	const visitors, times = 4, 10
	var under sync.WaitGroup
	for range visitors {
		under.Go(func() {
			for range times {
				if err := ask(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() {
		under.Wait()
		close(done)
	}()
	for attacked := true; attacked; {
		select {
		case <-done:
			attacked = false
		default:
		}
		if err := r.unharmed(); err != nil {
			t.Errorf("others are harmed: %v", err)
			break
		}
	}
	<-done
}

// good is a route of another namespace, and its pod.
func good(t *testing.T) []string {
	t.Helper()
	return []string{runApp(t, "good", 1, nil).manifest(""), route("good", "good.test", "good", edgeAllow)}
}
