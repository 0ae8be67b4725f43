package kube

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
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

// secrets watches single secrets, those that routes refer to and no others.
// Each is listed and watched by its name: a Role that names the secret allows
// that, and what else is in its namespace is never seen.
type secrets struct {
	client   kubernetes.Interface
	watchers *source.Watchers
	logger   *slog.Logger
	failed   *failures
	// slots bound how many secrets are read at a time.
	slots chan struct{}
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
		client: client, watchers: source.NewWatchers(o.Queue), logger: o.Logger, failed: failed, slots: make(chan struct{}, reading),
	}
}

// Watch reads a secret and pushes it into the queue, with all changes to
// come, until Forget. What cannot be read is pushed as being absent. It does
// not wait.
func (s *secrets) Watch(k source.Key) {
	s.watchers.Watch(k, func(ctx context.Context, push func(source.Change)) {
		(&watchedSecret{secrets: s, key: k, push: push}).run(ctx)
	})
}

// watchedSecret is one secret that is watched.
type watchedSecret struct {
	*secrets
	key  source.Key
	push func(source.Change)
	// version is where a watch goes on; "" means that the secret has to be
	// read first.
	version string
	// listed is what was read and waits for the watch to begin.
	listed *source.Change
	// told is the last change that was told, nil before the first.
	told *source.Change
	// refusal is the API server's last answer if it was a refusal.
	refusal string
}

func (w *watchedSecret) run(ctx context.Context) {
	pause := newBackoff()
	for ctx.Err() == nil {
		began := time.Now()
		err := w.readAndWatch(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			w.fail(ctx, err)
		} else {
			w.refusal = ""
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

// readAndWatch reads the secret, unless a watch can go on, and watches it until the
// watch ends.
func (w *watchedSecret) readAndWatch(ctx context.Context) error {
	api := w.client.CoreV1().Secrets(w.key.Namespace)
	byName := fields.OneTermEqualSelector(metav1.ObjectNameField, w.key.Name).String()
	if w.version == "" {
		list, err := read(ctx, w.slots, func(ctx context.Context) (*corev1.SecretList, error) {
			return api.List(ctx, metav1.ListOptions{FieldSelector: byName})
		})
		if err != nil {
			return err
		}
		w.version, w.listed = list.ResourceVersion, &source.Change{Key: w.key}
		if len(list.Items) > 0 {
			w.listed.Object = trimSecret(&list.Items[0])
		}
	}
	timeout := int64((watchTimeout + rand.N(watchTimeout)).Seconds()) //nolint:gosec // spreads load
	events, err := api.Watch(ctx, metav1.ListOptions{
		FieldSelector: byName, ResourceVersion: w.version, AllowWatchBookmarks: true, TimeoutSeconds: &timeout,
	})
	if err == nil {
		// What may be read once, but not watched, would be served for ever.
		if w.listed != nil {
			w.tell(*w.listed)
			w.listed = nil
		}
		err = w.watch(ctx, events)
	}
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		w.version = ""
		return nil // Nothing is wrong; the secret is read again.
	}
	return err
}

// watch takes in the events of a watch until it ends.
func (w *watchedSecret) watch(ctx context.Context, events watch.Interface) error {
	defer events.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, more := <-events.ResultChan():
			if !more {
				return nil
			}
			if err := w.take(e); err != nil {
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
func (w *watchedSecret) take(e watch.Event) error {
	if e.Type == watch.Error {
		return apierrors.FromObject(e.Object)
	}
	s, ok := e.Object.(*corev1.Secret)
	if !ok {
		return nil
	}
	w.version = s.ResourceVersion
	switch e.Type {
	case watch.Added, watch.Modified:
		w.tell(source.Change{Key: w.key, Object: trimSecret(s)})
	case watch.Deleted:
		w.tell(source.Change{Key: w.key})
	default: // A bookmark.
	}
	return nil
}

// trimSecret leaves out what the router never reads.
func trimSecret(s *corev1.Secret) *corev1.Secret {
	source.KindSecret.Info().Trim(s)
	return s
}

// tell pushes what is known of the secret, unless it has been told.
func (w *watchedSecret) tell(c source.Change) {
	if w.told != nil && c.Object == nil && w.told.Object == nil && w.told.Absence == c.Absence && w.told.Detail == c.Detail {
		return
	}
	w.told = &c
	w.push(c)
}

// fail takes in that the secret cannot be read or watched. What was read
// before stays, unless the router may not know it any longer.
func (w *watchedSecret) fail(ctx context.Context, err error) {
	if apierrors.IsForbidden(err) {
		w.version = "" // When it may be read, it is another one.
		if w.refusal == err.Error() {
			return // The attempts go on, but why is known.
		}
		w.refusal = err.Error()
		w.tell(source.Change{Key: w.key, Absence: source.Forbidden, Detail: strings.Join(w.denied(ctx), ",")})
		w.logger.Debug("a secret may not be read", "namespace", w.key.Namespace, "name", w.key.Name, "error", err)
		return
	}
	w.failed.tell("secrets", err)
	if w.told == nil {
		reason := cmp.Or(string(apierrors.ReasonForError(err)), "the API server does not answer")
		w.tell(source.Change{Key: w.key, Absence: source.Unreadable, Detail: reason})
	}
}

// denied asks the API server which of the verbs that are needed for the
// secret the router lacks. The answer is none if that cannot be told either.
// Every user may ask this about itself, so the router needs no permission to.
func (w *watchedSecret) denied(ctx context.Context) []string {
	var verbs []string
	for _, verb := range []string{"get", "watch", "list"} {
		review, err := read(ctx, w.slots, func(ctx context.Context) (*authorizationv1.SelfSubjectAccessReview, error) {
			return w.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
				Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: w.key.Namespace, Name: w.key.Name, Verb: verb, Resource: "secrets", Version: "v1",
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
