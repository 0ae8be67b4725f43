package certificates

import (
	"strings"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"router/pkg/controller/admission"
	"router/pkg/controller/routes"
	"router/pkg/source"
	"router/test/certs"
)

// lab is a store with one secret after the other, and one route.
type lab struct {
	*Provider
	store    *source.Store
	awaited  bool
	route    *routev1.Route
	unusable int
}

func newLab() *lab {
	l := &lab{store: source.NewStore(source.Selection{})}
	l.route = &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "r", UID: "1"}}
	l.route.Spec.TLS = &routev1.TLSConfig{Termination: routev1.TLSTerminationEdge, ExternalCertificate: &routev1.LocalObjectReference{Name: "s"}}
	o := admission.Options{Validate: true, Now: time.Now}
	l.Provider = New(Options{
		Secrets: l.store, Pending: func(string, string) bool { return l.awaited },
		Unservable: func(tls *routev1.TLSConfig) error { l.unusable++; return o.Unservable(tls) },
	})
	return l
}

func (l *lab) set(c source.Change) {
	c.Key = source.Key{Kind: source.KindSecret, Namespace: "n", Name: "s"}
	l.store.Apply(c)
}

func secret(p certs.Pair) source.Change {
	return source.Change{Object: &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "s"}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{"tls.crt": []byte(p.Cert), "tls.key": []byte(p.Key)},
	}}
}

func issue(t *testing.T) (certs.Pair, *certs.Authority) {
	t.Helper()
	a, err := certs.NewAuthority("ca")
	if err != nil {
		t.Fatal(err)
	}
	p, err := a.Issue("a.test")
	if err != nil {
		t.Fatal(err)
	}
	return p, a
}

func TestASecretThatCannotBeUsed(t *testing.T) {
	good, ca := issue(t)
	other, foreign := issue(t)
	wide, err := ca.IssueRSA(4224, "a.test")
	if err != nil {
		t.Fatal(err)
	}
	const failed = admission.ExternalCertificateValidationFailed
	tests := []struct {
		name    string
		change  source.Change
		awaited bool
		edit    func(*routev1.Route)
		reason  admission.Reason
		message string
		// afterGood are those of a route that had a good certificate before.
		afterGood admission.Reason
	}{
		{name: "missing", reason: failed, message: `spec.tls.externalCertificate: Not found: "s"`, afterGood: admission.ExternalCertificateSecretDeleted},
		{name: "awaited", awaited: true, change: source.Change{Absence: source.Forgotten}, reason: admission.ExternalCertificateGetFailed, message: `secret "s" has not been read yet`},
		{
			name: "forbidden", change: source.Change{Absence: source.Forbidden, Detail: "get,list"}, reason: failed, afterGood: failed,
			message: "[spec.tls.externalCertificate: Forbidden: router serviceaccount does not have permission to get this secret, spec.tls.externalCertificate: Forbidden: router serviceaccount does not have permission to list this secret]",
		},
		{name: "forbidden for whatever reason", change: source.Change{Absence: source.Forbidden}, reason: failed, afterGood: failed, message: "permission to watch this secret"},
		{name: "unreadable", change: source.Change{Absence: source.Unreadable, Detail: "InternalError"}, reason: failed, afterGood: failed, message: "spec.tls.externalCertificate: Internal error: the secret could not be read: InternalError"},
		{
			name: "of another type", change: source.Change{Object: &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Type: corev1.SecretTypeOpaque}},
			reason: failed, afterGood: failed, message: `spec.tls.externalCertificate: Invalid value: "s": secret of type "kubernetes.io/tls" required`,
		},
		{name: "without a certificate", change: secret(certs.Pair{Key: good.Key}), reason: admission.ExternalCertificateGetFailed, message: "the secret has no tls.crt", afterGood: admission.ExternalCertificateGetFailed},
		{name: "with another key", change: secret(certs.Pair{Cert: good.Cert, Key: other.Key}), afterGood: admission.ExtendedValidationFailed},
		{name: "with a key that costs too much", change: secret(wide), afterGood: admission.ExtendedValidationFailed},
		{name: "that does not belong to the route's CA", change: secret(good), edit: func(r *routev1.Route) { r.Spec.TLS.CACertificate = foreign.PEM }, afterGood: admission.ExtendedValidationFailed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bad := func(l *lab) routes.SecretCertificate {
				l.set(tt.change)
				l.awaited = tt.awaited
				if tt.edit != nil {
					tt.edit(l.route)
				}
				return l.OfRoute(l.route)
			}
			e := bad(newLab())
			if e.Reason != tt.reason || !strings.Contains(e.Message, tt.message) {
				t.Errorf("a route that never had a certificate gets %s %q, want %s %q", e.Reason, e.Message, tt.reason, tt.message)
			}
			// Without a reason, admission checks the contents.
			if (e.Certificate == "") != (tt.reason != "") {
				t.Errorf("contents %q with the reason %s", e.Certificate, e.Reason)
			}

			l := newLab()
			l.set(secret(good))
			if e := l.OfRoute(l.route); e.Certificate != good.Cert || e.Key != good.Key || e.Reason != "" {
				t.Fatalf("a good secret: %+v", e)
			}
			e = bad(l)
			if e.Certificate != good.Cert || e.Key != good.Key || e.Reason != tt.afterGood || (e.Reason != "") != strings.HasSuffix(e.Message, lastServed) {
				t.Errorf("a route that had a certificate gets %+v, want the last good one and %s", e, tt.afterGood)
			}
		})
	}
}

func TestWhatIsRememberedBelongsToOneRoute(t *testing.T) {
	good, _ := issue(t)
	for name, change := range map[string]func(*lab){
		"made again": func(l *lab) { l.route.UID = types.UID("2") },
		"forgotten":  func(l *lab) { l.Forget(source.Key{Kind: source.KindRoute, Namespace: "n", Name: "r"}) },
	} {
		l := newLab()
		l.set(secret(good))
		l.OfRoute(l.route)
		change(l)
		l.set(source.Change{})
		if e := l.OfRoute(l.route); e.Certificate != "" || e.Reason == "" {
			t.Errorf("a route that was %s gets %+v", name, e)
		}
	}
}

func TestAPairIsCheckedOnce(t *testing.T) {
	good, ca := issue(t)
	l := newLab()
	l.set(secret(good))
	for range 5 {
		l.OfRoute(l.route)
	}
	if l.unusable != 1 {
		t.Errorf("checked %d times", l.unusable)
	}
	l.route.Spec.TLS.CACertificate = ca.PEM
	if e := l.OfRoute(l.route); e.Certificate != good.Cert || e.Reason != "" || l.unusable != 2 {
		t.Errorf("with the authority's certificate: %+v, checked %d times", e, l.unusable)
	}
}
