package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"router/test/certs"
	"router/test/haproxies"
)

// serviceAccount is the user that deploy/rbac.yaml gives its permissions.
const serviceAccount = "system:serviceaccount:openshift-ingress:router"

// grantRole applies the cluster role of deploy/rbac.yaml.
func (c *cluster) grantRole() {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(haproxies.Root(c.t), "deploy", "rbac.yaml"))
	if err != nil {
		c.t.Fatal(err)
	}
	rbac := c.client.RbacV1()
	for doc := range strings.SplitSeq(string(text), "\n---\n") {
		switch {
		case strings.Contains(doc, "kind: ClusterRoleBinding\n"):
			var b rbacv1.ClusterRoleBinding
			if err = yaml.UnmarshalStrict([]byte(doc), &b); err == nil {
				_, err = rbac.ClusterRoleBindings().Create(c.t.Context(), &b, metav1.CreateOptions{})
			}
		case strings.Contains(doc, "kind: ClusterRole\n"):
			var r rbacv1.ClusterRole
			if err = yaml.UnmarshalStrict([]byte(doc), &r); err == nil {
				_, err = rbac.ClusterRoles().Create(c.t.Context(), &r, metav1.CreateOptions{})
			}
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
}

// letRead lets the router read one secret, as the owner of a route does.
func (c *cluster) letRead(secret string, verbs ...string) {
	c.t.Helper()
	meta := metav1.ObjectMeta{Name: "router-" + secret + "-" + strings.Join(verbs, "-")}
	rbac := c.client.RbacV1()
	_, err := rbac.Roles(namespace).Create(c.t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{secret}, Verbs: verbs},
	}}, metav1.CreateOptions{})
	if err == nil {
		_, err = rbac.RoleBindings(namespace).Create(c.t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "openshift-ingress", Name: "router"}},
		}, metav1.CreateOptions{})
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// secret makes a secret with a certificate, or changes it.
func (c *cluster) secret(name string, p certs.Pair) {
	c.t.Helper()
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{corev1.TLSCertKey: []byte(p.Cert), corev1.TLSPrivateKeyKey: []byte(p.Key)},
	}
	_, err := c.client.CoreV1().Secrets(namespace).Update(c.t.Context(), s, metav1.UpdateOptions{})
	if err != nil {
		_, err = c.client.CoreV1().Secrets(namespace).Create(c.t.Context(), s, metav1.CreateOptions{})
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// says is an error unless the condition of a route has the status, the reason
// and all parts of the message.
func (c *cluster) says(name string, kind routev1.RouteIngressConditionType, want corev1.ConditionStatus, reason string, parts ...string) error {
	r, err := c.routes.Get(c.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, i := range r.Status.Ingress {
		for _, cond := range i.Conditions {
			ok := i.RouterName == "public" && cond.Type == kind && cond.Status == want && cond.Reason == reason
			for _, part := range parts {
				ok = ok && strings.Contains(cond.Message, part)
			}
			if ok {
				return nil
			}
		}
	}
	return fmt.Errorf("status of %s is %+v", name, r.Status)
}

// secretWatches is how many watches of secrets the API server serves.
func (c *cluster) secretWatches() (int, error) {
	text, err := c.client.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(c.t.Context())
	if err != nil {
		return 0, err
	}
	watches := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "apiserver_longrunning_requests{") && strings.Contains(line, `resource="secrets"`) {
			n := 0
			if _, err := fmt.Sscan(line[strings.LastIndex(line, " ")+1:], &n); err != nil {
				return 0, err
			}
			watches += n
		}
	}
	return watches, nil
}

// testSecrets runs a router with no more permissions than deploy/ gives it:
// it reads a secret once the secret's owner lets it.
func (c *cluster) testSecrets(haproxy string) {
	t, ctx := c.t, c.t.Context()
	c.grantRole()
	ca := authority(t)
	first, second, third := pair(t, ca, "first", "own.test"), pair(t, ca, "second", "own.test"), pair(t, ca, "third", "closed.test")
	external := func(secret string) *routev1.TLSConfig {
		return &routev1.TLSConfig{Termination: routev1.TLSTerminationEdge, ExternalCertificate: &routev1.LocalObjectReference{Name: secret}}
	}
	c.secret("own", first)
	c.secret("closed", third)
	c.letRead("own", "get", "list", "watch")
	c.letRead("closed", "get")
	c.letRead("absent", "get", "list", "watch")
	for _, name := range []string{"own", "closed", "absent"} {
		c.route(name, name+".test", "plain", external(name))
		defer func() { _ = c.routes.Delete(context.Background(), name, metav1.DeleteOptions{}) }()
	}
	before, err := c.secretWatches()
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, haproxy, "--config", c.Kubeconfig, "--as", serviceAccount)

	// The secrets have been read before the router says that it is ready.
	if err := r.shows("own.test", "first", "plain-1"); err != nil {
		t.Error(err)
	}
	const failed = "ExternalCertificateValidationFailed"
	no := func(verb string) string {
		return "spec.tls.externalCertificate: Forbidden: router serviceaccount does not have permission to " + verb + " this secret"
	}
	eventually(t, "a secret that may not be read is reported", func() error {
		return c.says("closed", routev1.RouteAdmitted, corev1.ConditionFalse, failed, no("list"), no("watch"))
	})
	if c.says("closed", routev1.RouteAdmitted, corev1.ConditionFalse, failed, no("get")) == nil {
		t.Error("a permission that the router has is said to be lacking")
	}
	eventually(t, "an absent secret is reported", func() error {
		return c.says("absent", routev1.RouteAdmitted, corev1.ConditionFalse, failed, `Not found: "absent"`)
	})
	for _, name := range []string{"closed", "absent"} {
		if err := r.status("https://"+name+".test/", 503); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "one watch for each secret that may be read", func() error {
		if now, err := c.secretWatches(); err != nil || now-before != 2 {
			return fmt.Errorf("%d watches, %v", now-before, err) //nolint:errorlint // mostly there is none
		}
		return nil
	})
	// A new permission is noticed without anybody saying so.
	c.letRead("closed", "list", "watch")
	within(t, time.Minute, "the secret that may be read is", func() error { return r.shows("closed.test", "third", "plain-1") })
	eventually(t, "its route is admitted", func() error { return c.admitted("closed", corev1.ConditionTrue, "") })

	eventually(t, "the route is admitted", func() error { return c.admitted("own", corev1.ConditionTrue, "") })
	c.rotate(r, first, second, third)

	if err := c.routes.Delete(ctx, "own", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.edit("closed", func(route *routev1.Route) { route.Spec.TLS.ExternalCertificate.Name = "absent" })
	eventually(t, "secrets that nobody refers to are not watched any longer", func() error {
		if now, err := c.secretWatches(); err != nil || now-before != 1 {
			return fmt.Errorf("%d watches, %v", now-before, err) //nolint:errorlint // mostly there is none
		}
		return nil
	})
}

// certificateReloads is how many reloads there were for a reason that a change
// of a certificate may bring. Routes that were made before may still bring one
// for themselves.
func (r *router) certificateReloads() (float64, error) {
	var sum float64
	for _, reason := range []string{"payload-too-large", "command-failed", "drift"} {
		n, err := r.metric(`router_reloads_total{reason="` + reason + `"`)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// rotate changes, breaks and deletes the secret of route own.
func (c *cluster) rotate(r *router, first, second, third certs.Pair) {
	t := c.t
	reloads, err := r.certificateReloads()
	if err != nil {
		t.Fatal(err)
	}
	route, err := c.routes.Get(t.Context(), "own", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.secret("own", second)
	within(t, 5*time.Second, "the secret's new certificate is served", func() error { return r.shows("own.test", "second", "plain-1") })
	if now, err := c.routes.Get(t.Context(), "own", metav1.GetOptions{}); err != nil || now.ResourceVersion != route.ResourceVersion {
		t.Errorf("a new certificate is no news about the route, but something was written: %v", err)
	}
	c.secret("own", certs.Pair{Cert: first.Cert, Key: third.Key})
	eventually(t, "a broken secret is reported", func() error {
		return c.says("own", routev1.RouteAdmitted, corev1.ConditionTrue, "ExtendedValidationFailed", "does not match public key; the last good certificate is served")
	})
	if err := c.says("own", "Degraded", corev1.ConditionTrue, "SecretNotUsable", "spec.tls.externalCertificate: "); err != nil {
		t.Error(err)
	}
	if err := r.shows("own.test", "second", "plain-1"); err != nil {
		t.Errorf("with a broken secret: %v", err)
	}
	if err := c.client.CoreV1().Secrets(namespace).Delete(t.Context(), "own", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a deleted secret is reported", func() error {
		return c.says("own", routev1.RouteAdmitted, corev1.ConditionTrue, "ExternalCertificateSecretDeleted", `secret "own" deleted for route "default/own"`)
	})
	if err := r.shows("own.test", "second", "plain-1"); err != nil {
		t.Errorf("without its secret: %v", err)
	}
	c.secret("own", first)
	eventually(t, "the certificate of the secret that is back is served", func() error { return r.shows("own.test", "first", "plain-1") })
	eventually(t, "and all is well again", func() error { return c.admitted("own", corev1.ConditionTrue, "") })
	if after, err := r.certificateReloads(); err != nil || after != reloads {
		t.Errorf("certificates took %v reloads, %v", after-reloads, err)
	}
}
