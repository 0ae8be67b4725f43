package authz_test

import (
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

	"router/pkg/authz"
	"router/pkg/model"
	"router/pkg/stats"
	"router/test/kubetest"
)

const (
	namespace = "default"
	role      = "router-metrics"
)

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

// TestTokens asks the statistics port with tokens that a real API server knows.
func TestTokens(t *testing.T) {
	cluster := kubetest.Start(t, kubetest.Options{})
	client := kubernetes.NewForConfigOrDie(cluster.Config)
	ctx := t.Context()
	scraper, stranger := account(t, client, "scraper"), account(t, client, "stranger")
	if _, err := client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: role},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{"route.openshift.io"}, Resources: []string{"routers/metrics"}, ResourceNames: []string{"internal"}, Verbs: []string{"get"},
		}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "scraper"}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	var later atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	server := func(router string, password model.Secret) http.Handler {
		reviewer, err := authz.New(authz.Options{Config: cluster.Config, RouterName: router, Now: now})
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
	check("an administrator of the cluster", internal, "/debug/pprof/", 200, "", cluster.Config.BearerToken)
	check("a token of nobody", internal, "/metrics", 401, "Unauthorized", "x.y.z")
	check("nobody", internal, "/metrics", 401, "Unauthorized")
	check("health", internal, "/healthz", 200, "ok")
	check("no password is set", open, "/metrics", 401, "Unauthorized", "admin", "")
	check("no password is set, an account that may", open, "/metrics", 200, "", scraper)
	check("no password is set, nobody", open, "/", 401, "Unauthorized")

	// What was allowed is taken back, and is noticed when the answers are old.
	if err := client.RbacV1().ClusterRoleBindings().Delete(ctx, role, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the API server knows", func() bool {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil)
		r.Header.Set("Authorization", "Bearer "+scraper)
		w := httptest.NewRecorder()
		server("internal", model.Secret{}).ServeHTTP(w, r)
		return w.Code == http.StatusForbidden
	})
	check("what is known still counts", internal, "/metrics", 200, "", scraper)
	later.Add(int64(2*time.Minute + time.Second))
	check("what is old does not", internal, "/metrics", 403, "Forbidden", scraper)

	cluster.StopAPIServer()
	check("what is known counts without the API server", internal, "/metrics", 403, "Forbidden", scraper)
	later.Add(int64(time.Minute))
	check("nobody knows", internal, "/metrics", 500, "API server", scraper)
	check("the password counts always", internal, "/metrics", 200, "", "admin", "secret")
	check("who brings nothing is asked", internal, "/metrics", 401, "Unauthorized")
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, try func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !try() {
		select {
		case <-deadline:
			t.Fatalf("not: %s", what)
		case <-ticker.C:
		}
	}
}
