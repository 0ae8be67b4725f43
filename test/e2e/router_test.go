// Package e2e tests the router as its users meet it: the program, started on
// real objects, seen through requests.
package e2e

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"router/pkg/model"
	"router/test/haproxies"
	"router/test/pods"
	"router/test/routertest"
)

// program is the router, built once for all tests.
var program string

func TestMain(m *testing.M) {
	// Some have clients that ask all the time.
	routertest.Main(m, &program, 4)
}

// router is a running router.
type router struct {
	*routertest.Router
	t *testing.T
}

// start runs the router until the end of the test, and waits until it is ready.
func start(t *testing.T, haproxy string, args ...string) *router {
	t.Helper()
	return startAs(t, program, haproxy, args...)
}

// startAs is start with a program that becomes the router.
func startAs(t *testing.T, program, haproxy string, args ...string) *router {
	t.Helper()
	return &router{routertest.Start(t, routertest.Options{Program: program, HAProxy: haproxy, Args: args}), t}
}

func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	routertest.Eventually(t, what, try)
}

func within(t *testing.T, limit time.Duration, what string, try func() error) {
	t.Helper()
	routertest.Within(t, limit, what, try)
}

// client connects to the router whatever host is asked for.
func (r *router) client(http2 bool) *http.Client {
	transport := &http.Transport{
		DialContext:       r.Dial,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // certificates are looked at where they matter
		ForceAttemptHTTP2: http2,
	}
	r.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answer is a response with its body.
type answer struct {
	*http.Response
	body string
	echo pods.Echo
}

// get asks once, on a new connection.
func (r *router) get(url string) (answer, error) {
	c := r.client(false)
	c.Transport.(*http.Transport).DisableKeepAlives = true
	return ask(c, url)
}

func ask(c *http.Client, url string) (answer, error) {
	resp, err := c.Get(url)
	if err != nil {
		return answer{}, err
	}
	return answerOf(resp)
}

// answerOf reads a response to its end.
func answerOf(resp *http.Response) (answer, error) {
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	a := answer{Response: resp, body: string(body)}
	_ = json.Unmarshal(body, &a.echo)
	return a, err
}

// servedBy is an error unless the pod answers.
func (r *router) servedBy(url, pod string) error {
	a, err := r.get(url)
	if err != nil {
		return err
	}
	if a.StatusCode != http.StatusOK || a.echo.Pod != pod {
		return fmt.Errorf("%s: status %d by %q, want %q", url, a.StatusCode, a.echo.Pod, pod)
	}
	return nil
}

// status is an error unless the answer has it.
func (r *router) status(url string, want int) error {
	a, err := r.get(url)
	if err != nil {
		return err
	}
	if a.StatusCode != want {
		return fmt.Errorf("%s: status %d, want %d", url, a.StatusCode, want)
	}
	return nil
}

// statistics asks port 1936 with the password.
func (r *router) statistics(path string) (answer, error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+r.Stats+path, nil)
	if err != nil {
		return answer{}, err
	}
	req.SetBasicAuth("admin", routertest.Password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return answer{Response: resp, body: string(body)}, err
}

// routes is what /api/routes says.
func (r *router) routes() (map[string]model.RouteReport, error) {
	a, err := r.statistics("/api/routes")
	if err != nil {
		return nil, err
	}
	var list []model.RouteReport
	if err := json.Unmarshal([]byte(a.body), &list); err != nil {
		return nil, fmt.Errorf("%w: %s", err, a.body)
	}
	byName := map[string]model.RouteReport{}
	for _, route := range list {
		byName[route.Name] = route
	}
	return byName, nil
}

// ingresses is what /api/routes says of paths of Ingresses: by Ingress, host
// and path.
func (r *router) ingresses(t *testing.T) map[string]model.RouteReport {
	t.Helper()
	all, err := r.routes()
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]model.RouteReport{}
	for _, report := range all {
		if report.Ingress == "" {
			continue
		}
		path := report.Path
		if path == "" {
			path = "/"
		}
		byPath[report.Ingress+" "+report.Host+path] = report
	}
	return byPath
}

// metric is a metric's value.
func (r *router) metric(name string) (float64, error) {
	a, err := r.statistics("/metrics")
	if err != nil {
		return 0, err
	}
	var sum float64
	for line := range strings.Lines(a.body) {
		if strings.HasPrefix(line, name) && !strings.HasPrefix(line, "#") {
			fields := strings.Fields(line)
			v, err := strconv.ParseFloat(fields[len(fields)-1], 64)
			if err != nil {
				return 0, err
			}
			sum += v
		}
	}
	return sum, nil
}

// each runs a test on every HAProxy, all at the same time.
func each(t *testing.T, test func(t *testing.T, haproxy string)) {
	t.Helper()
	haproxies.EachAtOnce(t, test)
}
