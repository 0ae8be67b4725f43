package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
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

	routev1 "github.com/openshift/api/route/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kyaml "sigs.k8s.io/yaml"

	"router/test/certs"
	"router/test/pods"
)

// The prefixes of annotations.
const (
	haproxyAnnotation = "haproxy.router.openshift.io/"
	routerAnnotation  = "router.openshift.io/"
)

// rule is one rule of the data plane: the objects that show it, and what
// clients see of it. Objects of a rule are named after it.
type rule struct {
	name    string
	objects func(p *plane)
	test    func(t *testing.T, p *plane)
}

func rules() []rule {
	return []rule{
		{"allowlists", allowlistObjects, testAllowlists},
		{"rate limits", rateLimitObjects, testRateLimits},
		{"time-outs", timeoutObjects, testTimeouts},
		{"paths", pathObjects, testPaths},
		{"rewriting", rewriteObjects, testRewriting},
		{"insecure requests", insecureObjects, testInsecure},
		{"wildcards", wildcardObjects, testWildcards},
		{"forwarded headers", forwardedObjects, testForwarded},
		{"smuggled headers", smugglingObjects, testSmuggling},
		{"headers about clients' certificates", certificateHeaderObjects, testCertificateHeaders},
		{"upgrades", upgradeObjects, testUpgrades},
		{"header actions", actionObjects, testActions},
		{"header actions on framing", framingObjects, testFraming},
		{"Strict-Transport-Security", hstsObjects, testHSTS},
		{"coalesced connections", coalescingObjects, testCoalescing},
		{"header case", caseObjects, testCase},
		{"verified pods", verifiedObjects, testVerified},
		{"cookies", cookieObjects, testCookies},
		{"the cookie of the router among others", func(*plane) {}, testCookieHeader},
		{"balance", balanceObjects, testBalance},
		{"retries", retryObjects, testRetries},
		{"connections to a pod", podLimitObjects, testPodLimit},
		{"health checks", checkObjects, testChecks},
		{"shares of services", shareObjects, testShares},
		{"ports of services", portObjects, testPorts},
		{"services that sleep, end or are elsewhere", serviceObjects, testServices},
	}
}

// TestRules looks at every rule of single routes through one router, with all
// their routes in one HAProxy. Clients come through the PROXY protocol, so
// that they can have any address.
func TestRules(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		p := newPlane(t)
		list := rules()
		for _, r := range list {
			r.objects(p)
		}
		p.start(haproxy)
		for _, r := range list {
			t.Run(r.name, func(t *testing.T) { r.test(t, p) })
		}
	})
}

// plane is a router with its objects.
type plane struct {
	t *testing.T
	// program is the router, or becomes it.
	program string
	*router
	ca      *certs.Authority
	plain   app // two pods
	secure  app // two pods with TLS
	docs    []string
	objects directory
	// mortal are pods for tests to end.
	mortal []*pods.Server
	// tunnels counts requests that went around the router's rules.
	tunnels *atomic.Int64
	// mannerly are pods that do not always answer, by their service.
	mannerly map[string][]*manneredPod
}

func newPlane(t *testing.T) *plane {
	ca := authority(t)
	p := &plane{
		t: t, program: program, ca: ca, objects: newDirectory(t),
		plain: runApp(t, "plain", 2, nil), secure: runApp(t, "secure", 2, serverTLS(t, ca, "secure.default.svc")),
	}
	p.add(p.plain.manifest(""), p.secure.manifest(""))
	return p
}

// add adds manifests, before start.
func (p *plane) add(docs ...string) { p.docs = append(p.docs, docs...) }

// start starts the router on the objects so far.
func (p *plane) start(haproxy string, args ...string) {
	p.t.Helper()
	p.objects.write("objects.yaml", p.docs...)
	serviceCA := filepath.Join(p.t.TempDir(), "service-ca.pem")
	if err := os.WriteFile(serviceCA, []byte(p.ca.PEM), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.router = startAs(p.t, p.program, haproxy, append([]string{
		"--manifests", p.objects.dir, "--use-proxy-protocol", "--allow-wildcard-routes", "--http-header-name-case-adjustments", "X-CASE-Test",
		"--default-destination-ca-path", serviceCA,
	}, args...)...)
	if strings.Contains(p.Stderr.String(), "line=") {
		p.t.Fatalf("the test's own objects are wrong:\n%s", p.Stderr)
	}
}

// route adds a route to the plain pods, with the host NAME.test.
func (p *plane) route(name string, change ...func(*routev1.Route)) {
	p.t.Helper()
	r := &routev1.Route{
		TypeMeta: metav1.TypeMeta{APIVersion: "route.openshift.io/v1", Kind: "Route"}, ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: routev1.RouteSpec{Host: name + ".test", To: routev1.RouteTargetReference{Kind: "Service", Name: p.plain.name}},
	}
	for _, c := range change {
		c(r)
	}
	text, err := kyaml.Marshal(r)
	if err != nil {
		p.t.Fatal(err)
	}
	p.add(strings.Replace(string(text), "status: {}\n", "", 1))
}

// What a route may have.

func annotated(name, value string) func(*routev1.Route) {
	return func(r *routev1.Route) { metav1.SetMetaDataAnnotation(&r.ObjectMeta, name, value) }
}

func to(service string) func(*routev1.Route) {
	return func(r *routev1.Route) { r.Spec.To.Name = service }
}

func atPath(path string) func(*routev1.Route) {
	return func(r *routev1.Route) { r.Spec.Path = path }
}

func onHost(host string) func(*routev1.Route) {
	return func(r *routev1.Route) { r.Spec.Host = host }
}

func insecure(policy routev1.InsecureEdgeTerminationPolicyType) func(*routev1.Route) {
	return func(r *routev1.Route) { r.Spec.TLS.InsecureEdgeTerminationPolicy = policy }
}

// terminated gives the route a termination, "" for none, and pods that fit.
func (p *plane) terminated(at routev1.TLSTerminationType) func(*routev1.Route) {
	return func(r *routev1.Route) {
		if at == "" {
			return
		}
		r.Spec.TLS = &routev1.TLSConfig{Termination: at}
		switch at {
		case routev1.TLSTerminationReencrypt:
			r.Spec.TLS.DestinationCACertificate = p.ca.PEM
			r.Spec.To.Name = p.secure.name
		case routev1.TLSTerminationPassthrough:
			r.Spec.To.Name = p.secure.name
		}
	}
}

// terminations are all there are, by the name that tests give them.
func terminations() map[string]routev1.TLSTerminationType {
	return map[string]routev1.TLSTerminationType{
		"http": "", "edge": routev1.TLSTerminationEdge, "reencrypt": routev1.TLSTerminationReencrypt, "passthrough": routev1.TLSTerminationPassthrough,
	}
}

// scheme is how clients ask for routes of the termination.
func scheme(termination string) string {
	if termination == "http" {
		return "http://"
	}
	return "https://"
}

// somebody is the address of clients that have none of their own.
const somebody = "198.51.100.1"

// dial connects as the client with the address, to port 80 or 443.
func (p *plane) dial(ctx context.Context, from string, port int) (net.Conn, error) {
	family, address, local := "TCP4", p.HTTP, "192.0.2.80"
	if strings.Contains(from, ":") {
		family, local = "TCP6", "2001:db8::80"
	}
	if port == 443 {
		address = p.HTTPS
	}
	c, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(c, "PROXY %s %s %s 40000 %d\r\n", family, from, local, port); err != nil {
		return nil, err
	}
	return c, nil
}

// as is an HTTP client with the address. It keeps its connections.
func (p *plane) as(t *testing.T, from string) *http.Client {
	c := p.client(true)
	transport := c.Transport.(*http.Transport)
	transport.DialContext = func(ctx context.Context, _, address string) (net.Conn, error) {
		if strings.HasSuffix(address, ":443") {
			return p.dial(ctx, from, 443)
		}
		return p.dial(ctx, from, 80)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return c
}

// http1 is as without HTTP/2.
func (p *plane) http1(t *testing.T, from string) *http.Client {
	c := p.as(t, from)
	c.Transport.(*http.Transport).ForceAttemptHTTP2 = false
	return c
}

// once asks on a connection of its own, with these headers: NAME, VALUE, ...
// as they are spelled.
func (p *plane) once(from, url string, headers ...string) (answer, error) {
	c := p.as(p.t, from)
	defer c.CloseIdleConnections()
	return with(c, url, headers...)
}

// with asks with these headers: NAME, VALUE, ... as they are spelled.
func with(c *http.Client, url string, headers ...string) (answer, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header[headers[i]] = append(req.Header[headers[i]], headers[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		return answer{}, err
	}
	return answerOf(resp)
}

// raw sends text as it is, over TLS with the server name if there is one, and
// reads one response.
func (p *plane) raw(serverName, text string) (answer, error) {
	port := 80
	if serverName != "" {
		port = 443
	}
	c, err := p.dial(p.t.Context(), somebody, port)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = c.Close() }()
	if serverName != "" {
		c = tls.Client(c, &tls.Config{ServerName: serverName, InsecureSkipVerify: true}) //nolint:gosec // of no matter here
	}
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return answer{}, err
	}
	if _, err := io.WriteString(c, text); err != nil {
		return answer{}, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return answer{}, err
	}
	return answerOf(resp)
}

// wantStatus asks once and compares.
func (p *plane) wantStatus(t *testing.T, from, url string, want int) {
	t.Helper()
	a, err := p.once(from, url)
	switch {
	case err != nil && want == refused:
	case err != nil:
		t.Errorf("%s from %s: %v, want %d", url, from, err, want)
	case a.StatusCode != want:
		t.Errorf("%s from %s: status %d, want %d", url, from, a.StatusCode, want)
	}
}

// isStatus is an error unless the answer has the status.
func (p *plane) isStatus(from, url string, want int) error {
	a, err := p.once(from, url)
	if err == nil && a.StatusCode != want {
		err = fmt.Errorf("%s: status %d, want %d", url, a.StatusCode, want)
	}
	return err
}

// refused is the "status" of a connection that is closed without an answer.
const refused = 0

// problems are what /api/routes says now about routes.
func (p *plane) problems(t *testing.T) func(route string) string {
	t.Helper()
	routes, err := p.routes()
	if err != nil {
		t.Fatal(err)
	}
	return func(route string) string {
		var text strings.Builder
		for _, problem := range routes[route].Problems {
			fmt.Fprintf(&text, "%s: %s\n", problem.Field, problem.Message)
		}
		return text.String()
	}
}
