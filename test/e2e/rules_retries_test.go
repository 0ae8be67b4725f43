package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"

	"router/test/ports"
)

// manner is how a pod of mannered ends a request.
type manner int32

const (
	// answers with status 200, the pod's name in X-Pod.
	answers manner = iota
	// closes the connection without an answer.
	closesSilently
	// resets it.
	resets
	// answersOnce on each connection, and closes it at the second request.
	answersOnce
	// answersPart of a response, and closes.
	answersPart
)

// manneredPod counts the requests that reach it.
type manneredPod struct {
	manner   atomic.Int32
	requests atomic.Int64
}

// mannered starts pods NAME-1, NAME-2, ... of these manners behind a service.
func (p *plane) mannered(name string, manners ...manner) []*manneredPod {
	p.t.Helper()
	list, a := p.pods(name, manners...)
	p.add(a.manifest(""))
	return list
}

func (p *plane) pods(name string, manners ...manner) ([]*manneredPod, app) {
	p.t.Helper()
	a := app{name: name}
	var list []*manneredPod
	for i, m := range manners {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			p.t.Fatal(err)
		}
		p.t.Cleanup(func() { _ = l.Close() })
		pod := &manneredPod{}
		pod.manner.Store(int32(m))
		go pod.serve(l, fmt.Sprintf("%s-%d", name, i+1))
		list = append(list, pod)
		a.addr = append(a.addr, l.Addr())
	}
	return list, a
}

// dead adds n endpoints where nobody listens.
func (a app) dead(t *testing.T, n int) app {
	t.Helper()
	for range n {
		a.addr = append(a.addr, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: ports.Free(t)})
	}
	return a
}

func (pod *manneredPod) serve(l net.Listener, name string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = c.Close() }()
			reader := bufio.NewReader(c)
			for n := 1; ; n++ {
				r, err := http.ReadRequest(reader)
				if err != nil {
					return // A health check, or the end.
				}
				_, _ = io.Copy(io.Discard, r.Body)
				pod.requests.Add(1)
				switch m := manner(pod.manner.Load()); {
				case m == closesSilently, m == answersOnce && n > 1:
					return
				case m == resets:
					_ = c.(*net.TCPConn).SetLinger(0)
					return
				case m == answersPart:
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
					return
				}
				_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nX-Pod: %s\r\nContent-Length: 0\r\n\r\n", name)
			}
		}()
	}
}

// counts are how many requests each pod got, since the last time.
func counts(list []*manneredPod) []int64 {
	var n []int64
	for _, pod := range list {
		n = append(n, pod.requests.Swap(0))
	}
	return n
}

func sum(n []int64) (total int64) {
	for _, i := range n {
		total += i
	}
	return total
}

// balances are all the ways to choose a pod.
var balances = []string{"random", "roundrobin", "leastconn", "source"}

func retryObjects(p *plane) {
	p.mannerly = map[string][]*manneredPod{}
	for name, manners := range map[string][]manner{
		"retry-one": {closesSilently}, "retry-one-reset": {resets}, "retry-race": {answersOnce}, "retry-part": {answersPart, answersPart},
		"retry-three": {closesSilently, closesSilently, closesSilently}, "retry-reset": {resets, resets, resets}, "retry-cookie": {answers, answers, answers},
	} {
		p.mannerly[name] = p.mannered(name, manners...)
		p.route(name, to(name))
		p.route(name+"-edge", to(name), p.terminated(routev1.TLSTerminationEdge))
	}
	for _, b := range balances {
		name := "retry-half-" + b
		p.mannerly[name] = p.mannered(name, closesSilently, answers)
		p.route(name, to(name), annotated(haproxyAnnotation+"balance", b), annotated(haproxyAnnotation+"disable_cookies", "true"))
		name = "retry-dead-" + b
		list, a := p.pods(name, answers)
		p.mannerly[name] = list
		p.add(a.dead(p.t, 1).manifest(""))
		p.route(name, to(name), annotated(haproxyAnnotation+"balance", b), annotated(haproxyAnnotation+"disable_cookies", "true"))
	}
	p.add(app{name: "retry-refused"}.dead(p.t, 1).manifest(""))
	p.route("retry-refused", to("retry-refused"))
}

// send asks with a method, and returns the status, 0 for none.
func send(c *http.Client, method, url string) (int, *http.Response, error) {
	var body io.Reader
	if method == http.MethodPost || method == http.MethodPut {
		body = strings.NewReader("body")
	}
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return 0, nil, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, nil, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	return resp.StatusCode, resp, err
}

func testRetries(t *testing.T, p *plane) {
	unanswered(t, p)
	halfAnswered(t, p)
	unreachable(t, p)
	racing(t, p)
	sticky(t, p)
}

// unanswered asks pods that all end requests without an answer.
func unanswered(t *testing.T, p *plane) {
	repeated := map[string]int64{"GET": 2, "HEAD": 2, "OPTIONS": 2, "POST": 1, "PUT": 1, "DELETE": 1, "PATCH": 1}
	for _, name := range []string{"retry-one", "retry-one-reset", "retry-three", "retry-reset"} {
		for method, want := range repeated {
			for _, url := range []string{"http://" + name + ".test/", "https://" + name + "-edge.test/"} {
				// Of HTTP/2, HAProxy 2.6 says that the request may be sent again.
				c := p.http1(t, somebody)
				status, _, err := send(c, method, url)
				c.CloseIdleConnections()
				n := counts(p.mannerly[name])
				if err != nil || status != http.StatusBadGateway || sum(n) != want {
					t.Errorf("%s %s: status %d, %v; requests that reached pods: %v, want %d", method, url, status, err, n, want)
				}
				if len(n) > 1 && slices.Max(n) > 1 {
					t.Errorf("%s %s: the same pod was asked again: %v", method, url, n)
				}
			}
		}
	}
	// Who has got the beginning of an answer gets no other one.
	status, _, err := send(p.as(t, somebody), http.MethodGet, "http://retry-part.test/")
	if n := counts(p.mannerly["retry-part"]); err == nil || sum(n) != 1 {
		t.Errorf("half an answer: status %d, %v; requests that reached pods: %v", status, err, n)
	}
}

// halfAnswered has a pod that answers beside one that does not.
func halfAnswered(t *testing.T, p *plane) {
	const asked = 20
	for _, b := range balances {
		name := "retry-half-" + b
		for range asked {
			p.wantStatus(t, somebody, "http://"+name+".test/", http.StatusOK)
		}
		if n := counts(p.mannerly[name]); n[1] != asked || n[0] > asked {
			t.Errorf("%s: %d requests, of which the pod that answers got %d, the other %d", name, asked, n[1], n[0])
		}
	}
}

// unreachable has pods that refuse connections: any request may go elsewhere.
func unreachable(t *testing.T, p *plane) {
	const asked = 20
	for _, b := range balances {
		name := "retry-dead-" + b
		for i := range asked {
			method := []string{"GET", "POST", "DELETE"}[i%3]
			c := p.as(t, somebody)
			if status, _, err := send(c, method, "http://"+name+".test/"); err != nil || status != http.StatusOK {
				t.Errorf("%s %s: status %d, %v", method, name, status, err)
			}
			c.CloseIdleConnections()
		}
		if n := counts(p.mannerly[name]); n[0] != asked {
			t.Errorf("%s: %d requests, of which the pod got %d", name, asked, n[0])
		}
	}
	p.wantStatus(t, somebody, "http://retry-refused.test/", http.StatusServiceUnavailable)
}

// racing has a pod that closes a kept connection as it is used again.
func racing(t *testing.T, p *plane) {
	c, err := p.dial(t.Context(), somebody, 80)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(c)
	ask := func(method string) (int, error) {
		if _, err := fmt.Fprintf(c, "%s / HTTP/1.1\r\nHost: retry-race.test\r\nContent-Length: 0\r\n\r\n", method); err != nil {
			return refused, err
		}
		resp, err := http.ReadResponse(reader, nil)
		if err != nil {
			return refused, err
		}
		a, err := answerOf(resp)
		return a.StatusCode, err
	}
	const asked = 4
	for i := range asked {
		if status, err := ask(http.MethodGet); err != nil || status != http.StatusOK {
			t.Fatalf("request %d: status %d, %v", i, status, err)
		}
	}
	// All but the first find a connection that ends, and are sent twice.
	if n := sum(counts(p.mannerly["retry-race"])); n != 2*asked-1 {
		t.Errorf("%d requests reached the pod %d times", asked, n)
	}
	// What may not be sent again is the client's to repeat.
	if status, err := ask(http.MethodPost); status == http.StatusOK || err == nil && status != http.StatusBadGateway {
		t.Errorf("POST: status %d, %v", status, err)
	}
	if n := sum(counts(p.mannerly["retry-race"])); n != 1 {
		t.Errorf("a POST reached the pod %d times", n)
	}
}

// sticky has a session at a pod that stops answering.
func sticky(t *testing.T, p *plane) {
	list := p.mannerly["retry-cookie"]
	c := p.as(t, somebody)
	_, first, err := send(c, http.MethodGet, "http://retry-cookie.test/")
	if err != nil || len(first.Cookies()) != 1 {
		t.Fatalf("%v, %v", first, err)
	}
	counts(list)
	var home int
	if _, err := fmt.Sscanf(first.Header.Get("X-Pod"), "retry-cookie-%d", &home); err != nil {
		t.Fatal(err)
	}
	list[home-1].manner.Store(int32(closesSilently))
	a, err := p.once(somebody, "http://retry-cookie.test/", "Cookie", first.Cookies()[0].String())
	n := counts(list)
	if err != nil || a.StatusCode != http.StatusOK || n[home-1] != 1 || sum(n) != 2 {
		t.Errorf("a session at %d whose pod is silent: %v, %v; requests that reached pods: %v", home, a.Response, err, n)
	}
	for _, pod := range list {
		pod.manner.Store(int32(closesSilently))
	}
	a, err = p.once(somebody, "http://retry-cookie.test/", "Cookie", first.Cookies()[0].String())
	if n := counts(list); err != nil || a.StatusCode != http.StatusBadGateway || n[home-1] != 1 || sum(n) != 2 {
		t.Errorf("a session at %d with silent pods: %v, %v; requests that reached pods: %v", home, a.Response, err, n)
	}
}
