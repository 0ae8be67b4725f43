package e2e

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"router/pkg/authz"
	"router/pkg/model"
	"router/pkg/stats"
)

// metricsRole is the role of those who may ask for metrics.
const metricsRole = "router-metrics"

// account makes a service account and a token of it.
func account(t *testing.T, client kubernetes.Interface, name string) string {
	t.Helper()
	accounts := client.CoreV1().ServiceAccounts(namespace)
	if _, err := accounts.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	answer, err := accounts.CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Status.Token
}

// cut is a connection to the API server that can be cut.
type cut struct {
	http.RoundTripper
	off *atomic.Bool
}

// RoundTrip implements http.RoundTripper.
func (c cut) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.off.Load() {
		return nil, errors.New("the API server cannot be reached")
	}
	return c.RoundTripper.RoundTrip(r)
}

// testAuthorization asks the statistics port with tokens that a real API server
// knows.
func (c *cluster) testAuthorization(t *testing.T) {
	client, ctx := c.client, t.Context()
	var unreachable atomic.Bool
	config := rest.CopyConfig(c.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return cut{next, &unreachable} })
	scraper, stranger := account(t, client, "scraper"), account(t, client, "stranger")
	if _, err := client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: metricsRole},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{"route.openshift.io"}, Resources: []string{"routers/metrics"}, ResourceNames: []string{"internal"}, Verbs: []string{"get"},
		}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: metricsRole}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: metricsRole},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "scraper"}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	var later atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	server := func(router string, password model.Secret) http.Handler {
		reviewer, err := authz.New(authz.Options{Config: config, RouterName: router, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return stats.New(stats.Options{
			User: "admin", Password: password, Reviewer: reviewer, Gatherer: prometheus.NewRegistry(), Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		})
	}
	internal, other, open := server("internal", model.NewSecret("secret")), server("other", model.NewSecret("secret")), server("internal", model.Secret{})

	check := func(what string, h http.Handler, path string, code int, body string, credentials ...string) {
		t.Helper()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
		switch len(credentials) {
		case 1:
			r.Header.Set("Authorization", "Bearer "+credentials[0])
		case 2:
			r.SetBasicAuth(credentials[0], credentials[1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != code || !strings.Contains(w.Body.String(), body) {
			t.Errorf("%s: %s is %d %q, want %d %q", what, path, w.Code, w.Body, code, body)
		}
		if asked := w.Header().Values("WWW-Authenticate"); (len(asked) > 0) != (code == 401) {
			t.Errorf("%s: %s is %d and asks for %q", what, path, w.Code, asked)
		}
	}
	check("the password", internal, "/metrics", 200, "", "admin", "secret")
	check("a wrong password", internal, "/metrics", 401, "Unauthorized", "admin", "x")
	check("an account that may", internal, "/metrics", 200, "", scraper)
	check("an account that may, once more", internal, "/metrics", 200, "", scraper)
	check("an account that may not do this", internal, "/debug/pprof/", 403, "Forbidden", scraper)
	check("an account that may not do this", internal, "/api/routes", 403, "Forbidden", scraper)
	check("an account that may for another router", other, "/metrics", 403, "Forbidden", scraper)
	check("an account that may not", internal, "/metrics", 403, "Forbidden", stranger)
	check("an administrator of the cluster", internal, "/debug/pprof/", 200, "", c.Config.BearerToken)
	check("a token of nobody", internal, "/metrics", 401, "Unauthorized", "x.y.z")
	check("nobody", internal, "/metrics", 401, "Unauthorized")
	check("health", internal, "/healthz", 200, "ok")
	check("no password is set", open, "/metrics", 401, "Unauthorized", "admin", "")
	check("no password is set, an account that may", open, "/metrics", 200, "", scraper)
	check("no password is set, nobody", open, "/", 401, "Unauthorized")

	// What was allowed is taken back, and is noticed when the answers are old.
	if err := client.RbacV1().ClusterRoleBindings().Delete(ctx, metricsRole, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the API server knows", func() error {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil)
		r.Header.Set("Authorization", "Bearer "+scraper)
		w := httptest.NewRecorder()
		server("internal", model.Secret{}).ServeHTTP(w, r)
		if w.Code != http.StatusForbidden {
			return fmt.Errorf("status %d", w.Code)
		}
		return nil
	})
	check("what is known still counts", internal, "/metrics", 200, "", scraper)
	later.Add(int64(2*time.Minute + time.Second))
	check("what is old does not", internal, "/metrics", 403, "Forbidden", scraper)

	unreachable.Store(true)
	check("what is known counts without the API server", internal, "/metrics", 403, "Forbidden", scraper)
	later.Add(int64(time.Minute))
	check("nobody knows", internal, "/metrics", 500, "API server", scraper)
	check("the password counts always", internal, "/metrics", 200, "", "admin", "secret")
	check("who brings nothing is asked", internal, "/metrics", 401, "Unauthorized")
}

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
