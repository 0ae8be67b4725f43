package stats

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// pageTimeout bounds the wait for HAProxy to begin its statistics page.
const pageTimeout = 30 * time.Second

// page passes requests on to HAProxy's statistics page: "/" and its variants,
// which HAProxy tells by what follows a semicolon, such as "/;csv".
func (s *Server) page() http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "haproxy"})
			r.Out.Header.Del("Authorization")
		},
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", s.opts.HAProxySocket)
			},
			// A kept connection would hold an old worker back at a reload.
			DisableKeepAlives: true, DisableCompression: true, ResponseHeaderTimeout: pageTimeout,
		},
		ModifyResponse: func(r *http.Response) error {
			filterPage(r, s.opts.BackendNames)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			s.opts.Logger.Debug("haproxy's statistics page does not answer", "error", err)
			http.Error(w, "HAProxy is not running.", http.StatusServiceUnavailable)
		},
		ErrorLog: slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" && !strings.HasPrefix(r.URL.Path, "/;") {
			http.NotFound(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	})
}
