package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"

	"router/pkg/options"
	"router/pkg/source"
)

func TestTheRoutersOwnNamespace(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "namespace")
	if err := os.WriteFile(file, []byte("routers\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, variable, file, want string }{
		{"the variable comes first", "ingress", file, "ingress"},
		{"the service account's", "", file, "routers"},
		{"outside of a cluster", "", filepath.Join(dir, "none"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("POD_NAMESPACE", tt.variable)
			if got, err := ownNamespace(tt.file); err != nil || got != tt.want {
				t.Errorf("namespace is %q, %v, want %q", got, err, tt.want)
			}
		})
	}
	t.Setenv("POD_NAMESPACE", "")
	if got, err := ownNamespace(dir); err == nil {
		t.Errorf("a directory is the namespace %q", got)
	}
}

// lines is a log whose lines can be waited for.
type lines chan string

// Write implements io.Writer.
func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// An API server that lets nobody use the Lease is asked for the right one, and
// what that means is logged.
func TestTheReplicasAskForTheLeaseOfTheirNamespace(t *testing.T) {
	t.Setenv("POD_NAMESPACE", "ingress")
	asked := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.URL.Path
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`)
	}))
	defer server.Close()
	log := make(lines, 100)
	var s objectSource
	err := s.writeStatuses(options.Options{Name: "public"}, &rest.Config{Host: server.URL}, source.Selection{}, prometheus.NewRegistry(), slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	var running sync.WaitGroup
	running.Go(func() { s.elect(ctx) })
	defer running.Wait()
	defer cancel()
	if got := <-asked; got != "GET /apis/coordination.k8s.io/v1/namespaces/ingress/leases/router-status-public" {
		t.Errorf("the API server is asked: %s", got)
	}
	select {
	case <-ctx.Done():
		t.Error("nothing is logged")
	case line := <-log:
		if !strings.Contains(line, "level=WARN") || !strings.Contains(line, "deploy/rbac.yaml") {
			t.Errorf("the log says %s", line)
		}
	}
}

func TestOutsideOfAClusterThereIsNoElection(t *testing.T) {
	t.Setenv("POD_NAMESPACE", "")
	if _, err := os.Stat(serviceAccountNamespace); err == nil {
		t.Skip("this is a pod")
	}
	var s objectSource
	err := s.writeStatuses(options.Options{Name: "public"}, &rest.Config{Host: "http://127.0.0.1"}, source.Selection{}, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil || s.elect != nil || s.writer == nil {
		t.Errorf("%v, election %v, writer %v", err, s.elect != nil, s.writer != nil)
	}
}
