package e2e

import (
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"router/test/haproxies"
)

// gateway is a pod that sends what it gets to where the request says, with all
// headers, through the router again.
func gateway(t *testing.T, client *atomic.Pointer[http.Client]) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pod := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		out, err := http.NewRequestWithContext(in.Context(), http.MethodGet, in.Header.Get("X-To"), nil) //nolint:gosec // the test says where
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		out.Header = in.Header.Clone()
		resp, err := client.Load().Do(out) //nolint:gosec // see above
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	})}
	go func() { _ = pod.Serve(l) }()
	t.Cleanup(func() { _ = pod.Close() })
	return l.Addr().String()
}

// TestHopsOfRequests looks at the header that tells routers where a request
// has been.
func TestHopsOfRequests(t *testing.T) {
	haproxies.EachAndNewerAtOnce(t, func(t *testing.T, haproxy string) {
		var client atomic.Pointer[http.Client]
		d := newDirectory(t)
		d.write("all.yaml", append(good(t), at("gateway", gateway(t, &client)), route("gateway", "gateway.test", "gateway", ""))...)
		r := start(t, haproxy, "--manifests", d.dir)
		client.Store(r.client(false))

		send := func(url string, headers ...string) answer {
			t.Helper()
			req, err := http.NewRequest(http.MethodGet, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(headers); i += 2 {
				req.Header[headers[i]] = append(req.Header[headers[i]], headers[i+1])
			}
			resp, err := r.client(false).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			a, err := answerOf(resp)
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		const name = "Router-Hops"
		mark := send("http://good.test/").echo.Headers[name]
		if len(mark) != 1 || len(mark[0]) < 26 {
			t.Fatalf("a pod gets %q", mark)
		}
		own := mark[0]
		if seen := send("https://good.test/").echo.Headers[name]; len(seen) != 1 || seen[0] != own {
			t.Errorf("with TLS, a pod gets %q, and without %q", seen, own)
		}
		for _, headers := range [][]string{{name, own}, {name, "a, " + own + ",b"}, {name, "a", name, own}} {
			if a := send("http://good.test/", headers...); a.StatusCode != http.StatusLoopDetected {
				t.Errorf("%q has status %d", headers, a.StatusCode)
			}
		}
		for _, headers := range [][]string{{"Router_Hops", own}, {"router.hops", own}, {name, "x" + own}, {name, ""}, {"Via", own}} {
			if a := send("http://good.test/", headers...); a.StatusCode != http.StatusOK {
				t.Errorf("%q has status %d", headers, a.StatusCode)
			}
		}
		if seen := send("http://good.test/", name, "a, b").echo.Headers[name]; len(seen) != 2 || seen[0] != "a, b" || seen[1] != own {
			t.Errorf("what others have said becomes %q", seen)
		}
		for url, want := range map[string]int{"http://good.test/": http.StatusOK, "http://gateway.test/": http.StatusLoopDetected} {
			if a := send("http://gateway.test/", "X-To", url); a.StatusCode != want {
				t.Errorf("through a gateway to %s: status %d, want %d", url, a.StatusCode, want)
			}
		}
	})
}
