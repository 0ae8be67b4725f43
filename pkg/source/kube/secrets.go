package kube

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"router/pkg/source"
)

// secrets follows single secrets, those that routes refer to and no others.
// Each is listed and watched by its name: a Role that names the secret allows
// that, and what else is in its namespace is never seen.
type secrets struct {
	client kubernetes.Interface
	queue  *source.Queue
	logger *slog.Logger
	failed *failures
	// slots bound how many secrets are read at a time.
	slots chan struct{}

	mu        sync.Mutex
	stopped   bool
	followers map[source.Key]*follower
	running   sync.WaitGroup
}

const (
	// reading is how many secrets are read at a time, readTimeout how long one
	// may take.
	reading     = 16
	readTimeout = 30 * time.Second
	// A watch is ended by the API server after a time between watchTimeout and
	// twice that, so that not all come back at once.
	watchTimeout = 5 * time.Minute
	// settled is how long a watch lasts that was no failure.
	settled = 30 * time.Second
	// retrySecret and retrySecretMax bound the time between attempts.
	retrySecret    = 500 * time.Millisecond
	retrySecretMax = 15 * time.Second
)

func newSecrets(client kubernetes.Interface, o Options, failed *failures) *secrets {
	return &secrets{
		client: client, queue: o.Queue, logger: o.Logger, failed: failed,
		slots: make(chan struct{}, reading), followers: map[source.Key]*follower{},
	}
}

// Watch reads a secret and pushes it into the queue, with all changes to
// come, until Forget. What cannot be read is pushed as being absent. It does
// not wait.
func (s *secrets) Watch(k source.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.followers[k] != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{secrets: s, key: k, stop: cancel}
	s.followers[k] = f
	s.running.Go(func() { f.run(ctx) })
}

// Forget ends what Watch began. It does not wait.
func (s *secrets) Forget(k source.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.followers[k]; f != nil {
		f.stop()
		delete(s.followers, k)
		s.queue.Push(source.Change{Key: k, Absence: source.Forgotten})
	}
}

// end stops following, and waits until nothing is under way.
func (s *secrets) end() {
	s.mu.Lock()
	s.stopped = true
	for _, f := range s.followers {
		f.stop()
	}
	s.mu.Unlock()
	s.running.Wait()
}

// follower follows one secret.
type follower struct {
	*secrets
	key  source.Key
	stop context.CancelFunc
	// version is where a watch goes on; "" means that the secret has to be
	// read first.
	version string
	// listed is what was read and waits for the watch to begin.
	listed *source.Change
	// told is the last change that was pushed, nil before the first.
	told *source.Change
	// refusal is the API server's last answer if it was a refusal.
	refusal string
}

func (f *follower) run(ctx context.Context) {
	pause := newBackoff()
	for ctx.Err() == nil {
		began := time.Now()
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			f.fail(ctx, err)
		} else {
			f.refusal = ""
		}
		if time.Since(began) > settled {
			pause = newBackoff()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause.Step()):
		}
	}
}

func newBackoff() wait.Backoff {
	return wait.Backoff{Duration: retrySecret, Factor: 2, Jitter: 0.5, Steps: 10, Cap: retrySecretMax}
}

// follow reads the secret, unless a watch can go on, and watches it until the
// watch ends.
func (f *follower) follow(ctx context.Context) error {
	api := f.client.CoreV1().Secrets(f.key.Namespace)
	byName := fields.OneTermEqualSelector(metav1.ObjectNameField, f.key.Name).String()
	if f.version == "" {
		list, err := read(ctx, f.slots, func(ctx context.Context) (*corev1.SecretList, error) {
			return api.List(ctx, metav1.ListOptions{FieldSelector: byName})
		})
		if err != nil {
			return err
		}
		f.version, f.listed = list.ResourceVersion, &source.Change{Key: f.key}
		if len(list.Items) > 0 {
			f.listed.Object = trimSecret(&list.Items[0])
		}
	}
	timeout := int64((watchTimeout + rand.N(watchTimeout)).Seconds()) //nolint:gosec // spreads load
	events, err := api.Watch(ctx, metav1.ListOptions{
		FieldSelector: byName, ResourceVersion: f.version, AllowWatchBookmarks: true, TimeoutSeconds: &timeout,
	})
	if err == nil {
		// What may be read once, but not watched, would be served for ever.
		if f.listed != nil {
			f.push(*f.listed)
			f.listed = nil
		}
		err = f.watch(ctx, events)
	}
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		f.version = ""
		return nil // Nothing is wrong; the secret is read again.
	}
	return err
}

// watch takes in the events of a watch until it ends.
func (f *follower) watch(ctx context.Context, events watch.Interface) error {
	defer events.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, more := <-events.ResultChan():
			if !more {
				return nil
			}
			if err := f.take(e); err != nil {
				return err
			}
		}
	}
}

// read makes a request when there is a slot for it.
func read[T any](ctx context.Context, slots chan struct{}, request func(context.Context) (T, error)) (T, error) {
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		var nothing T
		return nothing, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return request(ctx)
}

// take takes in an event of a watch.
func (f *follower) take(e watch.Event) error {
	if e.Type == watch.Error {
		return apierrors.FromObject(e.Object)
	}
	s, ok := e.Object.(*corev1.Secret)
	if !ok {
		return nil
	}
	f.version = s.ResourceVersion
	switch e.Type {
	case watch.Added, watch.Modified:
		f.push(source.Change{Key: f.key, Object: trimSecret(s)})
	case watch.Deleted:
		f.push(source.Change{Key: f.key})
	default: // A bookmark.
	}
	return nil
}

// trimSecret leaves out what the router never reads.
func trimSecret(s *corev1.Secret) *corev1.Secret {
	source.KindSecret.Info().Trim(s)
	return s
}

// push tells what is known of the secret, unless it has been told or nobody
// wants to know any longer.
func (f *follower) push(c source.Change) {
	if f.told != nil && c.Object == nil && f.told.Object == nil && f.told.Absence == c.Absence && f.told.Detail == c.Detail {
		return
	}
	f.told = &c
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.followers[f.key] == f {
		f.queue.Push(c)
	}
}

// fail takes in that the secret cannot be read or watched. What was read
// before stays, unless the router may not know it any longer.
func (f *follower) fail(ctx context.Context, err error) {
	if apierrors.IsForbidden(err) {
		f.version = "" // When it may be read, it is another one.
		if f.refusal == err.Error() {
			return // The attempts go on, but why is known.
		}
		f.refusal = err.Error()
		f.push(source.Change{Key: f.key, Absence: source.Forbidden, Detail: strings.Join(f.denied(ctx), ",")})
		f.logger.Debug("a secret may not be read", "namespace", f.key.Namespace, "name", f.key.Name, "error", err)
		return
	}
	f.failed.tell("secrets", err)
	if f.told == nil {
		reason := cmp.Or(string(apierrors.ReasonForError(err)), "the API server does not answer")
		f.push(source.Change{Key: f.key, Absence: source.Unreadable, Detail: reason})
	}
}

// denied asks the API server which of the verbs that are needed for the
// secret the router lacks. The answer is none if that cannot be told either.
// Every user may ask this about itself, so the router needs no permission to.
func (f *follower) denied(ctx context.Context) []string {
	var verbs []string
	for _, verb := range []string{"get", "watch", "list"} {
		review, err := read(ctx, f.slots, func(ctx context.Context) (*authorizationv1.SelfSubjectAccessReview, error) {
			return f.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
				Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: f.key.Namespace, Name: f.key.Name, Verb: verb, Resource: "secrets", Version: "v1",
				}},
			}, metav1.CreateOptions{})
		})
		if err != nil {
			return nil
		}
		if !review.Status.Allowed {
			verbs = append(verbs, verb)
		}
	}
	return verbs
}
