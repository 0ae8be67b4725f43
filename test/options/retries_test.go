package options

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"router/test/ports"
	"router/test/routertest"
)

// unanswering runs a pod that ends each request without an answer, and counts them.
func unanswering(t *testing.T) (address string, requests *atomic.Int64) {
	t.Helper()
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	t.Cleanup(func() { _ = l.Close() })
	requests = &atomic.Int64{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = io.Copy(io.Discard, r.Body)
					requests.Add(1)
				}
			}()
		}
	}()
	return l.Addr().String(), requests
}

// endpoints are the EndpointSlices of a service with a pod at each address.
func endpoints(name string, addresses ...string) string {
	var docs []string
	for i, a := range addresses {
		host, port, _ := net.SplitHostPort(a)
		docs = append(docs, fmt.Sprintf("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: %[1]s-%[2]d, labels: {kubernetes.io/service-name: %[1]s}}\n"+
			"addressType: IPv4\nports: [{port: %[4]s}]\nendpoints: [{addresses: [%[3]s], targetRef: {kind: Pod, name: %[1]s-%[2]d}}]\n", name, i, host, port))
	}
	return "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\n---\n" + strings.Join(docs, "---\n")
}

// TestUnansweredRequestsAreNotSentAgain turns the second attempt off: then a
// request reaches one pod, and connections are tried as often as HAProxy does.
func TestUnansweredRequestsAreNotSentAgain(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		for value, want := range map[string]int64{"": 2, "true": 2, "false": 1, "never": 1} {
			first, one := unanswering(t)
			second, two := unanswering(t)
			nobody := func() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(ports.Free(t))) }
			balance := "apiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {name: most, annotations: {haproxy.router.openshift.io/balance: roundrobin, haproxy.router.openshift.io/disable_cookies: 'true'}}\n" +
				"spec: {host: most.test, to: {name: most}}\n"
			o := options(haproxy, directory(t, serve(t, "app", nil), endpoints("none", first, second), route("none", "none", ""), endpoints("most", nobody(), nobody(), serve(t, "most", nil)), balance))
			if value != "" {
				o.Env = []string{"ROUTER_RETRY_UNANSWERED_REQUESTS=" + value}
			}
			r := routertest.Start(t, o)
			if a := get(t, r, "http://none.test/"); a.StatusCode != http.StatusBadGateway || one.Load()+two.Load() != want {
				t.Errorf("%q: status %d, after %d and %d requests, want %d", value, a.StatusCode, one.Load(), two.Load(), want)
			}
			if want > 1 {
				continue
			}
			for range 6 {
				if a := get(t, r, "http://most.test/"); a.StatusCode != http.StatusOK {
					t.Errorf("%q: with two of three pods gone, status %d", value, a.StatusCode)
				}
			}
		}
	})
}
