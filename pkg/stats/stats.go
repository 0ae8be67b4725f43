package stats

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"router/pkg/model"
)

// Options are what a Server needs.
type Options struct {
	// User and Password protect everything but the health checks, and so does
	// Reviewer, nil for none. Without both nothing is protected.
	User     string
	Password model.Secret
	Reviewer Reviewer
	Logger   *slog.Logger
	// Gatherer has the metrics that /metrics shows beside those of HAProxy.
	// Nil means none.
	Gatherer prometheus.Gatherer
	// HAProxySocket is the unix socket on which HAProxy serves its statistics
	// page.
	HAProxySocket string
	// Runtime runs a command on the command socket of HAProxy's worker, and
	// returns the answer; an error means that HAProxy cannot be asked now. Nil
	// means that there is no check admin-socket.
	Runtime func(ctx context.Context, command string) (string, error)
	// Collector has the metrics of HAProxy, which /metrics shows as well. Nil
	// means none.
	Collector prometheus.Collector
	// BackendNames gives the backend that a proxy on HAProxy's page stands for,
	// where that is not its name; ok is false for one that stands for none. Nil
	// means that names speak for themselves.
	BackendNames func(proxy string) (backend string, ok bool)
	// NoMetrics takes /metrics away.
	NoMetrics bool
	// NoSocketCheck leaves the check admin-socket out of liveness.
	NoSocketCheck bool
	// Routes reports all routes. Nil means that there are none.
	Routes func(context.Context) ([]model.RouteReport, error)
	// Workers reports the HAProxy workers that reloads replaced. Nil means that
	// there are none.
	Workers func() []model.WorkerReport
	// Ready says, by an error, why routes are not served; it is nil once the
	// first full sync is being served. Nil means always.
	Ready func(context.Context) error
	// Stopping is closed when the router is told to stop, from when on it is
	// not ready. Nil means when the context of Serve ends.
	Stopping <-chan struct{}
	// ProbeURL is asked for readiness: a URL that HAProxy answers itself, on
	// the way that clients take. "" means that it is not asked.
	// ProbeProxyProtocol is whether a line of the PROXY protocol goes before.
	ProbeURL           string
	ProbeProxyProtocol bool
	// TLS serves TLS on the same port, beside plain HTTP. Nil means that only
	// plain HTTP is served. NewCertificate helps to fill it.
	TLS *tls.Config
	// Now tells the time; nil means time.Now.
	Now func() time.Time
}

// Bounds of a request.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	routesTimeout = 10 * time.Second
	stopTimeout   = 5 * time.Second
)

// Server serves the statistics port. As a Handler it answers without one.
type Server struct {
	http.Handler
	opts Options
	http *http.Server
	// synced is whether the router was ready once.
	synced atomic.Bool
	// warned is when a failing Reviewer was last told, in nanoseconds.
	warned atomic.Int64
	// stopping is closed when Serve is to end.
	stopping chan struct{}
}

// New prepares a server. Serve it once.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) error { return nil }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	mux := http.NewServeMux()
	s := &Server{Handler: mux, opts: o, stopping: make(chan struct{})}
	errorLog := slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug)

	s.handleProbe(mux, "/healthz", "healthz", livenessTimeout, s.liveness())
	s.handleProbe(mux, "/healthz/ready", "ready", probeTimeout, s.readiness())
	protect := func(path, subresource string, h http.Handler) { mux.Handle("GET "+path, s.protected(subresource, h)) }
	gatherers := s.gatherers()
	if o.NoMetrics {
		mux.Handle("GET /metrics", http.NotFoundHandler())
	} else {
		protect("/metrics", subresourceMetrics, promhttp.HandlerFor(gatherers, promhttp.HandlerOpts{
			// One metric that cannot be had must not hide the others.
			ErrorHandling: promhttp.ContinueOnError, ErrorLog: errorLog,
		}))
	}
	protect("/api/routes", "", http.HandlerFunc(s.routes))
	protect("/api/workers", "", http.HandlerFunc(s.workers))
	protect("/", "", s.page())
	if !o.Password.IsEmpty() || o.Reviewer != nil {
		protect("/debug/pprof/", subresourceDebug, http.HandlerFunc(pprof.Index))
		protect("/debug/pprof/profile", subresourceDebug, http.HandlerFunc(pprof.Profile))
		protect("/debug/pprof/symbol", subresourceDebug, http.HandlerFunc(pprof.Symbol))
	}
	s.http = &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, ErrorLog: errorLog,
	}
	if o.TLS != nil {
		// HTTP/2 is set up only where it is named.
		s.http.TLSConfig = o.TLS.Clone()
		s.http.TLSConfig.NextProtos = []string{"h2", "http/1.1"}
		if !suitsHTTP2(o.TLS.CipherSuites) {
			s.http.TLSConfig.NextProtos = []string{"http/1.1"}
			s.http.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
		}
	}
	return s
}

// suitsHTTP2 is whether HTTP/2 can be spoken with these cipher suites: RFC 9113
// demands one, without which the HTTP server does not start.
func suitsHTTP2(suites []uint16) bool {
	return suites == nil || slices.Contains(suites, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256) ||
		slices.Contains(suites, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)
}

// handleProbe serves checks together at path and each below it.
func (s *Server) handleProbe(mux *http.ServeMux, path, name string, timeout time.Duration, checks []check) {
	mux.Handle("GET "+path, probe(name, timeout, checks))
	for _, c := range checks {
		mux.Handle("GET "+path+"/"+c.name, probe(c.name, timeout, []check{c}))
	}
}

// gatherers are the metrics of the router, and those of HAProxy.
func (s *Server) gatherers() prometheus.Gatherers {
	var list prometheus.Gatherers
	if s.opts.Gatherer != nil {
		list = append(list, s.opts.Gatherer)
	}
	if s.opts.Collector != nil {
		registry := prometheus.NewRegistry()
		registry.MustRegister(s.opts.Collector)
		list = append(list, registry)
	}
	return list
}

// Serve answers on l until ctx ends; requests that are being answered then
// have a few seconds to finish. It closes l. The error is that of the
// listener, wrapped.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	if s.opts.TLS != nil {
		split := newSplitter(l, s.http.TLSConfig)
		group.Go(func() error { return split.run(ctx) })
		l = split
	}
	group.Go(func() error {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving statistics: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		close(s.stopping)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err := s.http.Shutdown(grace); err != nil {
			return s.http.Close()
		}
		return nil
	})
	return group.Wait()
}

func (s *Server) routes(w http.ResponseWriter, r *http.Request) {
	list := []model.RouteReport{}
	if s.opts.Routes != nil {
		ctx, cancel := context.WithTimeout(r.Context(), routesTimeout)
		defer cancel()
		reports, err := s.opts.Routes(ctx)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		list = append(list, reports...)
	}
	for i := range list {
		if list[i].Servers == nil {
			list[i].Servers = []model.ServerReport{}
		}
	}
	s.json(w, list)
}

func (s *Server) workers(w http.ResponseWriter, _ *http.Request) {
	list := []model.WorkerReport{}
	if s.opts.Workers != nil {
		list = append(list, s.opts.Workers()...)
	}
	s.json(w, list)
}

// json answers with a value.
func (s *Server) json(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		s.opts.Logger.Debug("an answer was not read to its end", "error", err)
	}
}
