// Package options tests the settings that shape the data plane: the router is
// started with them, and a client, a pod or a log shows what they do.
package options

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"router/test/certs"
	"router/test/haproxies"
	"router/test/pods"
	"router/test/routertest"
)

// program is the router, built once for all tests.
var program string

func TestMain(m *testing.M) {
	routertest.Main(m, &program, 8)
}

// each runs a test on every HAProxy, all at the same time.
func each(t *testing.T, test func(t *testing.T, haproxy string)) {
	t.Helper()
	haproxies.EachAtOnce(t, test)
}

// start runs a router that serves the manifests.
func start(t *testing.T, haproxy, manifests string, args ...string) *routertest.Router {
	t.Helper()
	return routertest.Start(t, options(haproxy, manifests, args...))
}

func options(haproxy, manifests string, args ...string) routertest.Options {
	return routertest.Options{Program: program, HAProxy: haproxy, Args: append([]string{"--manifests", manifests}, args...)}
}

// serve runs a pod on this machine; with a handler of its own, if not nil.
func serve(t *testing.T, name string, handler http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if handler == nil {
		t.Cleanup(pods.Serve(l, name, nil).Close)
		return l.Addr().String()
	}
	s := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

// serveTLS runs a pod that speaks TLS.
func serveTLS(t *testing.T, name string, config *tls.Config) string {
	t.Helper()
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	t.Cleanup(pods.Serve(l, name, config).Close)
	return l.Addr().String()
}

// directory makes manifests: routes "<name>.test" of every termination that
// ends TLS here or has none, to the pod at the address.
func directory(t *testing.T, address string, more ...string) string {
	t.Helper()
	dir := t.TempDir()
	docs := append([]string{
		service("app", address),
		route("plain", "app", ""),
		route("edge", "app", "  tls: {termination: edge, insecureEdgeTerminationPolicy: Allow}\n"),
	}, more...)
	write(t, filepath.Join(dir, "all.yaml"), strings.Join(docs, "\n---\n"))
	return dir
}

func service(name, address string) string {
	host, port, _ := net.SplitHostPort(address)
	return "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\n---\n" +
		"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: " + name + "-1, labels: {kubernetes.io/service-name: " + name + "}}\n" +
		"addressType: IPv4\nports: [{name: main, port: " + port + "}]\nendpoints: [{addresses: [" + host + "], targetRef: {kind: Pod, name: " + name + "-1}}]\n"
}

func route(name, service, rest string) string {
	return fmt.Sprintf("apiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {name: %s}\nspec:\n  host: %[1]s.test\n  to: {name: %s}\n%s", name, service, rest)
}

// write replaces a file in one step.
func write(t *testing.T, path, content string) string {
	t.Helper()
	hidden := filepath.Join(filepath.Dir(path), "."+filepath.Base(path))
	if err := os.WriteFile(hidden, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(hidden, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func authority(t *testing.T, name string, points ...string) *certs.Authority {
	t.Helper()
	return must[*certs.Authority](t)(certs.NewAuthority(name, points...))
}

// answer is a response with its body.
type answer struct {
	*http.Response
	body string
	echo pods.Echo
}

// client connects to the router whatever host is asked for.
func client(t *testing.T, r *routertest.Router, config *tls.Config) *http.Client {
	t.Helper()
	if config == nil {
		config = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // certificates are looked at where they matter
	}
	transport := &http.Transport{DialContext: r.Dial, TLSClientConfig: config, ForceAttemptHTTP2: len(config.NextProtos) > 0, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: routertest.Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ask sends a request with headers "name: value".
func ask(c *http.Client, url string, headers ...string) (answer, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header[name] = append(req.Header[name], value)
	}
	resp, err := c.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	a := answer{Response: resp, body: string(body)}
	_ = json.Unmarshal(body, &a.echo)
	return a, err
}

// get asks on a connection of its own.
func get(t *testing.T, r *routertest.Router, url string, headers ...string) answer {
	t.Helper()
	a, err := ask(client(t, r, nil), url, headers...)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return a
}

// raw sends bytes to an address and reads one response, as it came.
func raw(t *testing.T, address, request string) string {
	t.Helper()
	conn := must[net.Conn](t)(net.DialTimeout("tcp", address, routertest.Patience))
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(routertest.Patience))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	reader := bufio.NewReader(conn)
	for {
		line, err := reader.ReadString('\n')
		text.WriteString(line)
		if err != nil || line == "\r\n" {
			return text.String()
		}
	}
}
