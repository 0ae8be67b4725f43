// Package pods has the applications that tests and samples route to: servers
// in this process that tell what they were asked.
package pods

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

// Echo is the answer of a pod to a plain request.
type Echo struct {
	Pod     string      `json:"pod"`
	Method  string      `json:"method"`
	Host    string      `json:"host"`
	Path    string      `json:"path"`
	Query   string      `json:"query,omitempty"`
	Proto   string      `json:"proto"`
	Remote  string      `json:"remote"`
	Headers http.Header `json:"headers"`
}

// Handler answers as the pod of that name: /ws echoes WebSocket messages,
// /slow?ms=N waits before it answers, /status/N answers with that status,
// everything else tells the request.
func Handler(pod string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) { echoMessages(pod, w, r) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		ms, _ := strconv.Atoi(r.URL.Query().Get("ms"))
		select {
		case <-time.After(time.Duration(ms) * time.Millisecond):
			tell(pod, w, r)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		if code, err := strconv.Atoi(r.PathValue("code")); err == nil && code >= 200 && code < 600 {
			w.WriteHeader(code)
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { tell(pod, w, r) })
	return mux
}

func tell(pod string, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Pod", pod)
	_ = json.NewEncoder(w).Encode(Echo{
		Pod: pod, Method: r.Method, Host: r.Host, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
		Proto: r.Proto, Remote: r.RemoteAddr, Headers: r.Header,
	})
}

func echoMessages(pod string, w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, append([]byte(pod+": "), message...)); err != nil {
			return
		}
	}
}

// Server is a running pod.
type Server struct {
	http *http.Server
	addr net.Addr
}

// Serve answers on l as the pod of that name until Close. With a config, TLS
// is spoken; without, HTTP/1.1 and HTTP/2 without TLS.
func Serve(l net.Listener, pod string, config *tls.Config) *Server {
	// Connections that say nothing are health checks, and no error.
	silent := log.New(io.Discard, "", 0)
	s := &Server{http: &http.Server{Handler: Handler(pod), ReadHeaderTimeout: 10 * time.Second, ErrorLog: silent}, addr: l.Addr()}
	s.http.Protocols = new(http.Protocols)
	s.http.Protocols.SetHTTP1(true)
	if config == nil {
		s.http.Protocols.SetUnencryptedHTTP2(true)
		go func() { _ = s.http.Serve(l) }()
		return s
	}
	s.http.Protocols.SetHTTP2(true)
	s.http.TLSConfig = config.Clone() // The server changes it.
	go func() { _ = s.http.ServeTLS(l, "", "") }()
	return s
}

// Addr is where the pod answers.
func (s *Server) Addr() net.Addr { return s.addr }

// Close ends the pod at once, with its connections.
func (s *Server) Close() { _ = s.http.Close() }
