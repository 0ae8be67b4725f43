// Package stats serves port 1936: health and readiness for probes, metrics,
// HAProxy's own statistics page, and what the router says of its routes.
package stats

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"router/pkg/model"
)

// Options are what a Server needs.
type Options struct {
	// User and Password protect everything but the health checks.
	User     string
	Password model.Secret
	// HAProxySocket is the unix socket on which HAProxy serves its page.
	HAProxySocket string
	Gatherer      prometheus.Gatherer
	// Routes reports the routes.
	Routes func(context.Context) ([]model.RouteReport, error)
	// Alive and Ready say, by an error, why the router is not.
	Alive, Ready func(context.Context) error
	Logger       *slog.Logger
}

// Server serves the statistics port.
type Server struct {
	opts Options
	http *http.Server
}

// Bounds of a request.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	checkTimeout  = 5 * time.Second
	stopTimeout   = 5 * time.Second
)

// New prepares a server.
func New(o Options) *Server {
	s := &Server{opts: o}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.check(o.Alive))
	mux.HandleFunc("GET /healthz/ready", s.check(o.Ready))
	mux.Handle("GET /metrics", s.protected(promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{})))
	mux.Handle("GET /api/routes", s.protected(http.HandlerFunc(s.routes)))
	mux.Handle("GET /", s.protected(s.page()))
	s.http = &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	return s
}

// Serve answers on l until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		_ = s.http.Shutdown(grace)
	}()
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving statistics: %w", err)
	}
	<-stopped
	return nil
}

// check answers a probe.
func (s *Server) check(test func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
		defer cancel()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if err := test(ctx); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = fmt.Fprintf(w, "not ok: %s\n", err)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	}
}

// protected asks for the user and password. Both are compared in constant
// time, as digests, so that not even their lengths show.
func (s *Server) protected(next http.Handler) http.Handler {
	wantUser, wantPassword := sha256.Sum256([]byte(s.opts.User)), sha256.Sum256([]byte(s.opts.Password.Reveal()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		gotUser, gotPassword := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
		if subtle.ConstantTimeCompare(wantUser[:], gotUser[:])&subtle.ConstantTimeCompare(wantPassword[:], gotPassword[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="HAProxy Statistics"`)
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// page passes requests on to HAProxy's statistics page.
func (s *Server) page() http.Handler {
	target := &url.URL{Scheme: "http", Host: "haproxy"}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Authorization")
		},
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", s.opts.HAProxySocket)
			},
			DisableKeepAlives: true, ResponseHeaderTimeout: idleTimeout,
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			s.opts.Logger.Debug("haproxy's statistics page does not answer", "error", err)
			http.Error(w, "HAProxy is not running.", http.StatusServiceUnavailable)
		},
		ErrorLog: slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
}

func (s *Server) routes(w http.ResponseWriter, r *http.Request) {
	list, err := s.opts.Routes(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(list)
}
