package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"maps"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"router/test/certs"
	"router/test/pods"
	"router/test/routertest"
)

func weight(w int32) func(*routev1.Route) {
	return func(r *routev1.Route) { r.Spec.To.Weight = &w }
}

// also adds an alternate service.
func also(service string, w int32) func(*routev1.Route) {
	return func(r *routev1.Route) {
		r.Spec.AlternateBackends = append(r.Spec.AlternateBackends, routev1.RouteTargetReference{Kind: "Service", Name: service, Weight: &w})
	}
}

// crowds makes services with many endpoints, which tell their address in
// X-Pod. All of them are one listener, with TLS if there is a config: each
// 127.x.y.z is this machine.
func crowds(t *testing.T, config *tls.Config) func(name string, n int) string {
	t.Helper()
	l, err := net.Listen("tcp", "0.0.0.0:0") //nolint:gosec // all of 127.0.0.0/8 is meant
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		host, _, _ := net.SplitHostPort(local.String())
		w.Header().Set("X-Pod", host)
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	services := 0
	// Endpoint i of service s is 127.s.0.i.
	return func(name string, n int) string {
		services++
		var endpoints []string
		for i := range n {
			endpoints = append(endpoints, fmt.Sprintf("{addresses: [127.%d.0.%d]}", services, i+1))
		}
		return fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: %[1]s}\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"+
			"metadata: {name: %[1]s, labels: {kubernetes.io/service-name: %[1]s}}\naddressType: IPv4\nports: [{port: %[2]s}]\nendpoints: [%[3]s]",
			name, routertest.Port(l.Addr().String()), strings.Join(endpoints, ", "))
	}
}

// counts asks n times, without a cookie, and counts the answers by pod.
func (p *plane) counts(t *testing.T, url string, n int) map[string]int {
	t.Helper()
	const clients = 4
	var mu sync.Mutex
	var wait sync.WaitGroup
	count := map[string]int{}
	for range clients {
		wait.Go(func() {
			c := p.as(t, somebody)
			for range n / clients {
				a, err := ask(c, url)
				if err != nil || a.StatusCode != http.StatusOK {
					t.Errorf("%s: %v, %v", url, a.Response, err)
					return
				}
				mu.Lock()
				count[a.Header.Get("X-Pod")]++
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return count
}

// connections asks n times, each time on a new connection.
func (p *plane) connections(t *testing.T, url string, n int) map[string]int {
	t.Helper()
	count := map[string]int{}
	for range n {
		a, err := p.once(somebody, url)
		if err != nil || a.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v, %v", url, a.Response, err)
		}
		count[a.Header.Get("X-Pod")]++
	}
	return count
}

func balanceObjects(p *plane) {
	p.add(crowds(p.t, nil)("crowd", 8))
	for _, b := range []string{"roundrobin", "leastconn", "source", "random"} {
		p.route("balance-"+b, to("crowd"), annotated(haproxyAnnotation+"balance", b), annotated(haproxyAnnotation+"disable_cookies", "true"))
		p.route("balance-tcp-"+b, p.terminated(routev1.TLSTerminationPassthrough), annotated(haproxyAnnotation+"balance", b))
	}
	p.route("balance-tcp", p.terminated(routev1.TLSTerminationPassthrough))
	p.route("balance-wrong", to("crowd"), annotated(haproxyAnnotation+"balance", "first"), annotated(haproxyAnnotation+"disable_cookies", "true"))
}

func testBalance(t *testing.T, p *plane) {
	const n = 160
	for _, b := range []string{"roundrobin", "leastconn", "random", "wrong"} {
		count := p.counts(t, "http://balance-"+b+".test/", n)
		if len(count) != 8 {
			t.Errorf("%s: of eight pods answer %v", b, count)
		}
		for pod, got := range count {
			if b == "roundrobin" && got != n/8 {
				t.Errorf("%s: %s answers %d of %d requests", b, pod, got, n)
			}
		}
	}
	if count := p.counts(t, "http://balance-source.test/", n); len(count) != 1 {
		t.Errorf("source: one client is answered by %v", count)
	}
	seen := map[string]bool{}
	for i := range 64 {
		a, err := p.once(fmt.Sprintf("192.0.2.%d", i), "http://balance-source.test/")
		if err != nil {
			t.Fatal(err)
		}
		seen[a.Header.Get("X-Pod")] = true
	}
	if len(seen) < 5 {
		t.Errorf("source: 64 clients are answered by %v", seen)
	}
	// Passthrough: by connection; the default is the client's address.
	for b, pods := range map[string]int{"-roundrobin": 2, "-leastconn": 2, "-source": 1, "": 1} {
		seen := map[string]bool{}
		for range 8 {
			a, err := p.once(somebody, "https://balance-tcp"+b+".test/")
			if err != nil {
				t.Fatal(err)
			}
			seen[a.echo.Pod] = true
		}
		if len(seen) != pods {
			t.Errorf("passthrough %q: one client is answered by %v", b, seen)
		}
	}
}

// shares are weights of services and how many endpoints they have.
var shares = []struct {
	at                 routev1.TLSTerminationType
	weights, endpoints []int
}{
	{"", []int{1, 1}, []int{1, 1}},
	{"", []int{1, 99}, []int{1, 1}},
	{"", []int{1, 99}, []int{100, 1}},
	{"", []int{20, 80}, []int{100, 7}},
	{"", []int{50, 50}, []int{100, 33}},
	{"", []int{256, 1}, []int{1, 100}},
	{"", []int{10, 20, 70}, []int{3, 50, 11}},
	{"", []int{100, 0}, []int{2, 2}},
	{"", []int{30, 70, 100}, []int{1, 1, 0}},
	{routev1.TLSTerminationPassthrough, []int{20, 80}, []int{3, 2}},
	{routev1.TLSTerminationPassthrough, []int{10, 0, 30}, []int{1, 1, 40}},
}

func shareObjects(p *plane) {
	plain, secure := crowds(p.t, nil), crowds(p.t, serverTLS(p.t, p.ca, "share"))
	for i, s := range shares {
		name, crowd := fmt.Sprintf("share-%d", i), plain
		changes := []func(*routev1.Route){p.terminated(s.at)}
		if s.at == "" {
			changes = append(changes, annotated(haproxyAnnotation+"disable_cookies", "true"))
		} else {
			crowd = secure
		}
		for j := range s.weights {
			service := fmt.Sprintf("%s-%d", name, j)
			p.add(crowd(service, s.endpoints[j]))
			if j == 0 {
				changes = append(changes, to(service), weight(int32(s.weights[j])))
			} else {
				changes = append(changes, also(service, int32(s.weights[j])))
			}
		}
		p.route(name, changes...)
	}
}

// testShares compares what is seen with what is asked for, to a point of a
// hundred. A round of all servers at their weights is part of the count, so
// that it is long enough.
func testShares(t *testing.T, p *plane) {
	second := map[routev1.TLSTerminationType]int{}
	for i, s := range shares {
		n := 600
		var count map[string]int
		if s.at == "" {
			count = p.counts(t, fmt.Sprintf("http://share-%d.test/", i), n)
		} else {
			n = 160
			count = p.connections(t, fmt.Sprintf("https://share-%d.test/", i), n)
		}
		total := 0.0
		for j, w := range s.weights {
			if s.endpoints[j] > 0 {
				total += float64(w)
			}
		}
		for j, w := range s.weights {
			second[s.at]++
			got := 0
			for pod, c := range count {
				if strings.HasPrefix(pod, fmt.Sprintf("127.%d.", second[s.at])) {
					got += c
				}
			}
			want := float64(w) / total
			if s.endpoints[j] == 0 {
				want = 0
			}
			if share := float64(got) / float64(n); math.Abs(share-want) > 0.01 || w == 0 && got > 0 {
				t.Errorf("%q, weights %v, endpoints %v: service %d gets %.4f, want %.4f", s.at, s.weights, s.endpoints, j, share, want)
			}
		}
	}
}

func podLimitObjects(p *plane) {
	p.add(runApp(p.t, "single", 1, nil).manifest(""), runApp(p.t, "single-tls", 1, serverTLS(p.t, p.ca, "single")).manifest(""))
	for name, at := range terminations() {
		service := "single"
		if name == "reencrypt" || name == "passthrough" {
			service = "single-tls"
		}
		p.route("pod-limit-"+name, p.terminated(at), to(service), annotated(haproxyAnnotation+"pod-concurrent-connections", "1"))
	}
}

// testPodLimit has a connection in use; the next one waits for it.
func testPodLimit(t *testing.T, p *plane) {
	var wait sync.WaitGroup
	for name := range terminations() {
		wait.Go(func() { oneAtATime(t, p, scheme(name)+"pod-limit-"+name+".test/") })
	}
	wait.Wait()
}

func oneAtATime(t *testing.T, p *plane, url string) {
	const held = 300 * time.Millisecond
	done := make(chan error)
	started := time.Now()
	for range 2 {
		go func() {
			a, err := p.once(somebody, fmt.Sprintf("%sslow?ms=%d", url, held.Milliseconds()))
			if err == nil && a.StatusCode != http.StatusOK {
				err = fmt.Errorf("status %d", a.StatusCode)
			}
			done <- err
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(started); took < 2*held {
		t.Errorf("%s: two requests of %v take %v, on one connection", url, held, took)
	}
}

func verifiedObjects(p *plane) {
	other := authority(p.t)
	service := func(name, certified string, ca *certs.Authority) {
		p.add(runApp(p.t, name, 1, serverTLS(p.t, ca, certified)).manifest(""))
		p.route("default-ca-"+name, p.terminated(routev1.TLSTerminationReencrypt), to(name), func(r *routev1.Route) { r.Spec.TLS.DestinationCACertificate = "" })
		p.route("own-ca-"+name, p.terminated(routev1.TLSTerminationReencrypt), to(name))
	}
	service("verified", "verified.default.svc", p.ca)
	service("misnamed", "other.default.svc", p.ca)
	service("strange", "strange.default.svc", other)
	service("strange-too", "strange-too.default.svc", other)
	// Of several services, each has its own name.
	p.route("default-ca-both", p.terminated(routev1.TLSTerminationReencrypt), to("verified"), also("misnamed", 1), annotated(haproxyAnnotation+"disable_cookies", "true"),
		func(r *routev1.Route) { r.Spec.TLS.DestinationCACertificate = "" })
}

// testVerified: the router's CA is that of services, which are known by their
// names; a route's own CA vouches for whatever it signs.
func testVerified(t *testing.T, p *plane) {
	var wait sync.WaitGroup
	for name, want := range map[string]int{
		"default-ca-verified": 200, "default-ca-misnamed": 503, "default-ca-strange": 503,
		"own-ca-verified": 200, "own-ca-misnamed": 200, "own-ca-strange": 503, "own-ca-strange-too": 503,
	} {
		// HAProxy tries a pod for three seconds before it gives up.
		wait.Go(func() { p.wantStatus(t, somebody, "https://"+name+".test/", want) })
	}
	for range 4 {
		if a, err := p.once(somebody, "https://default-ca-both.test/"); err != nil || a.echo.Pod != "verified-1" {
			t.Errorf("of two services answers %v, %v", a.Response, err)
		}
	}
	wait.Wait()
}

// checked are the services of testChecks by what is asked for: the interval,
// and how many pods there are.
var checked = []struct {
	name, interval string
	pods           int
	want           string // state of a pod that has died
}{{"often", "1s", 2, "down"}, {"seldom", "1h", 2, "up"}, {"alone", "1s", 1, "up"}, {"all", "1s", 2, "up"}}

func checkObjects(p *plane) {
	for name, at := range terminations() {
		var config *tls.Config
		if name == "reencrypt" || name == "passthrough" {
			config = serverTLS(p.t, p.ca, "checked")
		}
		for _, c := range checked {
			id := c.name + "-" + name
			a := app{name: id}
			for i := range c.pods {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					p.t.Fatal(err)
				}
				s := pods.Serve(l, id, config)
				p.t.Cleanup(s.Close)
				a.addr = append(a.addr, l.Addr())
				if i == 0 || c.name == "all" {
					p.mortal = append(p.mortal, s)
				}
			}
			p.add(a.manifest(""))
			p.route("check-"+id, p.terminated(at), to(id), annotated(routerAnnotation+"haproxy.health.check.interval", c.interval))
		}
	}
}

// testChecks ends the first pod of each service and looks who notices.
func testChecks(t *testing.T, p *plane) {
	for _, s := range p.mortal {
		s.Close()
	}
	for name := range terminations() {
		eventually(t, "checks come at their interval", func() error {
			routes, err := p.routes()
			if err != nil {
				return err
			}
			for _, c := range checked {
				servers := routes["check-"+c.name+"-"+name].Servers
				if len(servers) != c.pods || servers[0].State != c.want {
					return fmt.Errorf("%s with an interval of %s: %v", name, c.interval, servers)
				}
			}
			return nil
		})
	}
}

func portObjects(p *plane) {
	main, admin := runApp(p.t, "main", 1, nil), runApp(p.t, "admin", 1, nil)
	number := routertest.Port(admin.addr[0].String())
	p.add("apiVersion: v1\nkind: Service\nmetadata: {name: ports}\nspec: {ports: [{name: main, port: 80}, {name: admin, port: 81}]}", fmt.Sprintf(
		"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: ports, labels: {kubernetes.io/service-name: ports}}\naddressType: IPv4\n"+
			"ports: [{name: main, port: %s}, {name: admin, port: %s}]\nendpoints: [{addresses: [127.0.0.1]}]", routertest.Port(main.addr[0].String()), number))
	port := func(v intstr.IntOrString) func(*routev1.Route) {
		return func(r *routev1.Route) { r.Spec.Port = &routev1.RoutePort{TargetPort: v} }
	}
	cookieless := annotated(haproxyAnnotation+"disable_cookies", "true")
	p.route("port-name", to("ports"), cookieless, port(intstr.FromString("admin")))
	p.route("port-number", to("ports"), cookieless, port(intstr.Parse(number)))
	p.route("port-number-text", to("ports"), cookieless, port(intstr.FromString(number)))
	p.route("port-none", to("ports"), cookieless)
	p.route("port-unknown", to("ports"), cookieless, port(intstr.FromString("other")))
}

func testPorts(t *testing.T, p *plane) {
	problems := p.problems(t)
	for route, want := range map[string]string{"port-name": "admin-1", "port-number": "admin-1", "port-number-text": "admin-1", "port-none": "admin-1 main-1"} {
		seen := map[string]int{}
		for pod := range p.counts(t, "http://"+route+".test/", 40) {
			seen[pod]++
		}
		if got := strings.Join(slices.Sorted(maps.Keys(seen)), " "); got != want {
			t.Errorf("%s: pods are %q, want %q", route, got, want)
		}
	}
	p.wantStatus(t, somebody, "http://port-unknown.test/", http.StatusServiceUnavailable)
	if got := problems("port-unknown"); !strings.Contains(got, "spec.port.targetPort: the endpoints of service ports have no port other; they have ") {
		t.Errorf("problems are %q", got)
	}
}

func serviceObjects(p *plane) {
	// pod makes a pod and returns its port.
	pod := func(name string) string { return routertest.Port(runApp(p.t, name, 1, nil).addr[0].String()) }
	service := func(name, annotations, spec string) {
		p.add(fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: %s, annotations: {%s}}\nspec: {%s}", name, annotations, spec))
		p.route(name, to(name))
	}
	slice := func(service, suffix, family, address, port, conditions string) {
		p.add(fmt.Sprintf("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: %s%s, labels: {kubernetes.io/service-name: %[1]s}}\n"+
			"addressType: %[3]s\nports: [{port: %[5]s}]\nendpoints: [{addresses: ['%[4]s']%[6]s}]", service, suffix, family, address, port, conditions))
	}
	const idled = "idling.alpha.openshift.io/idled-at: now"
	service("asleep", idled, "clusterIP: 127.0.0.1, ports: [{port: "+pod("asleep")+"}]")
	service("asleep-headless", idled, "clusterIP: None, ports: [{port: "+pod("asleep-headless")+"}]")
	service("awake", idled, "clusterIP: 127.0.0.9, ports: [{port: 1}]")
	slice("awake", "", "IPv4", "127.0.0.1", pod("awake"), "")
	service("headless", "", "clusterIP: None, ports: [{port: 1}]")
	slice("headless", "", "IPv4", "127.0.0.1", pod("headless"), "")
	service("unready", "", "")
	slice("unready", "", "IPv4", "127.0.0.1", pod("unready"), ", conditions: {ready: false}")
	// What publishNotReadyAddresses makes of the same pod.
	service("published", "", "publishNotReadyAddresses: true")
	slice("published", "", "IPv4", "127.0.0.1", pod("published"), ", conditions: {ready: true, serving: false}")
	service("ending", "", "")
	slice("ending", "", "IPv4", "127.0.0.1", pod("ending"), ", conditions: {ready: false, serving: true, terminating: true}")
	service("replaced", "", "")
	slice("replaced", "-old", "IPv4", "127.0.0.1", pod("replaced-old"), ", conditions: {ready: false, serving: true, terminating: true}")
	slice("replaced", "-new", "IPv4", "127.0.0.1", pod("replaced"), "")
	service("both", "", "ipFamilies: [IPv4, IPv6]")
	slice("both", "-4", "IPv4", "127.0.0.1", pod("both"), "")
	slice("both", "-6", "IPv6", "::1", pod("nobody"), "")
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		p.t.Fatal(err)
	}
	server := pods.Serve(l, "six-1", nil)
	p.t.Cleanup(server.Close)
	service("six", "", "ipFamilies: [IPv6]")
	slice("six", "", "IPv6", "::1", routertest.Port(server.Addr().String()), "")
	service("elsewhere", "", "type: ExternalName, externalName: nowhere.invalid, ports: [{port: 80}]")
	for name, target := range externalHere {
		service(name, "", "type: ExternalName, externalName: '"+target+"', ports: [{port: 80}]")
	}
}

// externalHere are external names that would lead to the router's machine or
// its cloud.
var externalHere = map[string]string{
	"external-localhost": "localhost", "external-four": "127.0.0.1", "external-metadata": "169.254.169.254", "external-short": "127.1", "external-hex": "0x7f.1", "external-number": "2130706433",
}

func testServices(t *testing.T, p *plane) {
	problems := p.problems(t)
	for _, name := range []string{"asleep", "awake", "headless", "published", "ending", "replaced", "both", "six"} {
		for range 4 {
			if a, err := p.once(somebody, "http://"+name+".test/"); err != nil || a.echo.Pod != name+"-1" {
				t.Errorf("%s is served by %q, %v", name, a.echo.Pod, err)
			}
		}
	}
	for _, name := range []string{"asleep-headless", "unready", "elsewhere"} {
		p.wantStatus(t, somebody, "http://"+name+".test/", http.StatusServiceUnavailable)
	}
	routes, err := p.routes()
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range externalHere {
		if r := routes[name]; len(r.Servers) != 0 || !strings.Contains(problems(name), "must be a DNS name") {
			t.Errorf("%s has the servers %v, problems %q", target, r.Servers, problems(name))
		}
	}
	for _, name := range []string{"both", "replaced", "awake"} {
		if r := routes[name]; len(r.Servers) != 1 {
			t.Errorf("%s has the servers %v", name, r.Servers)
		}
	}
	if r := routes["elsewhere"]; len(r.Servers) != 0 {
		t.Errorf("an external name that does not exist has the servers %v", r.Servers)
	}
}
