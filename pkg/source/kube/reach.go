package kube

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// reach notes whether requests reach the API server at all. Informers try
// again without a word when a connection is refused, so nobody else would say.
type reach struct {
	logger *slog.Logger

	mu     sync.Mutex
	lost   bool
	logged time.Time
}

// wrap watches the requests that go through next.
func (r *reach) wrap(next http.RoundTripper) http.RoundTripper { return watched{next, r} }

type watched struct {
	next http.RoundTripper
	*reach
}

// RoundTrip implements http.RoundTripper.
func (r watched) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(req)
	if errors.Is(err, context.Canceled) {
		return resp, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil && r.lost:
		r.lost = false
		r.logger.Info("the cluster is reached again")
	case err != nil && time.Since(r.logged) > repeatAfter:
		r.lost, r.logged = true, time.Now()
		r.logger.Error("the cluster cannot be reached; it is tried again, and what was seen last is served", "error", err)
	}
	return resp, err
}
