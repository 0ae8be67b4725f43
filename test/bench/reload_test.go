package bench

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/source"
	"router/test/certs"
	"router/test/haproxies"
)

var (
	many    = flag.Int("many", 10000, "routes that are there while HAProxy is reloaded")
	reloads = flag.Int("reloads", 10, "reloads")
)

// reloadPatience bounds the wait for a reload on a loaded machine.
const reloadPatience = 5 * time.Minute

// idleFor is how long the processor is looked at while nobody asks for anything.
const idleFor = 20 * time.Second

// BenchmarkReloads reloads HAProxy with many routes of all kinds, each with
// two endpoints, beside clients that keep their connections. It reports what
// they see, what a reload takes, and what health checks cost an idle router.
func BenchmarkReloads(b *testing.B) {
	for _, binary := range haproxies.All(b) {
		b.Run(binary.Name, func(b *testing.B) {
			m := newMixed(b)
			r := newRig(b, binary.Path, m.fill)
			b.ReportMetric(r.startTook.Seconds(), "s-start")

			before := r.cpu()
			time.Sleep(idleFor)
			idle := r.cpu().minus(before)
			b.ReportMetric(idle.haproxy.Seconds()*100/idleFor.Seconds(), "%-idle-haproxy")
			b.ReportMetric(idle.router.Seconds()*100/idleFor.Seconds(), "%-idle-router")

			spent, at := r.cpu(), time.Now()
			r.reload(0)
			quiet := r.cpu().minus(spent)
			b.Logf("start %s, idle %+v in %s, reload without clients %s, %+v", r.startTook, idle, idleFor, time.Since(at), quiet)
			b.ReportMetric(time.Since(at).Seconds(), "s-reload-quiet")
			b.ReportMetric(quiet.haproxy.Seconds(), "cpu-s-reload-quiet")

			stop := make(chan struct{})
			var clients sync.WaitGroup
			var seen answers
			for n := range 6 {
				clients.Go(func() { r.ask(n, stop, &seen) })
			}
			var closed atomic.Int64
			r.webSockets(&clients, stop, &closed, min(*many, 1000), 5*len(kinds))
			took := []time.Duration{0}
			for i := range *reloads {
				at := time.Now()
				r.reload(i + 1)
				took = append(took, time.Since(at))
			}
			close(stop)
			clients.Wait()
			if lost := seen.failed.Load() + closed.Load(); lost > 0 {
				b.Errorf("%d requests failed, and %d WebSockets were closed", seen.failed.Load(), closed.Load())
			}
			slices.Sort(took)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(seen.asked.Load()), "requests")
			b.ReportMetric(float64(seen.failed.Load()), "failed")
			b.ReportMetric(float64(closed.Load()), "websockets-closed")
			b.ReportMetric(took[len(took)/2].Seconds(), "s-reload-median")
			b.ReportMetric(took[len(took)-1].Seconds(), "s-reload-max")
		})
	}
}

// mixed are routes of the four kinds in turn.
type mixed struct {
	ca, pods *certs.Authority
	tlsPort  int
}

// kinds are the terminations of the routes, in turn.
var kinds = []routev1.TLSTerminationType{"", routev1.TLSTerminationEdge, routev1.TLSTerminationReencrypt, routev1.TLSTerminationPassthrough}

func newMixed(b *testing.B) *mixed {
	b.Helper()
	m := &mixed{}
	var err error
	if m.ca, err = certs.NewAuthority("routes"); err == nil {
		m.pods, err = certs.NewAuthority("pods")
	}
	if err != nil {
		b.Fatal(err)
	}
	pair, err := m.pods.Issue("pods.test")
	if err != nil {
		b.Fatal(err)
	}
	cert, err := pair.TLS()
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", ":0") //nolint:gosec // all of the loopback range
	if err != nil {
		b.Fatal(err)
	}
	m.tlsPort = l.Addr().(*net.TCPAddr).Port
	server := &http.Server{
		ReadHeaderTimeout: time.Minute, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}, //nolint:gosec // a benchmark's
		ErrorLog: log.New(io.Discard, "", 0), // Health checks are no error.
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }),
	}
	go func() { _ = server.ServeTLS(l, "", "") }()
	b.Cleanup(func() { _ = server.Close() })
	return m
}

// fill queues the routes, and their endpoints. Those of edge routes have
// certificates of their own.
func (m *mixed) fill(r *rig) {
	for i := range *many {
		route := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: namespace(i), Name: fmt.Sprint("r", i)}}
		route.Spec = routev1.RouteSpec{Host: host(i), To: routev1.RouteTargetReference{Kind: "Service", Name: fmt.Sprint("s", i)}}
		port := r.podPort
		if kind := kinds[i%len(kinds)]; kind != "" {
			route.Spec.TLS = &routev1.TLSConfig{Termination: kind}
			switch kind {
			case routev1.TLSTerminationEdge:
				pair, err := m.ca.Issue(host(i))
				if err != nil {
					r.b.Fatal(err)
				}
				route.Spec.TLS.Certificate, route.Spec.TLS.Key = pair.Cert, pair.Key
				route.Spec.TLS.InsecureEdgeTerminationPolicy = routev1.InsecureEdgeTerminationPolicyAllow
			case routev1.TLSTerminationReencrypt:
				route.Spec.TLS.DestinationCACertificate = m.pods.PEM
				port = m.tlsPort
			default:
				port = m.tlsPort
			}
		}
		r.queue.Push(source.Change{Key: source.Key{Kind: source.KindRoute, Namespace: namespace(i), Name: route.Name}, Object: route})
		r.pair(i, port)
	}
}

// pair gives a route two endpoints.
func (r *rig) pair(i, port int) {
	name, number := fmt.Sprint("s", i), int32(port) //nolint:gosec // a port
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: namespace(i), Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Port: &number}},
	}
	for j := range podsPerRoute {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{endpoint(i, j)}})
	}
	r.queue.Push(source.Change{Key: source.Key{Kind: source.KindEndpointSlice, Namespace: namespace(i), Name: name}, Object: slice})
}

// answers counts what clients see.
type answers struct{ asked, failed atomic.Int64 }

// askedRoutes is how many of the routes clients ask for: HAProxy keeps connections
// to the pods of all of them, whose other ends are in this process.
const askedRoutes = 1000

// ask sends requests to routes of all kinds, in an order of the client's own, over
// connections that are kept.
func (r *rig) ask(n int, stop <-chan struct{}, seen *answers) {
	client := r.client(n%2 == 1)
	for i := n; ; i += 7 {
		select {
		case <-stop:
			return
		default:
		}
		at := i % min(askedRoutes, *many)
		i := (at*(*many/min(askedRoutes, *many)) + at%len(kinds)) % *many
		scheme := "https"
		if kinds[i%len(kinds)] == "" {
			scheme = "http"
		}
		resp, err := client.Get(scheme + "://" + host(i) + "/")
		seen.asked.Add(1)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if err == nil && resp.StatusCode != http.StatusOK {
				err = fmt.Errorf("status %d", resp.StatusCode)
			}
		}
		if err != nil && seen.failed.Add(1) < 10 {
			r.b.Logf("%s: %v", host(i), err)
		}
	}
}

// reload adds a route that takes a reload, and waits until it is served.
func (r *rig) reload(i int) {
	name := fmt.Sprint("reload-", i)
	r.queue.Push(source.Change{Key: source.Key{Kind: source.KindRoute, Namespace: namespace(0), Name: name}, Object: &routev1.Route{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace(0), Name: name, Annotations: map[string]string{"haproxy.router.openshift.io/ip_allowlist": "127.0.0.0/8"}},
		Spec:       routev1.RouteSpec{Host: name + ".test", To: routev1.RouteTargetReference{Kind: "Service", Name: "s0"}},
	}})
	client := r.client(false)
	client.Transport.(*http.Transport).DisableKeepAlives = true
	await(r.b, reloadPatience, name, func() bool {
		resp, err := client.Get("http://" + name + ".test/")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// spent is processor time.
type spent struct{ haproxy, router time.Duration }

func (s spent) minus(o spent) spent { return spent{s.haproxy - o.haproxy, s.router - o.router} }

// cpu is the processor time of HAProxy, with processes that have ended, and of
// this process, in which the router is beside clients and pods.
func (r *rig) cpu() spent {
	var own, ended syscall.Rusage
	if err := errors.Join(syscall.Getrusage(syscall.RUSAGE_SELF, &own), syscall.Getrusage(syscall.RUSAGE_CHILDREN, &ended)); err != nil {
		r.b.Fatal(err)
	}
	total := span(ended)
	for pid := range childrenOf(os.Getpid()) {
		total += processTime(pid, true)
		for worker := range childrenOf(pid) {
			total += processTime(worker, false)
		}
	}
	return spent{haproxy: total, router: span(own)}
}

func span(u syscall.Rusage) time.Duration {
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// childrenOf are the processes whose parent is pid.
func childrenOf(pid int) map[int]bool {
	children := map[int]bool{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		if fields := statOf(path); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			children[child] = true
		}
	}
	return children
}

// statOf are the fields of a process behind its name: the state, the parent,
// and so on (proc(5)).
func statOf(path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

// processTime is what a process has used, in ticks of 10 ms, and where ended
// what its children had that have ended.
func processTime(pid int, ended bool) time.Duration {
	fields := statOf(fmt.Sprintf("/proc/%d/stat", pid))
	var ticks int
	// The fields 14 to 17 of proc(5): utime, stime, cutime, cstime.
	for i := 11; i < 15 && i < len(fields); i++ {
		if i < 13 || ended {
			n, _ := strconv.Atoi(fields[i])
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
