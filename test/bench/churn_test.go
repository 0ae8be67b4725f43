// Package bench measures the router as a whole, but for the cluster: objects
// go into the controller's queue, requests through a real HAProxy.
package bench

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	routev1 "github.com/openshift/api/route/v1"
	"github.com/prometheus/client_golang/prometheus"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/conf"
	"router/pkg/controller"
	"router/pkg/controller/admission"
	"router/pkg/controller/translate"
	"router/pkg/haproxy"
	"router/pkg/health"
	"router/pkg/model"
	"router/pkg/source"
	"router/pkg/template"
	"router/test/certs"
	"router/test/haproxies"
	"router/test/ports"
)

var (
	duration = flag.Duration("churn", 2*time.Minute, "how long endpoints change")
	routes   = flag.Int("routes", 1000, "routes that are served")
	rate     = flag.Int("rate", 50, "endpoint changes in a second")
)

// stable is the part of the routes, one in so many, that never changes.
const stable = 10

// startPatience bounds the wait for a start, which takes a minute and more with
// 10,000 routes on a loaded machine.
const startPatience = 10 * time.Minute

// rig is a router in this process.
type rig struct {
	b           *testing.B
	queue       *source.Queue
	registry    *prometheus.Registry
	http, https string
	podPort     int
	// layout is where the router's files are, plane what serves them.
	layout  template.Layout
	plane   *haproxy.DataPlane
	applied *applied
	// end stops the router.
	end func()
	// startTook is the time from the last object to ready.
	startTook time.Duration

	// removed has the time at which each endpoint was taken out.
	removed sync.Map
	late    sync.Mutex
	// lateness of requests that reached an endpoint after it was taken out.
	lateness []time.Duration
}

func port(address string) int {
	_, text, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(text)
	return n
}

// newRig starts a router. fill queues the objects that there are at the start;
// nil is for as many plain routes as -routes says.
func newRig(b *testing.B, binary string, fill func(*rig)) *rig {
	b.Helper()
	return newRigWithChecks(b, binary, checkRate, fill)
}

// checkRate is how many health checks a second there are unless told otherwise.
const checkRate = 200

func newRigWithChecks(b *testing.B, binary string, checks int, fill func(*rig)) *rig {
	b.Helper()
	r := &rig{b: b, queue: source.NewQueue(time.Now), registry: prometheus.NewRegistry(), http: ports.Address(b), https: ports.Address(b)}
	r.pods()
	dir, err := os.MkdirTemp("", "rt")
	if err != nil {
		b.Fatal(err)
	}
	layout, err := template.NewLayout(dir)
	if err != nil {
		b.Fatal(err)
	}
	templates, err := template.New(conf.Files, "", layout)
	if err != nil {
		b.Fatal(err)
	}
	ca, err := certs.NewAuthority("bench")
	if err != nil {
		b.Fatal(err)
	}
	pair, err := ca.Issue("*.test")
	if err != nil {
		b.Fatal(err)
	}
	pages := map[int][]byte{}
	for code, name := range map[int]string{503: "error-page-503.http", 404: "error-page-404.http"} {
		if pages[code], err = fs.ReadFile(conf.Files, name); err != nil {
			b.Fatal(err)
		}
	}
	r.layout = layout
	plane := haproxy.New(haproxy.Options{
		Binary: binary, Layout: layout, Templates: templates, ErrorPages: pages, ReloadInterval: 5 * time.Second,
		Global: model.Global{
			Listen:     model.Listen{HTTPPort: port(r.http), HTTPSPort: port(r.https), Address: "127.0.0.1", InspectDelay: 5 * time.Second},
			TLS:        model.ListenTLS{MinVersion: "TLSv1.2", DHParam: 2048, DefaultCertificate: model.Certificate{Chain: pair.Cert, Key: model.NewSecret(pair.Key)}},
			BufferSize: 32768, MaxRewrite: 8192, HTTP2: true, RetryUnanswered: true, MaxConnections: 8000, Threads: 2, IdleCloseOnResponse: true,
			Timeouts: model.Timeouts{Connect: 5 * time.Second, Client: 30 * time.Second, ClientFin: time.Second, Server: 30 * time.Second,
				ServerFin: time.Second, HTTPRequest: 10 * time.Second, HTTPKeepAlive: 300 * time.Second, Tunnel: time.Hour},
		},
		Logger: slog.New(slog.NewTextHandler(b.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})), Output: io.Discard,
		Metrics: haproxy.NewMetrics(r.registry), Now: time.Now,
	})
	if err := plane.Prepare(b.Context()); err != nil {
		b.Fatal(err)
	}
	r.plane, r.applied = plane, &applied{plane, make(chan struct{})}
	checker := health.New(health.Options{Rate: checks, Registry: r.registry})
	c := controller.New(controller.Options{
		Health: checker,
		Queue:  r.queue, DataPlane: r.applied, Now: time.Now, Logger: slog.New(slog.NewTextHandler(b.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		Admission: admission.Options{Now: time.Now, Validate: true},
		Translate: translate.Options{
			Balance: model.BalanceRandom, TCPBalance: model.BalanceSource, CheckInterval: 5 * time.Second,
			Forwarded: model.ForwardedAppend, HTTP2: true, LocalEndpoints: true, MaxServersPerRoute: 1000,
		},
		MaxServersPerNamespace: 10_000,
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { checker.Run(ctx) })
	running.Go(func() { _ = c.Run(ctx) })
	r.end = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		_ = plane.Stop(context.Background())
		_ = os.RemoveAll(dir)
	})
	b.Cleanup(r.end)
	if fill == nil {
		fill = func(r *rig) {
			for i := range *routes {
				r.route(i)
				r.endpoints(i, 0)
			}
		}
	}
	fill(r)
	started := time.Now()
	r.queue.MarkSynced()
	select {
	case <-c.Ready():
	case <-time.After(startPatience):
		b.Fatal("the router is not ready")
	}
	r.startTook = time.Since(started)
	return r
}

// pods answers at every address of 127.0.0.0/8: which one was asked tells the
// endpoint.
func (r *rig) pods() {
	l, err := net.Listen("tcp", ":0") //nolint:gosec // all of the loopback range
	if err != nil {
		r.b.Fatal(err)
	}
	r.podPort = l.Addr().(*net.TCPAddr).Port
	type asked struct{}
	server := &http.Server{
		ReadHeaderTimeout: time.Minute,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, asked{}, c.LocalAddr().String())
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			now := time.Now()
			if at, gone := r.removed.Load(req.Context().Value(asked{})); gone {
				r.late.Lock()
				r.lateness = append(r.lateness, now.Sub(at.(time.Time)))
				r.late.Unlock()
			}
			if req.URL.Path != "/ws" {
				_, _ = io.WriteString(w, "ok")
				return
			}
			c, err := websocket.Accept(w, req, nil)
			if err != nil {
				return
			}
			for {
				kind, message, err := c.Read(req.Context())
				if err != nil {
					return
				}
				if err := c.Write(req.Context(), kind, message); err != nil {
					return
				}
			}
		}),
	}
	go func() { _ = server.Serve(l) }()
	r.b.Cleanup(func() { _ = server.Close() })
}

// namespaces is how many the routes are in: each has a bound of servers.
const namespaces = 10

func namespace(i int) string { return fmt.Sprint("ns", i%namespaces) }

func host(i int) string { return fmt.Sprintf("r%d.test", i) }

func (r *rig) route(i int) {
	route := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: namespace(i), Name: fmt.Sprint("r", i)}}
	route.Spec = routev1.RouteSpec{
		Host: host(i), To: routev1.RouteTargetReference{Kind: "Service", Name: fmt.Sprint("s", i)},
		TLS: &routev1.TLSConfig{Termination: routev1.TLSTerminationEdge, InsecureEdgeTerminationPolicy: routev1.InsecureEdgeTerminationPolicyAllow},
	}
	r.queue.Push(source.Change{Key: source.Key{Kind: source.KindRoute, Namespace: namespace(i), Name: route.Name}, Object: route})
}

// podsPerRoute is how many endpoints each route has.
const podsPerRoute = 2

// endpoint is the k-th address that a route has had.
func endpoint(i, k int) string {
	return fmt.Sprintf("127.%d.%d.%d", 10+i/250+10*(k/250), i%250+1, k%250+1)
}

// endpoints gives a route its k-th pair of endpoints: the older of the pair
// before is replaced.
func (r *rig) endpoints(i, k int) {
	port := int32(r.podPort)
	name := fmt.Sprint("s", i)
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: namespace(i), Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Port: &port}},
	}
	for j := range podsPerRoute {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{endpoint(i, k+j)}})
	}
	if k > 0 {
		r.removed.Store(net.JoinHostPort(endpoint(i, k-1), strconv.Itoa(r.podPort)), time.Now())
	}
	r.queue.Push(source.Change{Key: source.Key{Kind: source.KindEndpointSlice, Namespace: namespace(i), Name: name}, Object: slice})
}

func (r *rig) client(http2 bool) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			to := r.http
			if strings.HasSuffix(address, ":443") {
				to = r.https
			}
			return new(net.Dialer).DialContext(ctx, network, to)
		},
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // a benchmark's
		ForceAttemptHTTP2: http2, MaxIdleConnsPerHost: 1,
	}}
}

// counter is a metric's sum over its labels; of a summary, how often it was
// observed.
func (r *rig) counter(name string) float64 {
	families, err := r.registry.Gather()
	if err != nil {
		r.b.Fatal(err)
	}
	var sum float64
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + float64(m.GetSummary().GetSampleCount())
			}
		}
	}
	return sum
}

// BenchmarkEndpointChurn changes endpoints at a steady rate beside clients of
// all kinds, and reports what they see.
func BenchmarkEndpointChurn(b *testing.B) {
	for _, binary := range haproxies.All(b) {
		b.Run(binary.Name, func(b *testing.B) {
			r := newRig(b, binary.Path, nil)
			reloads := r.counter("router_reloads_total")
			stop := make(chan struct{})
			var clients sync.WaitGroup
			var asked, failed, closed atomic.Int64
			for n := range 4 {
				client, scheme := r.client(n%2 == 1), []string{"http", "https"}[n%2]
				clients.Go(func() {
					for i := n; ; i += 7 {
						select {
						case <-stop:
							return
						default:
						}
						resp, err := client.Get(scheme + "://" + host(i%*routes) + "/")
						asked.Add(1)
						if err == nil {
							_, err = io.Copy(io.Discard, resp.Body)
							_ = resp.Body.Close()
							if err == nil && resp.StatusCode != http.StatusOK {
								err = fmt.Errorf("status %d", resp.StatusCode)
							}
						}
						if err != nil && failed.Add(1) < 5 {
							b.Logf("%s: %v", host(i%*routes), err)
						}
					}
				})
			}
			r.webSockets(&clients, stop, &closed, *routes, stable)

			ticker := time.NewTicker(time.Second / time.Duration(*rate))
			defer ticker.Stop()
			changes, generation := 0, make([]int, *routes)
			for end := time.Now().Add(*duration); time.Now().Before(end); {
				<-ticker.C
				i := changes % *routes
				changes++
				if i%stable == 0 {
					continue
				}
				generation[i]++
				r.endpoints(i, generation[i])
			}
			close(stop)
			clients.Wait()
			r.late.Lock()
			defer r.late.Unlock()
			slices.Sort(r.lateness)
			p99, last := time.Duration(0), time.Duration(0)
			if n := len(r.lateness); n > 0 {
				p99, last = r.lateness[n*99/100], r.lateness[n-1]
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(changes), "changes")
			b.ReportMetric(float64(asked.Load()), "requests")
			b.ReportMetric(float64(failed.Load()), "failed")
			b.ReportMetric(float64(closed.Load()), "websockets-closed")
			b.ReportMetric(r.counter("router_reloads_total")-reloads, "reloads")
			b.ReportMetric(r.counter("router_drift_total"), "drift")
			b.ReportMetric(float64(p99.Milliseconds()), "ms-p99-late")
			b.ReportMetric(float64(last.Milliseconds()), "ms-max-late")
		})
	}
}

// webSockets holds a connection to one in every so many of the first n routes.
func (r *rig) webSockets(clients *sync.WaitGroup, stop <-chan struct{}, closed *atomic.Int64, n, every int) {
	for i := 0; i < n; i += every {
		c, _, err := websocket.Dial(r.b.Context(), "http://"+host(i)+"/ws", &websocket.DialOptions{HTTPClient: r.client(false)})
		if err != nil {
			r.b.Fatalf("%s: %v", host(i), err)
		}
		clients.Go(func() {
			defer func() { _ = c.CloseNow() }()
			ticker := time.NewTicker(5 * time.Second)
			defer ticker.Stop()
			for {
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				err := c.Write(ctx, websocket.MessageText, []byte("x"))
				if err == nil {
					_, _, err = c.Read(ctx)
				}
				cancel()
				if err != nil {
					closed.Add(1)
					return
				}
				select {
				case <-stop:
					return
				case <-ticker.C:
				}
			}
		})
	}
}
