package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	routeclient "github.com/openshift/client-go/route/clientset/versioned"
	"github.com/prometheus/client_golang/prometheus"
	networkingclient "k8s.io/client-go/kubernetes/typed/networking/v1"
	"k8s.io/client-go/rest"

	"router/pkg/controller"
	"router/pkg/controller/status"
	"router/pkg/options"
	"router/pkg/source"
	"router/pkg/source/kube"
	"router/pkg/source/manifests"
)

// objectSource is where objects come from.
type objectSource struct {
	run func(context.Context) error
	// secrets is nil where all of them come unasked, the writers where no status
	// is written.
	secrets       controller.Follower
	writer        *status.Writer
	ingressWriter *status.IngressWriter
	// sweep, if not nil, tidies up after routes that left the selection while
	// the router was not running. It returns when it is done.
	sweep func(context.Context)
}

func newSource(o options.Options, selection source.Selection, queue *source.Queue, registry prometheus.Registerer, logger *slog.Logger) (objectSource, error) {
	if o.Manifests != "" {
		s, err := manifests.New(manifests.Options{Dir: o.Manifests, Queue: queue, Logger: logger})
		if err != nil {
			return objectSource{}, err
		}
		return objectSource{run: s.Run}, nil
	}
	config, err := clusterConfig(o.Kubernetes)
	if err != nil {
		return objectSource{}, err
	}
	s, err := kube.New(kube.Options{
		Config: config, Queue: queue, Logger: logger, Selection: selection,
		Resync: o.ResyncInterval, WatchEndpoints: o.WatchEndpoints, Ingress: o.Ingress.Enable,
	})
	if err != nil {
		return objectSource{}, err
	}
	found := objectSource{run: s.Run, secrets: s}
	if !o.UpdateStatus {
		return found, nil
	}
	client, ingresses, err := newStatusClients(config)
	if err != nil {
		return objectSource{}, err
	}
	replica, err := os.Hostname()
	if err != nil {
		return objectSource{}, fmt.Errorf("telling replicas apart: %w", err)
	}
	metrics := status.NewMetrics(registry)
	found.writer = status.New(status.Options{
		Client: client, RouterName: o.Name, CanonicalHostname: o.CanonicalHostname, Replica: replica, Logger: logger, Now: time.Now,
		ContentionWindow: o.ResyncInterval / contentionWindows, Metrics: metrics,
	})
	if o.Ingress.Enable {
		found.ingressWriter = status.NewIngress(status.IngressOptions{
			Client: ingresses, Hostname: o.CanonicalHostname, Addresses: o.Ingress.Addresses, Replica: replica, Logger: logger, Now: time.Now,
			ContentionWindow: o.ResyncInterval / contentionWindows, Metrics: metrics,
		})
	}
	if o.Labels != nil || o.Fields != nil {
		found.sweep = func(ctx context.Context) {
			found.writer.Sweep(ctx, status.SweepOptions{Lister: client, Namespace: o.Kubernetes.Namespace, Selected: selection.RouteMatches})
		}
	}
	return found, nil
}

// contentionWindows is how many windows of contention there are between two
// resyncs, as in the reference router.
const contentionWindows = 10

// newStatusClients have a budget of their own, beside that of watches.
func newStatusClients(config *rest.Config) (status.ClusterClient, networkingclient.IngressesGetter, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = 50, 100
	routes, err := routeclient.NewForConfig(config)
	if err != nil {
		return status.ClusterClient{}, nil, fmt.Errorf("route client: %w", err)
	}
	ingresses, err := networkingclient.NewForConfig(config)
	if err != nil {
		return status.ClusterClient{}, nil, fmt.Errorf("ingress client: %w", err)
	}
	return status.ClusterClient{Routes: routes.RouteV1()}, ingresses, nil
}
