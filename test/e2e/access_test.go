package e2e

import (
	"net/http"
	"testing"
)

// testTokens asks for metrics with bearer tokens.
func (c *cluster) testTokens(t *testing.T, r *router) {
	t.Helper()
	for token, want := range map[string]int{c.Config.BearerToken: http.StatusOK, "nobody's": http.StatusUnauthorized} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.Stats+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%q: status %d, want %d", token, response.StatusCode, want)
		}
	}
}
