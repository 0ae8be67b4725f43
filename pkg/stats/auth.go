package stats

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"
)

// Reviewer decides about requests without a password.
type Reviewer interface {
	// Review says whether the bearer of a token may do something: verb is one
	// of Kubernetes, such as get; subresource is metrics, debug or "" for the
	// rest. The token "" is that of anybody. An error means that nobody knows.
	Review(ctx context.Context, token, verb, subresource string) (Decision, error)
}

// Decision is what a Reviewer says of one request.
type Decision struct {
	// Authenticated is whether the token is somebody's, Allowed whether that
	// one may.
	Authenticated, Allowed bool
	// Reason is why not, or why, where that is known.
	Reason string
}

// The subresources that access is about.
const (
	subresourceMetrics = "metrics"
	subresourceDebug   = "debug"
)

// protected asks for the user and password, or else lets the reviewer decide.
// Where there is neither a password nor a reviewer, nothing is protected.
//
// User and password are compared in constant time, as digests, so that not
// even their lengths show.
func (s *Server) protected(subresource string, next http.Handler) http.Handler {
	if s.opts.Password.IsEmpty() && s.opts.Reviewer == nil {
		return next
	}
	wantUser, wantPassword := sha256.Sum256([]byte(s.opts.User)), sha256.Sum256([]byte(s.opts.Password.Reveal()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, given := r.BasicAuth()
		gotUser, gotPassword := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
		same := subtle.ConstantTimeCompare(wantUser[:], gotUser[:]) & subtle.ConstantTimeCompare(wantPassword[:], gotPassword[:])
		switch {
		case given && !s.opts.Password.IsEmpty() && same == 1:
			next.ServeHTTP(w, r)
		case given && !s.opts.Password.IsEmpty(), s.opts.Reviewer == nil:
			s.challenge(w)
		default:
			s.review(w, r, subresource, next)
		}
	})
}

// challenge asks for credentials.
func (s *Server) challenge(w http.ResponseWriter) {
	if !s.opts.Password.IsEmpty() {
		w.Header().Add("WWW-Authenticate", `Basic realm="HAProxy Statistics"`)
	}
	if s.opts.Reviewer != nil {
		w.Header().Add("WWW-Authenticate", `Bearer`)
	}
	http.Error(w, "Unauthorized", http.StatusUnauthorized)
}

// review lets the reviewer decide. Somebody without a token who may not is
// asked for credentials, so that a browser shows its form.
func (s *Server) review(w http.ResponseWriter, r *http.Request, subresource string, next http.Handler) {
	token := bearerToken(r)
	decision, err := s.opts.Reviewer.Review(r.Context(), token, "get", subresource)
	if err != nil && s.warnAgain() {
		s.opts.Logger.Warn("who may use the statistics port cannot be asked", "error", err)
	}
	switch {
	case err == nil && decision.Authenticated && decision.Allowed:
		next.ServeHTTP(w, r)
	case token == "":
		s.challenge(w)
	case err != nil:
		http.Error(w, "The API server cannot be asked who may do this.", http.StatusInternalServerError)
	case !decision.Authenticated:
		s.challenge(w)
	default:
		http.Error(w, strings.TrimSpace("Forbidden: "+decision.Reason), http.StatusForbidden)
	}
}

// warnAgain is true at most once a minute, so that strangers cannot fill the log.
func (s *Server) warnAgain() bool {
	now, last := time.Now().UnixNano(), s.warned.Load()
	return now-last >= int64(time.Minute) && s.warned.CompareAndSwap(last, now)
}

// bearerToken is the token of RFC 6750, section 2.1; "" if there is none.
func bearerToken(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
