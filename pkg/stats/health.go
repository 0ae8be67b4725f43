package stats

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// probeTimeout bounds each check of a probe.
	probeTimeout = 2 * time.Second
	// livenessTimeout is less than the second after which the kubelet, unless
	// told otherwise, gives a probe up, and would count it without hearing that
	// the failure is forgiven.
	livenessTimeout = 800 * time.Millisecond
	// livenessFailures is how many looks in a row must fail before liveness
	// does. A restart ends everybody's connections, and an event loop that was
	// slow once needs none; with a look each 10 seconds, as the sample
	// DaemonSet has it, half a minute is no moment of load any longer.
	livenessFailures = 3
	// lookSpacing is the least time between looks whose failures count: several
	// that ask within the same moment of load have seen one failure.
	lookSpacing = time.Second
)

// check is one thing that a probe looks at.
type check struct {
	name string
	test func(context.Context) error
}

// patient is a check that fails after several looks in a row have failed. One
// that succeeds begins anew.
type patient struct {
	test func(context.Context) error
	now  func() time.Time

	mu     sync.Mutex
	failed int
	last   time.Time
}

// forgivenError is a failure that does not count yet.
type forgivenError struct {
	cause  error
	failed int
}

func (e forgivenError) Error() string {
	return fmt.Sprintf("%s (look %d that failed; %d in a row are a failure)", e.cause, e.failed, livenessFailures)
}

func (p *patient) look(ctx context.Context) error {
	err := p.test(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.failed = 0
		return nil
	}
	if now := p.now(); p.failed == 0 || now.Sub(p.last) >= lookSpacing {
		p.failed++
		p.last = now
	}
	if p.failed < livenessFailures {
		return forgivenError{err, p.failed}
	}
	return err
}

// liveness are the checks of /healthz: whether a restart would help.
//
// The path that clients take is no part of it, since a router whose
// connections are all in use would be restarted, to the harm of those.
func (s *Server) liveness() []check {
	// That there is an answer shows that the router itself is alive.
	list := []check{{"controller", func(context.Context) error { return nil }}}
	if s.opts.Runtime != nil && !s.opts.NoSocketCheck {
		list = append(list, check{"admin-socket", (&patient{test: s.adminSocket, now: s.opts.Now}).look})
	}
	return list
}

// readiness are the checks of /healthz/ready: whether clients may be sent here.
func (s *Server) readiness() []check {
	var list []check
	if s.opts.ProbeURL != "" {
		name := "backend-http"
		if s.opts.ProbeProxyProtocol {
			name = "backend-proxy-http"
		}
		list = append(list, check{name, s.newProbe()})
	}
	return append(list, check{"has-synced", s.hasSynced}, check{"process-running", s.processRunning})
}

// hasSynced remembers that it was true once.
func (s *Server) hasSynced(ctx context.Context) error {
	err := s.opts.Ready(ctx)
	if err == nil {
		s.synced.Store(true)
	}
	return err
}

// adminSocket checks that HAProxy's event loop turns. HAProxy is only started
// with the first routes; a cluster that cannot be reached until then is no
// reason for a restart.
func (s *Server) adminSocket(ctx context.Context) error {
	if !s.synced.Load() && s.hasSynced(ctx) != nil {
		return nil
	}
	answer, err := s.opts.Runtime(ctx, "show version")
	if err != nil {
		return err
	}
	if strings.TrimSpace(answer) == "" {
		return errors.New("haproxy answers without a word")
	}
	return nil
}

// processRunning fails as soon as the process is told to stop.
func (s *Server) processRunning(context.Context) error {
	for _, stopping := range []<-chan struct{}{s.opts.Stopping, s.stopping} {
		select {
		case <-stopping: // never, where nil
			return errors.New("the router is stopping")
		default:
		}
	}
	return nil
}

// newProbe makes a request as a client would.
func (s *Server) newProbe() func(context.Context) error {
	client := &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // asks itself; what counts is that it answers
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, address)
				if err != nil || !s.opts.ProbeProxyProtocol {
					return conn, err
				}
				if _, err := conn.Write([]byte("PROXY UNKNOWN\r\n")); err != nil {
					return nil, errors.Join(err, conn.Close())
				}
				return conn, nil
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.opts.ProbeURL, nil)
		if err != nil {
			return err
		}
		request.Header.Set("User-Agent", "router-probe")
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		if err := response.Body.Close(); err != nil {
			return err
		}
		if response.StatusCode < 200 || response.StatusCode >= 400 {
			return fmt.Errorf("haproxy answers with status %d", response.StatusCode)
		}
		return nil
	}
}

// probe answers for a list of checks. All are made, even after a failure, so
// that the answer names each that fails.
func probe(name string, timeout time.Duration, checks []check) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		var out bytes.Buffer
		failed := false
		for _, c := range checks {
			if slices.Contains(query["exclude"], c.name) {
				_, _ = fmt.Fprintf(&out, "[+]%s excluded: ok\n", c.name)
				continue
			}
			ctx, cancel := context.WithTimeout(r.Context(), timeout)
			err := c.test(ctx)
			cancel()
			var forgiven forgivenError
			switch {
			case err == nil:
				_, _ = fmt.Fprintf(&out, "[+]%s ok\n", c.name)
			case errors.As(err, &forgiven):
				_, _ = fmt.Fprintf(&out, "[+]%s ok so far: %s\n", c.name, oneLine(err.Error()))
			default:
				failed = true
				_, _ = fmt.Fprintf(&out, "[-]%s failed: %s\n", c.name, oneLine(err.Error()))
			}
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		switch {
		case failed:
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = fmt.Fprintf(w, "%s%s check failed\n", out.Bytes(), name)
		case query.Has("verbose"):
			_, _ = fmt.Fprintf(w, "%s%s check passed\n", out.Bytes(), name)
		default:
			_, _ = w.Write([]byte("ok"))
		}
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
