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
	"time"
)

// probeTimeout bounds each check of a probe.
const probeTimeout = 2 * time.Second

// check is one thing that a probe looks at.
type check struct {
	name string
	test func(context.Context) error
}

// liveness are the checks of /healthz: whether a restart would help.
//
// The path that clients take is no part of it, since a router whose
// connections are all in use would be restarted, to the harm of those.
func (s *Server) liveness() []check {
	list := []check{{"controller", s.opts.Alive}}
	if s.opts.Runtime != nil && !s.opts.NoSocketCheck {
		list = append(list, check{"admin-socket", s.adminSocket})
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
func probe(name string, checks []check) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		var out bytes.Buffer
		failed := false
		for _, c := range checks {
			if slices.Contains(query["exclude"], c.name) {
				_, _ = fmt.Fprintf(&out, "[+]%s excluded: ok\n", c.name)
				continue
			}
			ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
			err := c.test(ctx)
			cancel()
			if err != nil {
				failed = true
				_, _ = fmt.Fprintf(&out, "[-]%s failed: %s\n", c.name, oneLine(err.Error()))
			} else {
				_, _ = fmt.Fprintf(&out, "[+]%s ok\n", c.name)
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
