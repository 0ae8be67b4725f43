package stats

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
)

// protected asks for the user and password, if there is a password. Both are
// compared in constant time, as digests, so that not even their lengths show.
func (s *Server) protected(next http.Handler) http.Handler {
	if s.opts.Password.IsEmpty() {
		return next
	}
	wantUser, wantPassword := sha256.Sum256([]byte(s.opts.User)), sha256.Sum256([]byte(s.opts.Password.Reveal()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, given := r.BasicAuth()
		gotUser, gotPassword := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
		same := subtle.ConstantTimeCompare(wantUser[:], gotUser[:]) & subtle.ConstantTimeCompare(wantPassword[:], gotPassword[:])
		if !given || same != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="HAProxy Statistics"`)
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
