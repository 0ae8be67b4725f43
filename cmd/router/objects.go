package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	routeclient "github.com/openshift/client-go/route/clientset/versioned"
	"github.com/prometheus/client_golang/prometheus"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
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
	// is written, elect where all replicas write.
	secrets       controller.ObjectWatcher
	writer        *status.Writer
	ingressWriter *status.IngressWriter
	elect         func(context.Context)
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
	err = found.writeStatuses(o, config, selection, registry, logger)
	return found, err
}

// writeStatuses makes the writers of statuses, and what elects one of the
// replicas to write them.
func (s *objectSource) writeStatuses(o options.Options, config *rest.Config, selection source.Selection, registry prometheus.Registerer, logger *slog.Logger) error {
	client, ingresses, err := newStatusClients(config)
	if err != nil {
		return err
	}
	writing := status.Options{
		Client: client, RouterName: o.Name, CanonicalHostname: o.CanonicalHostname, Logger: logger, Metrics: status.NewMetrics(registry),
	}
	if o.Labels != nil || o.Fields != nil {
		writing.Sweep = &status.Sweep{List: client.List, Namespace: o.Kubernetes.Namespace, Selected: selection.RouteMatches}
	}
	s.writer = status.New(writing)
	setRole := s.writer.SetRole
	if o.Ingress.Enable {
		s.ingressWriter = status.NewIngress(status.IngressOptions{
			Client: ingresses, Hostname: o.CanonicalHostname, Addresses: o.Ingress.Addresses, Logger: logger, Metrics: writing.Metrics,
		})
		setRole = func(r status.Role) {
			s.writer.SetRole(r)
			s.ingressWriter.SetRole(r)
		}
	}
	namespace, err := ownNamespace(serviceAccountNamespace)
	if namespace == "" || err != nil {
		return err
	}
	replica, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("telling replicas apart: %w", err)
	}
	config = rest.CopyConfig(config)
	config.Timeout = leaseTimeout
	leases, err := coordinationclient.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("lease client: %w", err)
	}
	setRole(status.Following)
	s.elect = status.Election{Client: leases, Namespace: namespace, RouterName: o.Name, Replica: replica, Logger: logger, Changed: setRole}.Run
	return nil
}

// leaseTimeout bounds a request about the Lease; it fits into the time that the
// leader has to renew it.
const leaseTimeout = 5 * time.Second

// serviceAccountNamespace is where pods find the name of their namespace.
const serviceAccountNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// ownNamespace is the namespace that the router runs in, "" outside of a cluster.
func ownNamespace(file string) (string, error) {
	if namespace := os.Getenv("POD_NAMESPACE"); namespace != "" {
		return namespace, nil
	}
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("finding the router's own namespace: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

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
