package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/source"
	"router/test/certs"
	"router/test/haproxies"
	"router/test/ports"
)

// updates is how many rolling updates are made.
const updates = 100

// replicas is how many pods the service has.
const replicas = 3

// dyingPod is a pod without a preStop hook: told to end, it takes no more
// connections at once, and ends when the requests that it has are answered.
type dyingPod struct {
	address string
	server  *http.Server
}

func startPod(b *testing.B, address string) dyingPod {
	b.Helper()
	var l net.Listener
	var err error
	if l, err = net.Listen("tcp", address); err != nil {
		b.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		time.Sleep(rand.N(3 * time.Millisecond)) //nolint:gosec // a benchmark's
		_, _ = io.WriteString(w, "ok")
	})}
	go func() { _ = server.Serve(l) }()
	return dyingPod{address, server}
}

// BenchmarkRollingUpdates replaces the pods of a service one by one, again and
// again, beside clients that ask for it.
func BenchmarkRollingUpdates(b *testing.B) {
	for _, binary := range haproxies.All(b) {
		b.Run(binary.Name, func(b *testing.B) {
			r := newRig(b, binary.Path, nil)
			port := ports.Free(b)
			number := 0
			next := func() dyingPod {
				number++
				return startPod(b, net.JoinHostPort(fmt.Sprintf("127.200.%d.%d", number/250, number%250+1), strconv.Itoa(port)))
			}
			var pods []dyingPod
			for range replicas {
				pods = append(pods, next())
			}
			r.slice("rolling", port, pods)
			r.queue.Push(source.Change{Key: source.Key{Kind: source.KindRoute, Namespace: "ns", Name: "rolling"}, Object: &routev1.Route{
				ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "rolling"},
				Spec: routev1.RouteSpec{
					Host: "rolling.test", To: routev1.RouteTargetReference{Kind: "Service", Name: "rolling"},
					TLS: &routev1.TLSConfig{Termination: routev1.TLSTerminationEdge, InsecureEdgeTerminationPolicy: routev1.InsecureEdgeTerminationPolicyAllow},
				},
			}})
			await(b, patience, "the service is served", func() bool {
				resp, err := r.client(false).Get("http://rolling.test/")
				return err == nil && resp.StatusCode == http.StatusOK && resp.Body.Close() == nil
			})
			reloads := r.counter("router_reloads_total")
			stop := make(chan struct{})
			var clients sync.WaitGroup
			var gets, posts, refused, unanswered, unansweredPosts atomic.Int64
			for n := range 6 {
				client, scheme := r.client(n%2 == 1), []string{"http", "https"}[n%2]
				clients.Go(func() {
					for i := 0; ; i++ {
						select {
						case <-stop:
							return
						default:
						}
						all, lost, method := &gets, &unanswered, http.MethodGet
						if i%5 == 0 {
							all, lost, method = &posts, &unansweredPosts, http.MethodPost
						}
						req, _ := http.NewRequestWithContext(context.Background(), method, scheme+"://rolling.test/", strings.NewReader("body"))
						resp, err := client.Do(req)
						all.Add(1)
						if err == nil {
							if resp.StatusCode != http.StatusOK {
								refused.Add(1)
							}
							_, err = io.Copy(io.Discard, resp.Body)
							_ = resp.Body.Close()
						}
						if err != nil {
							lost.Add(1)
						}
					}
				})
			}
			var ending sync.WaitGroup
			for range updates {
				for i := range pods {
					// The new pod is ready, and the router has some time to see it, far
					// less than the second between two of a pod's readiness checks.
					old := pods[i]
					pods[i] = next()
					r.slice("rolling", port, append(slices.Clone(pods), old))
					time.Sleep(150*time.Millisecond + rand.N(100*time.Millisecond)) //nolint:gosec // a benchmark's
					// The old one is told to end, and ends before the router hears of it.
					ending.Go(func() { _ = old.server.Shutdown(context.Background()) })
					time.Sleep(rand.N(50 * time.Millisecond)) //nolint:gosec // a benchmark's
					r.slice("rolling", port, pods)
				}
			}
			close(stop)
			clients.Wait()
			for _, p := range pods {
				_ = p.server.Close()
			}
			ending.Wait()
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(updates, "updates")
			b.ReportMetric(float64(gets.Load()), "gets")
			b.ReportMetric(float64(posts.Load()), "posts")
			b.ReportMetric(float64(refused.Load()), "errors-5xx")
			b.ReportMetric(float64(unanswered.Load()), "unanswered-gets")
			b.ReportMetric(float64(unansweredPosts.Load()), "unanswered-posts")
			b.ReportMetric(r.counter("router_reloads_total")-reloads, "reloads")
		})
	}
}

// slice makes pods the endpoints of a service.
func (r *rig) slice(service string, port int, pods []dyingPod) {
	number := int32(port) //nolint:gosec // a port
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "ns", Name: service, Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Port: &number}},
	}
	for _, p := range pods {
		host, _, _ := net.SplitHostPort(p.address)
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{host}})
	}
	r.queue.Push(source.Change{Key: source.Key{Kind: source.KindEndpointSlice, Namespace: "ns", Name: service}, Object: slice})
}

func await(b *testing.B, limit time.Duration, what string, is func() bool) {
	b.Helper()
	for end := time.Now().Add(limit); !is(); {
		if time.Now().After(end) {
			b.Fatalf("%s: not within %s", what, limit)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// patience bounds the wait for a change.
const patience = 30 * time.Second

// rotations is how many certificates are renewed.
const rotations = 50

// BenchmarkCertificateRotation renews certificates, and measures how long it
// takes from the event until a handshake shows the new one.
func BenchmarkCertificateRotation(b *testing.B) {
	for _, binary := range haproxies.All(b) {
		b.Run(binary.Name, func(b *testing.B) {
			r := newRig(b, binary.Path, nil)
			ca, err := certs.NewAuthority("rotation")
			if err != nil {
				b.Fatal(err)
			}
			renew := func() string {
				pair, err := ca.Issue("rotated.test")
				if err != nil {
					b.Fatal(err)
				}
				r.queue.Push(source.Change{Key: source.Key{Kind: source.KindRoute, Namespace: namespace(0), Name: "rotated"}, Object: &routev1.Route{
					ObjectMeta: metav1.ObjectMeta{Namespace: namespace(0), Name: "rotated"},
					Spec: routev1.RouteSpec{
						Host: "rotated.test", To: routev1.RouteTargetReference{Kind: "Service", Name: "s0"},
						TLS: &routev1.TLSConfig{Termination: routev1.TLSTerminationEdge, Certificate: pair.Cert, Key: pair.Key},
					},
				}})
				leaf, err := tls.X509KeyPair([]byte(pair.Cert), []byte(pair.Key))
				if err != nil {
					b.Fatal(err)
				}
				return string(leaf.Certificate[0])
			}
			served := func() string {
				c, err := tls.Dial("tcp", r.https, &tls.Config{ServerName: "rotated.test", InsecureSkipVerify: true}) //nolint:gosec // a benchmark's
				if err != nil {
					return err.Error()
				}
				defer func() { _ = c.Close() }()
				return string(c.ConnectionState().PeerCertificates[0].Raw)
			}
			first := renew()
			await(b, patience, "the certificate is served", func() bool { return served() == first })
			reloads := r.counter("router_reloads_total")
			var took []time.Duration
			for range rotations {
				want := renew()
				at := time.Now()
				await(b, patience, "the new certificate is served", func() bool { return served() == want })
				took = append(took, time.Since(at))
			}
			slices.Sort(took)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(rotations, "rotations")
			b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "ms-median")
			b.ReportMetric(float64(took[len(took)-1].Milliseconds()), "ms-max")
			b.ReportMetric(r.counter("router_reloads_total")-reloads, "reloads")
		})
	}
}
