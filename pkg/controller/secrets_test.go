package controller

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"router/pkg/controller/admission"
	"router/pkg/controller/status"
	"router/pkg/model"
	"router/pkg/source"
	"router/test/certs"
)

// neighbours are what a controller talks to. They note what they are asked.
type neighbours struct {
	// observed counts the statuses that were shown.
	observed int
	queue    *source.Queue
	applied  []model.Change
	said     []string
	// outcome is what becomes of changes.
	outcome model.Outcome
	// desired are the last statuses that were asked for; the mutex is for tests
	// that look at them while time passes.
	mu       sync.Mutex
	desired  map[model.RouteKey]status.Desired
	followed []string
}

func (n *neighbours) Apply(_ context.Context, c model.Change) (model.Outcome, error) {
	n.applied = append(n.applied, c)
	return n.outcome, nil
}

func (n *neighbours) Converge(context.Context) (model.Outcome, error) {
	return model.Outcome{}, nil
}
func (n *neighbours) Verify(context.Context) (model.Outcome, error) { return model.Outcome{}, nil }
func (n *neighbours) Exited() <-chan struct{}                       { return nil }
func (n *neighbours) Stop(context.Context) error                    { return nil }
func (n *neighbours) Observe(*routev1.Route)                        { n.observed++ }
func (n *neighbours) Set(d status.Desired) {
	n.mu.Lock()
	n.desired[d.Key] = d
	n.mu.Unlock()
	n.say(d.Key, "admitted", d.Admitted, d.Reason)
}

// status is the last one that was asked for, of a route of namespace n.
func (n *neighbours) status(name string) status.Desired {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.desired[model.RouteKey{Namespace: "n", Name: name}]
}

func (n *neighbours) Remove(k model.RouteKey, _ *routev1.Route) { n.say(k, "removed") }
func (n *neighbours) Watch(k source.Key)                        { n.followed = append(n.followed, "+"+k.Name) }
func (n *neighbours) Forget(k source.Key)                       { n.followed = append(n.followed, "-"+k.Name) }
func (n *neighbours) say(k model.RouteKey, what ...any) {
	n.said = append(n.said, k.String()+" "+fmt.Sprint(what...))
}

// run starts a controller in a bubble of time; settle waits until it has
// nothing left to do.
func run(t *testing.T, selection source.Selection) (n *neighbours, c *Controller, settle func()) {
	t.Helper()
	return runWith(t, func(o *Options) { o.Selection = selection })
}

// runWith is run with other options.
func runWith(t *testing.T, change func(*Options)) (n *neighbours, c *Controller, settle func()) {
	t.Helper()
	n = &neighbours{queue: source.NewQueue(time.Now), desired: map[model.RouteKey]status.Desired{}}
	o := Options{
		Queue: n.queue, DataPlane: n, Status: n, Secrets: n, Names: n, ExternalCertificates: true,
		Admission: admission.Options{Validate: true, Now: time.Now}, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	}
	change(&o)
	c = New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return n, c, func() {
		time.Sleep(time.Second) // of the bubble's time
		synctest.Wait()
	}
}

func change(kind source.Kind, o metav1.Object) source.Change {
	return source.Change{Key: source.Key{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName()}, Object: o}
}

func edge(namespace, name, secret string) source.Change {
	r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: "1", ResourceVersion: secret}}
	r.Spec = routev1.RouteSpec{Host: name + ".test", To: routev1.RouteTargetReference{Kind: "Service", Name: "app"}}
	r.Spec.TLS = &routev1.TLSConfig{Termination: routev1.TLSTerminationEdge, ExternalCertificate: &routev1.LocalObjectReference{Name: secret}}
	return change(source.KindRoute, r)
}

func secret(t *testing.T, name string) source.Change {
	t.Helper()
	ca, err := certs.NewAuthority("ca")
	if err != nil {
		t.Fatal(err)
	}
	p, err := ca.Issue("a.test")
	if err != nil {
		t.Fatal(err)
	}
	return change(source.KindSecret, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{"tls.crt": []byte(p.Cert), "tls.key": []byte(p.Key)},
	})
}

func expect(t *testing.T, what string, got *[]string, want ...string) {
	t.Helper()
	if !slices.Equal(*got, want) {
		t.Errorf("%s: %q, want %q", what, *got, want)
	}
	*got = nil
}

func TestSecretsAreReadBeforeAnythingIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, c, settle := run(t, source.Selection{})
		n.queue.Push(edge("n", "a", "one"))
		n.queue.MarkSynced()
		settle()
		expect(t, "secrets followed at the start", &n.followed, "+one")
		if c.isReady() || len(n.applied) > 0 || len(n.said) > 0 {
			t.Fatalf("a secret is still to be read, and yet: ready %v, %d changes, said %q", c.isReady(), len(n.applied), n.said)
		}
		n.queue.Push(secret(t, "one"))
		settle()
		expect(t, "status with the secret", &n.said, "n/a admittedtrue")
		if !c.isReady() || len(n.applied) != 1 || n.applied[0].Upsert[0].Certificate == nil {
			t.Fatalf("applied %+v", n.applied)
		}

		// Another secret: the old certificate stays until the new one is there.
		n.queue.Push(edge("n", "a", "two"))
		settle()
		expect(t, "secrets followed after an edit", &n.followed, "-one", "+two")
		expect(t, "status while a secret is awaited", &n.said)
		if len(n.applied) != 1 {
			t.Errorf("applied %+v", n.applied[1:])
		}
		n.queue.Push(secret(t, "two"))
		settle()
		expect(t, "status with the other secret", &n.said, "n/a admittedtrue")
		if len(n.applied) != 2 {
			t.Errorf("%d changes applied", len(n.applied))
		}

		// A new route without a good certificate is told once, and waits.
		n.queue.Push(edge("n", "b", "none"))
		settle()
		expect(t, "status of a new route whose secret is awaited", &n.said)
		n.queue.Push(source.Change{Key: source.Key{Kind: source.KindSecret, Namespace: "n", Name: "none"}})
		settle()
		expect(t, "status of a new route without a secret", &n.said, "n/b admittedfalseExternalCertificateValidationFailed")
		expect(t, "secrets followed for a new route", &n.followed, "+none")

		n.queue.Push(source.Change{Key: source.Key{Kind: source.KindRoute, Namespace: "n", Name: "a"}})
		settle()
		expect(t, "secrets followed after a deletion", &n.followed, "-two")
		expect(t, "status after a deletion", &n.said, "n/a removed")
	})
}

// A replica that never saw a secret good knows that another may have.
func TestOthersMayServeWhatThisReplicaCannot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, settle := run(t, source.Selection{})
		k := source.Key{Kind: source.KindSecret, Namespace: "n", Name: "one"}
		plain := edge("n", "b", "one")
		r := plain.Object.(*routev1.Route)
		r.Spec.TLS = &routev1.TLSConfig{Termination: routev1.TLSTerminationEdge, Certificate: "nonsense"}
		n.queue.Push(edge("n", "a", "one"))
		n.queue.Push(plain)
		n.queue.Push(source.Change{Key: k})
		n.queue.MarkSynced()
		settle()
		n.queue.Push(source.Change{Key: k})
		settle()
		want := func(when, name string, admitted, others bool) {
			t.Helper()
			if d := n.desired[model.RouteKey{Namespace: "n", Name: name}]; d.Admitted != admitted || d.OthersMayServe != others {
				t.Errorf("%s: %+v", when, d)
			}
		}
		want("without the secret", "a", false, true)
		want("with a certificate of its own", "b", false, false)
		n.queue.Push(secret(t, "one"))
		settle()
		want("with the secret", "a", true, false)
	})
}

// A change of a route's status, mostly the echo of the router's own, is for
// nobody but the status writer.
func TestAStatusIsNoWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, settle := run(t, source.Selection{})
		made := func(entries int) source.Change {
			r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "a", UID: "1", ResourceVersion: fmt.Sprint(entries)}}
			r.Spec.Host = "a.test"
			for i := range entries {
				r.Status.Ingress = append(r.Status.Ingress, routev1.RouteIngress{RouterName: fmt.Sprint("router-", i)})
			}
			return change(source.KindRoute, r)
		}
		n.queue.Push(made(0))
		n.queue.MarkSynced()
		settle()
		applied := len(n.applied)
		expect(t, "status of a new route", &n.said, "n/a admittedtrue")
		n.observed = 0
		for i := range 10 {
			n.queue.Push(made(i + 1))
			settle()
		}
		expect(t, "after changes of the status", &n.said)
		if len(n.applied) != applied || n.observed != 10 {
			t.Errorf("%d changes were applied, %d statuses observed", len(n.applied)-applied, n.observed)
		}
	})
}

func TestForeignObjectsCauseNoWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		team, err := labels.Parse("team=red")
		if err != nil {
			t.Fatal(err)
		}
		n, _, settle := run(t, source.Selection{Namespaces: team})
		namespace := func(name, team string) source.Change {
			return change(source.KindNamespace, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": team}}})
		}
		n.queue.Push(namespace("n", "red"), edge("n", "a", "one"), secret(t, "one"), edge("foreign", "b", "two"))
		n.queue.MarkSynced()
		settle()
		expect(t, "secrets followed", &n.followed, "+one")
		n.queue.Push(secret(t, "one"))
		settle()
		applied := len(n.applied)
		n.said = nil
		slice := func(namespace string, i int) source.Change {
			return change(source.KindEndpointSlice, &discoveryv1.EndpointSlice{
				ObjectMeta:  metav1.ObjectMeta{Namespace: namespace, Name: "app", Labels: map[string]string{discoveryv1.LabelServiceName: "app"}, ResourceVersion: fmt.Sprint(i)},
				AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{fmt.Sprintf("10.0.0.%d", i)}}},
			})
		}
		for i := range 100 {
			n.queue.Push(slice("foreign", i))
			n.queue.Push(change(source.KindService, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "foreign", Name: "app", ResourceVersion: fmt.Sprint(i)}}))
			settle()
		}
		if len(n.applied) != applied || len(n.said) > 0 || len(n.followed) > 0 {
			t.Errorf("foreign objects: %d changes applied, said %q, followed %q", len(n.applied)-applied, n.said, n.followed)
		}
		// What was foreign counts at once when its namespace is selected.
		n.queue.Push(namespace("foreign", "red"))
		settle()
		expect(t, "secrets followed of a namespace that enters", &n.followed, "+two")
		n.queue.Push(namespace("foreign", "blue"))
		settle()
		expect(t, "secrets followed of a namespace that leaves", &n.followed, "-two")
		expect(t, "status of a route that leaves", &n.said, "foreign/b removed")
	})
}
