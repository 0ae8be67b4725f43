package haproxy_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"router/pkg/haproxy"
	"router/pkg/model"
	"router/test/haproxies"
)

// logPlane is a data plane with an access log.
type logPlane struct {
	*plane
	mu    sync.Mutex
	lines []string
	count int
}

func newLogPlane(t *testing.T, binary string, change ...func(*haproxy.Options)) *logPlane {
	t.Helper()
	p := &logPlane{}
	var address string
	p.plane = newPlane(t, binary, append(change, func(o *haproxy.Options) {
		address = filepath.Join(filepath.Dir(filepath.Dir(o.Layout.Config.String())), "log.sock")
		format := o.Global.Log.Format
		o.Global.Log = model.Log{Address: address, MaxLength: 1024, Facility: "local1", Level: "info", Format: format}
		o.ReloadInterval = time.Hour // What needs a reload has none but the first.
	})...)
	conn, err := net.ListenPacket("unixgram", address)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 1<<16)
		for {
			n, _, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			p.mu.Lock()
			p.lines = append(p.lines, strings.TrimSpace(string(buffer[:n])))
			p.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return p
}

// logged waits for a line that matches, and returns what is in its parentheses.
func (p *logPlane) logged(t *testing.T, pattern string) []string {
	t.Helper()
	var found []string
	re := regexp.MustCompile(pattern)
	var seen []string
	eventually(t, "a line like "+pattern, 10*time.Second, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, line := range p.lines {
			if found = re.FindStringSubmatch(line); found != nil {
				return true
			}
		}
		seen = p.lines
		return false
	})
	if found == nil {
		t.Fatalf("there are only\n%s", strings.Join(seen, "\n"))
	}
	return found
}

// dial connects to the listener of a URL, whatever its host.
func (p *logPlane) client() *http.Client {
	return &http.Client{
		Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // what is served counts, not by whom
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				port := p.http
				if strings.HasSuffix(address, ":443") {
					port = p.https
				}
				return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:"+strconv.Itoa(port))
			},
		},
	}
}

// ask makes a request whose path is its own, and returns who answered.
func (p *logPlane) ask(t *testing.T, base string) (path, body string) {
	t.Helper()
	p.count++
	path = fmt.Sprintf("/request-%d.", p.count)
	resp, err := p.client().Get(base + path)
	if err != nil {
		t.Fatalf("%s: %v", base, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(resp.Body)
	return path, string(text)
}

// names asks, and compares the names in the log with the wanted ones.
func (p *logPlane) names(t *testing.T, base, want string) {
	t.Helper()
	path, _ := p.ask(t, base)
	if got := p.logged(t, `\] \S+ (\S+/\S+) .*"GET \S*`+regexp.QuoteMeta(path)); got[1] != want {
		t.Errorf("%s is logged as %q, want %q", base, got[1], want)
	}
}

// tlsPod is a pod that speaks TLS.
func tlsPod(t *testing.T, name string) model.Server {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }))
	t.Cleanup(s.Close)
	return serverAt(name, s.Listener.Addr())
}

func serverAt(name string, address net.Addr) model.Server {
	a := address.(*net.TCPAddr)
	return model.Server{ID: fmt.Sprintf("pod:%s:svc:http:%s:%d", name, a.IP, a.Port), Address: a.IP.String(), Port: a.Port, Weight: 1, Service: "svc", Pod: name}
}

// ended is the route with a termination.
func ended(r *model.Route, termination model.Termination) *model.Route {
	r.Termination = termination
	if termination == model.TerminationReencrypt {
		r.Backend.TLS = &model.ServerTLS{}
	}
	return r
}

// without applies a change that must need no reload.
func (p *logPlane) without(t *testing.T, what string, c model.Change) {
	t.Helper()
	if o := apply(t, p.plane, c); o.Reloaded || len(o.Pending) > 0 {
		t.Fatalf("%s takes a reload: %+v", what, o)
	}
}

func TestTheAccessLogNamesRoutesAndPods(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newLogPlane(t, binary, func(o *haproxy.Options) { o.Spares = 2 })
		a, b, c := pod(t, "a"), pod(t, "b"), pod(t, "c")
		gone := pod(t, "gone")
		gone.Port = 1 // Nobody listens.
		upsert := func(list ...*model.Route) model.Change { return model.Change{Upsert: list} }
		del := func(name string) model.Change {
			return model.Change{Delete: []model.RouteKey{{Namespace: "ns", Name: name}}}
		}
		apply(t, p.plane, upsert(sticky("old", a), ended(route("edge", "edge.test", a), model.TerminationEdge), route("none", "none.test")))
		p.names(t, "http://old.test", "be_http:ns:old/"+a.ID)
		p.names(t, "https://edge.test", "be_edge_http:ns:edge/"+a.ID)
		p.names(t, "http://none.test", "be_http:ns:none/<NOSRV>")
		p.names(t, "http://nobody.test", "openshift_default/<NOSRV>")

		// A route comes, and others in its place.
		p.without(t, "a route", upsert(sticky("second", a)))
		p.names(t, "http://second.test", "be_http:ns:second/"+a.ID)
		changed := sticky("second", a)
		changed.Backend.ServerTimeout, changed.Backend.TunnelTimeout = time.Minute, time.Hour
		p.without(t, "a time-out", upsert(changed))
		p.names(t, "http://second.test", "be_http:ns:second/"+a.ID)
		p.without(t, "an edge route", upsert(ended(route("edge2", "edge2.test", b), model.TerminationEdge)))
		p.names(t, "https://edge2.test", "be_edge_http:ns:edge2/"+b.ID)
		for i := range 4 {
			name, at := fmt.Sprint("guest", i), []model.Server{a, b, c}[i%3]
			p.without(t, name, upsert(sticky(name, at)))
			p.names(t, "http://"+name+".test", "be_http:ns:"+name+"/"+at.ID)
			p.without(t, "the end of "+name, del(name))
			settle(t, p.plane)
			p.names(t, "http://"+name+".test", "openshift_default/<NOSRV>")
		}

		// Pods come and go.
		for _, name := range []string{"old", "second"} {
			for i, pods := range [][]model.Server{{b}, {c}, {}, {a}, {gone}, {b}} {
				p.without(t, "a pod", upsert(sticky(name, pods...)))
				want := "<NOSRV>"
				if len(pods) > 0 {
					want = pods[0].ID
				}
				p.names(t, "http://"+name+".test", "be_http:ns:"+name+"/"+want)
				if i%2 == 1 {
					settle(t, p.plane)
				}
			}
		}
		if !p.Features().DynamicServers {
			// Entries that are lost are found missing, and written anew.
			if _, err := p.Ask(context.Background(), "clear map "+filepath.Join(p.dir, "conf", "slots.map")); err != nil {
				t.Fatal(err)
			}
		}
		if o, err := p.Verify(context.Background()); err != nil || o.Reloaded {
			t.Errorf("verify: %+v %v", o, err)
		}
		p.names(t, "http://old.test", "be_http:ns:old/"+b.ID)
		p.names(t, "http://second.test", "be_http:ns:second/"+b.ID)
	})
}

func TestTheAccessLogNamesTLSRoutes(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newLogPlane(t, binary)
		a, b := tlsPod(t, "a"), tlsPod(t, "b")
		pass := func(name string, pods ...model.Server) *model.Route {
			return ended(route(name, name+".test", pods...), model.TerminationPassthrough)
		}
		secure := func(name string, pods ...model.Server) *model.Route {
			return ended(route(name, name+".test", pods...), model.TerminationReencrypt)
		}
		apply(t, p.plane, model.Change{Upsert: []*model.Route{pass("pass", a), secure("secure", a), ended(route("edge", "edge.test"), model.TerminationEdge)}})
		// connects compares the names of one passthrough connection.
		connects := func(host, want string) {
			t.Helper()
			p.mu.Lock()
			p.lines = nil
			p.mu.Unlock()
			_, _ = p.ask(t, "https://"+host)
			if got := p.logged(t, `\] public_ssl (\S+/\S+) `); got[1] != want {
				t.Errorf("%s is logged as %q, want %q", host, got[1], want)
			}
		}
		connects("pass.test", "be_tcp:ns:pass/"+a.ID)
		connects("edge.test", "be_sni/fe_sni")
		p.names(t, "https://secure.test", "be_secure:ns:secure/"+a.ID)
		p.names(t, "https://edge.test", "be_edge_http:ns:edge/<NOSRV>")
		for _, pods := range [][]model.Server{{a}, {b}, {a}} {
			p.without(t, "routes", model.Change{Upsert: []*model.Route{pass("pass2", pods...), secure("secure2", pods...)}})
			connects("pass2.test", "be_tcp:ns:pass2/"+pods[0].ID)
			p.names(t, "https://secure2.test", "be_secure:ns:secure2/"+pods[0].ID)
		}
		p.without(t, "a deletion", model.Change{Delete: []model.RouteKey{{Namespace: "ns", Name: "pass2"}}})
		settle(t, p.plane)
		p.without(t, "a route", model.Change{Upsert: []*model.Route{pass("pass3", b)}})
		connects("pass3.test", "be_tcp:ns:pass3/"+b.ID)
		connects("pass2.test", "be_sni/fe_sni")
	})
}

// TestTheNameOfAPodOutlivesIt takes a pod away while requests are under way.
func TestTheNameOfAPodOutlivesIt(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newLogPlane(t, binary)
		came := make(chan struct{}, 2)
		goOn := map[string]chan struct{}{"/waits": make(chan struct{}), "/streams": make(chan struct{})}
		slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/streams" {
				w.WriteHeader(http.StatusOK)
				_ = http.NewResponseController(w).Flush()
			}
			came <- struct{}{}
			<-goOn[r.URL.Path]
		}))
		t.Cleanup(slow.Close)
		a, b := serverAt("a", slow.Listener.Addr()), pod(t, "b")
		apply(t, p.plane, model.Change{Upsert: []*model.Route{route("one", "one.test", a)}})
		var done sync.WaitGroup
		began := make(chan struct{}, 2) // Responses whose head has come.
		for path := range goOn {
			done.Go(func() {
				resp, err := p.client().Get("http://one.test" + path)
				began <- struct{}{}
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			})
			<-came
		}
		<-began
		p.without(t, "another pod", model.Change{Upsert: []*model.Route{route("one", "one.test", b)}})
		p.names(t, "http://one.test", "be_http:ns:one/"+b.ID)
		close(goOn["/waits"])
		if got := p.logged(t, `\] public (\S+) .*"GET /waits`); got[1] != "be_http:ns:one/"+a.ID {
			t.Errorf("a request that was under way is logged as %q", got[1])
		}
		if !p.Features().DynamicServers {
			// As if the slot stood for another pod already, which it may while the end
			// of a response waits in HAProxy for a slow client.
			table := filepath.Join(p.dir, "conf", "slots.map")
			if _, err := p.Ask(context.Background(), "set map "+table+" s1@be_http:ns:one pod:else:svc:http:127.0.0.1:1"); err != nil {
				t.Fatal(err)
			}
		}
		close(goOn["/streams"])
		done.Wait()
		if got := p.logged(t, `\] public (\S+) .*"GET /streams`); got[1] != "be_http:ns:one/"+a.ID {
			t.Errorf("a response that was under way is logged as %q", got[1])
		}
	})
}
