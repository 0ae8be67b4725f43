// Package kube is the source that watches a cluster: one informer for each
// kind of object, from which every change goes into the queue.
package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	routeclient "github.com/openshift/client-go/route/clientset/versioned"
	routeinformers "github.com/openshift/client-go/route/informers/externalversions"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"router/pkg/source"
)

// Options say what to watch.
type Options struct {
	Config *rest.Config
	Queue  *source.Queue
	Logger *slog.Logger

	// Selection is what the API server is asked for, as far as it can select.
	// With a selection of namespaces, these themselves are watched, and a route
	// counts only while its namespace is in the store.
	Selection source.Selection
	// Resync is the time between full replays, 0 for none. A replayed object
	// that did not change causes no work.
	Resync time.Duration
	// WatchEndpoints reads Endpoints instead of EndpointSlices.
	WatchEndpoints bool
	// Ingress watches Ingresses and their classes.
	Ingress bool
}

// Source watches a cluster.
type Source struct {
	opts    Options
	kinds   []watchedKind
	start   func(stop <-chan struct{})
	failed  *failures
	secrets *secrets
}

// watchedKind is one kind of object and its informer.
type watchedKind struct {
	kind     source.Kind
	resource string
	informer cache.SharedIndexInformer
}

func newWatchedKind(kind source.Kind, forResource func(schema.GroupVersionResource) (informers.GenericInformer, error)) (watchedKind, error) {
	resource := kind.Info().Resource
	k := watchedKind{kind: kind, resource: resource.GroupResource().String()}
	informer, err := forResource(resource)
	if err == nil {
		k.informer = informer.Informer()
		err = k.informer.SetTransform(trimmed(kind))
	}
	if err != nil {
		return k, fmt.Errorf("watching %s: %w", k.resource, err)
	}
	return k, nil
}

// New prepares the informers; nothing is asked of the cluster yet.
func New(o Options) (*Source, error) {
	config := rest.CopyConfig(o.Config)
	config.Wrap((&reach{logger: o.Logger}).wrap)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("kubernetes client: %w", err)
	}
	routes, err := routeclient.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("route client: %w", err)
	}
	selected := o.Selection
	routeFactory := routeinformers.NewSharedInformerFactoryWithOptions(routes, o.Resync,
		routeinformers.WithNamespace(selected.Namespace),
		routeinformers.WithTweakListOptions(func(l *metav1.ListOptions) {
			l.FieldSelector = serverFields(selected.Fields)
			if selected.Labels != nil {
				l.LabelSelector = selected.Labels.String()
			}
		}))
	factory := informers.NewSharedInformerFactoryWithOptions(client, o.Resync,
		informers.WithNamespace(selected.Namespace))
	namespaceFactory := informers.NewSharedInformerFactoryWithOptions(client, o.Resync,
		informers.WithTweakListOptions(func(l *metav1.ListOptions) { l.LabelSelector = selected.Namespaces.String() }))

	// Requests for single secrets are bounded by how many are under way, and
	// by the API server; the client's own limit would make a start with many
	// of them take minutes.
	unlimited := rest.CopyConfig(config)
	unlimited.QPS = -1
	secretClient, err := kubernetes.NewForConfig(unlimited)
	if err != nil {
		return nil, fmt.Errorf("kubernetes client: %w", err)
	}

	s := &Source{opts: o, failed: &failures{logger: o.Logger, at: map[string]time.Time{}}}
	s.secrets = newSecrets(secretClient, o, s.failed)
	for _, kind := range o.kinds() {
		forResource := factory.ForResource
		if kind == source.KindNamespace {
			forResource = namespaceFactory.ForResource
		}
		if kind.Info().Resource.Group == routev1.GroupName {
			forResource = func(r schema.GroupVersionResource) (informers.GenericInformer, error) {
				return routeFactory.ForResource(r)
			}
		}
		k, err := newWatchedKind(kind, forResource)
		if err != nil {
			return nil, err
		}
		s.kinds = append(s.kinds, k)
	}
	s.start = func(stop <-chan struct{}) {
		routeFactory.Start(stop)
		factory.Start(stop)
		namespaceFactory.Start(stop)
	}
	return s, nil
}

// kinds are the kinds of objects that are watched as a whole. Secrets are
// watched one by one.
func (o Options) kinds() []source.Kind {
	list := []source.Kind{source.KindRoute, source.KindService, source.KindEndpointSlice}
	if o.WatchEndpoints {
		list[2] = source.KindEndpoints
	}
	if o.Ingress {
		list = append(list, source.KindIngress, source.KindIngressClass)
	}
	if o.Selection.Namespaces != nil {
		list = append(list, source.KindNamespace)
	}
	return list
}

// serverFields is the part of a field selector that every API server knows.
// OpenShift's selects by fields of the spec as well; one that has routes from
// a CustomResourceDefinition refuses to.
func serverFields(all fields.Selector) string {
	if all == nil {
		return ""
	}
	var known []fields.Selector
	for _, r := range all.Requirements() {
		switch {
		case !strings.HasPrefix(r.Field, "metadata."):
		case r.Operator == selection.NotEquals:
			known = append(known, fields.OneTermNotEqualSelector(r.Field, r.Value))
		default:
			known = append(known, fields.OneTermEqualSelector(r.Field, r.Value))
		}
	}
	return fields.AndSelectors(known...).String()
}

// Watch reads a secret from now on, and pushes it into the queue with every
// change. It does not wait.
func (s *Source) Watch(secret source.Key) { s.secrets.Watch(secret) }

// Forget ends what Watch began. It does not wait.
func (s *Source) Forget(secret source.Key) { s.secrets.watchers.Forget(secret) }

// Run watches until ctx ends. A cluster that cannot be reached is tried again
// for ever, and what was seen last stays.
func (s *Source) Run(ctx context.Context) error {
	defer s.secrets.watchers.Stop()
	var registered []cache.InformerSynced
	for _, k := range s.kinds {
		if err := k.informer.SetWatchErrorHandlerWithContext(s.failed.handler(k.resource)); err != nil {
			return fmt.Errorf("watching %s: %w", k.resource, err)
		}
		r, err := k.informer.AddEventHandler(s.handler(k.kind))
		if err != nil {
			return fmt.Errorf("watching %s: %w", k.resource, err)
		}
		// The registration is synced when the handler has seen all objects.
		registered = append(registered, r.HasSynced)
	}
	s.start(ctx.Done())
	if cache.WaitForCacheSync(ctx.Done(), registered...) {
		s.opts.Queue.MarkSynced()
		s.opts.Logger.Info("all objects of the cluster have been read")
	}
	<-ctx.Done()
	return nil
}

// handler pushes what an informer sees.
func (s *Source) handler(kind source.Kind) cache.ResourceEventHandler {
	push := func(obj any, gone bool) {
		if unknown, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = unknown.Obj
		}
		o, ok := obj.(metav1.Object)
		if !ok {
			return
		}
		c := source.Change{Key: source.Key{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName()}}
		if !gone {
			c.Object = o
		}
		s.opts.Queue.Push(c)
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) { push(obj, false) },
		UpdateFunc: func(old, obj any) {
			before, err1 := meta.Accessor(old)
			after, err2 := meta.Accessor(obj)
			if err1 == nil && err2 == nil && before.GetResourceVersion() == after.GetResourceVersion() {
				return // A resync of an object that did not change.
			}
			push(obj, false)
		},
		DeleteFunc: func(obj any) { push(obj, true) },
	}
}

// lastApplied repeats the whole object, as kubectl was given it.
const lastApplied = corev1.LastAppliedConfigAnnotation

// trimmed drops what the router never reads of the objects of a kind, before
// they are kept: at 50,000 routes managedFields alone are half of the memory. An
// annotation without its value tells the writer of statuses that the object is
// not whole.
func trimmed(kind source.Kind) cache.TransformFunc {
	trim := kind.Info().Trim
	return func(obj any) (any, error) {
		o, ok := obj.(metav1.Object)
		if !ok {
			return obj, nil
		}
		o.SetManagedFields(nil)
		if annotations := o.GetAnnotations(); annotations[lastApplied] != "" {
			annotations[lastApplied] = ""
		}
		if trim != nil {
			trim(o)
		}
		return obj, nil
	}
}

// failures logs watches that fail, each kind at most every repeatAfter.
type failures struct {
	logger *slog.Logger
	mu     sync.Mutex
	at     map[string]time.Time
}

const repeatAfter = 30 * time.Second

func (f *failures) handler(resource string) cache.WatchErrorHandlerWithContext {
	return func(_ context.Context, _ *cache.Reflector, err error) {
		if apierrors.IsResourceExpired(err) || errors.Is(err, context.Canceled) {
			return // The informer lists again; nothing is wrong.
		}
		f.tell(resource, err)
	}
}

func (f *failures) tell(resource string, err error) {
	f.mu.Lock()
	recent := time.Since(f.at[resource]) < repeatAfter
	if !recent {
		f.at[resource] = time.Now()
	}
	f.mu.Unlock()
	if recent {
		return
	}
	hint := "the cluster is tried again; what was seen last is served"
	switch {
	case apierrors.IsNotFound(err) && resource == "routes.route.openshift.io":
		hint = "the cluster has no Route resource: install its CustomResourceDefinition (routes." + routev1.GroupName + ")"
	case apierrors.IsForbidden(err):
		hint = "the router's service account may not list and watch this; see deploy/"
	}
	f.logger.Error("watching the cluster fails", "resource", resource, "error", err, "hint", hint)
}
