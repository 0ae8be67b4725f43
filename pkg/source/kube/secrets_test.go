package kube

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"router/pkg/source"
)

var key = source.Key{Kind: source.KindSecret, Namespace: "n", Name: "s"}

// server is an API server whose requests fail on demand; what a real one does is
// tested in test/e2e.
type server struct {
	*fake.Clientset
	queue   *source.Queue
	secrets *secrets
	// list and watch are the errors of these requests, nil for none.
	list    atomic.Pointer[error]
	watch   atomic.Pointer[error]
	lists   atomic.Int64
	listed  chan struct{}
	watches chan *watch.FakeWatcher
}

func newServer(t *testing.T) *server {
	t.Helper()
	a := &server{Clientset: fake.NewSimpleClientset(), queue: source.NewQueue(time.Now), watches: make(chan *watch.FakeWatcher, 10), listed: make(chan struct{}, 100)} //nolint:staticcheck // no managed fields are needed
	a.PrependReactor("list", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		a.lists.Add(1)
		a.listed <- struct{}{}
		if err := a.list.Load(); err != nil {
			return true, nil, *err
		}
		return true, &corev1.SecretList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: []corev1.Secret{*object("1", "one")}}, nil
	})
	a.PrependWatchReactor("secrets", func(clienttesting.Action) (bool, watch.Interface, error) {
		if err := a.watch.Load(); err != nil {
			return true, nil, *err
		}
		w := watch.NewFakeWithOptions(watch.FakeOptions{ChannelSize: 10})
		a.watches <- w
		return true, w, nil
	})
	logger := slog.New(slog.DiscardHandler)
	a.secrets = newSecrets(a.Clientset, Options{Queue: a.queue, Logger: logger}, &failures{logger: logger, at: map[string]time.Time{}})
	t.Cleanup(a.secrets.watchers.Stop)
	return a
}

func (a *server) failing(err error) {
	if err == nil {
		a.list.Store(nil)
		return
	}
	a.list.Store(&err)
}

// next is the next change of the secret.
func (a *server) next(t *testing.T) source.Change {
	t.Helper()
	deadline := time.After(time.Minute) // of the bubble's time
	for {
		select {
		case <-a.queue.Ready():
			if b := a.queue.Drain(); len(b.Changes) > 0 {
				return b.Changes[0]
			}
		case <-deadline:
			t.Fatal("nothing happens")
		}
	}
}

func object(version, certificate string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "s", UID: "u", ResourceVersion: version, Annotations: map[string]string{"a": "b"}, ManagedFields: []metav1.ManagedFieldsEntry{{}}},
		Type:       corev1.SecretTypeTLS,
		Data:       map[string][]byte{"tls.crt": []byte(certificate), "tls.key": []byte("key"), "password": []byte("none of the router's business")},
	}
}

func certificate(t *testing.T, c source.Change) string {
	t.Helper()
	s, ok := c.Object.(*corev1.Secret)
	if !ok {
		t.Fatalf("change is %+v", c)
	}
	if len(s.Data) != 2 || s.Annotations != nil || s.ManagedFields != nil {
		t.Errorf("more is kept than is read: %+v", s)
	}
	return string(s.Data["tls.crt"])
}

func TestASecretIsFollowed(t *testing.T) { synctest.Test(t, follows) }

func follows(t *testing.T) {
	a := newServer(t)
	a.secrets.Watch(key)
	a.secrets.Watch(key)
	if got := certificate(t, a.next(t)); got != "one" {
		t.Errorf("certificate is %q", got)
	}
	w := <-a.watches
	w.Modify(object("2", "two"))
	if got := certificate(t, a.next(t)); got != "two" {
		t.Errorf("certificate is %q", got)
	}
	w.Delete(object("3", "two"))
	if c := a.next(t); c.Object != nil || c.Absence != source.Deleted {
		t.Errorf("a deleted secret is %+v", c)
	}
	// A watch that ends goes on where it was; one that cannot begins anew.
	w.Stop()
	w = <-a.watches
	if a.lists.Load() != 1 {
		t.Errorf("the secret was read %d times", a.lists.Load())
	}
	w.Error(&apierrors.NewResourceExpired("too old").ErrStatus)
	if got := certificate(t, a.next(t)); got != "one" || a.lists.Load() != 2 {
		t.Errorf("certificate is %q after %d readings", got, a.lists.Load())
	}
	a.secrets.watchers.Forget(key)
	if c := a.next(t); c.Absence != source.Forgotten {
		t.Errorf("a forgotten secret is %+v", c)
	}
}

func TestASecretThatCannotBeRead(t *testing.T) {
	for name, tt := range map[string]struct {
		err    error
		detail string
	}{
		"an error of the API server": {apierrors.NewInternalError(errors.New("cannot decrypt")), "InternalError"},
		"no answer":                  {errors.New("connection refused"), "the API server does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newServer(t)
				a.failing(tt.err)
				a.secrets.Watch(key)
				if c := a.next(t); c.Absence != source.Unreadable || c.Detail != tt.detail {
					t.Errorf("change is %+v", c)
				}
				a.failing(nil)
				if got := certificate(t, a.next(t)); got != "one" {
					t.Errorf("certificate is %q", got)
				}
				// What has been read stays: the next change is a newer version.
				a.failing(tt.err)
				w := <-a.watches
				w.Error(&apierrors.NewResourceExpired("too old").ErrStatus)
				for range 3 { // the two before, and one that fails
					<-a.listed
				}
				a.failing(nil)
				if got := certificate(t, a.next(t)); got != "one" {
					t.Errorf("certificate is %q", got)
				}
			})
		})
	}
}

func TestWhyASecretMayNotBeReadIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newServer(t)
		reviews := 0
		a.PrependReactor("create", "selfsubjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
			reviews++
			r := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview).DeepCopy()
			if at := r.Spec.ResourceAttributes; at.Namespace != "n" || at.Name != "s" || at.Resource != "secrets" {
				t.Errorf("asked about %+v", at)
			}
			r.Status.Allowed = r.Spec.ResourceAttributes.Verb == "get"
			return true, r, nil
		})
		forbidden := func(verb string) error {
			return apierrors.NewForbidden(corev1.Resource("secrets"), "s", errors.New("cannot "+verb))
		}
		a.failing(forbidden("list"))
		a.secrets.Watch(key)
		if c := a.next(t); c.Absence != source.Forbidden || c.Detail != "watch,list" {
			t.Errorf("change is %+v", c)
		}
		time.Sleep(5 * time.Minute) // of the bubble's time
		if n := a.lists.Load(); reviews != 3 || n < 15 || n > 60 {
			t.Errorf("%d reviews during %d attempts", reviews, n)
		}
		a.failing(nil)
		if got := certificate(t, a.next(t)); got != "one" {
			t.Errorf("certificate is %q", got)
		}
		// The permission is gone when the watch has ended.
		a.failing(forbidden("watch"))
		w := <-a.watches
		w.Error(&apierrors.NewResourceExpired("too old").ErrStatus)
		if c := a.next(t); c.Absence != source.Forbidden || reviews != 6 {
			t.Errorf("change is %+v after %d reviews", c, reviews)
		}
	})
}

func TestASecretThatMayBeReadButNotWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newServer(t)
		err := error(apierrors.NewForbidden(corev1.Resource("secrets"), "s", errors.New("cannot watch")))
		a.watch.Store(&err)
		a.secrets.Watch(key)
		for range 10 {
			time.Sleep(time.Minute) // of the bubble's time
			for _, c := range a.queue.Drain().Changes {
				if c.Absence != source.Forbidden {
					t.Errorf("change is %+v", c)
				}
			}
		}
		a.watch.Store(nil)
		if got := certificate(t, a.next(t)); got != "one" {
			t.Errorf("certificate is %q", got)
		}
	})
}
