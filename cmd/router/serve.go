package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	routeclient "github.com/openshift/client-go/route/clientset/versioned"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"
	networkingclient "k8s.io/client-go/kubernetes/typed/networking/v1"
	"k8s.io/client-go/rest"

	"router/conf"
	"router/pkg/controller"
	"router/pkg/controller/admission"
	"router/pkg/controller/ingress"
	"router/pkg/controller/status"
	"router/pkg/controller/translate"
	"router/pkg/defaultcert"
	"router/pkg/haproxy"
	"router/pkg/model"
	"router/pkg/options"
	"router/pkg/source"
	"router/pkg/source/kube"
	"router/pkg/source/manifests"
	"router/pkg/stats"
	"router/pkg/template"
	"router/pkg/tlsfiles"
)

// serve wires the rooms together and runs until ctx ends.
func serve(ctx context.Context, o options.Options, stdout, stderr io.Writer) error {
	logger := newLogger(o, stderr)
	if err := logLibraries(o, logger); err != nil {
		return err
	}
	stopProfile, err := startProfile(o.Profile)
	if err != nil {
		return err
	}
	defer func() {
		switch file, stopErr := stopProfile(); {
		case stopErr != nil:
			logger.Error("no profile was written", "error", stopErr)
		case file != "":
			logger.Info("a profile was written", "file", file)
		}
	}()
	for _, w := range options.Misspelled(os.Environ()) {
		logger.Warn("a variable may be misspelled", "reason", w)
	}
	for _, w := range o.Warnings {
		logger.Warn("a setting is not used as it was given", "reason", w)
	}
	selection, err := source.ParseSelection(source.SelectionFlags{
		Namespace: o.Kubernetes.Namespace, Labels: o.Labels, Fields: o.Fields, NamespaceLabels: o.NamespaceLabels, ProjectLabels: o.ProjectLabels,
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", statsAddress(o))
	if err != nil {
		return fmt.Errorf("--stats-port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	if err := credentials(&o, listener.Addr(), stdout); err != nil {
		return err
	}

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var server *stats.Server
	plane, files, layout, err := newDataPlane(ctx, o, registry, logger, stdout, func(ctx context.Context) { server.Collector().BeforeReload(ctx) })
	if err != nil {
		return err
	}

	queue := source.NewQueue(time.Now)
	objects, err := newSource(o, selection, queue, registry, logger)
	if err != nil {
		return err
	}
	settings := controllerOptions(o, selection, queue, plane, objects, logger)
	settings.Admission.CheckCertificate = haproxy.NewCertificateChecker(o.HAProxy, filepath.Dir(layout.RuntimeSocket.String()), logger).Check
	if o.DefaultDestinationCAPath != "" {
		settings.Translate.DefaultDestinationCA = layout.DestinationCA.String()
	}
	c := controller.New(settings)
	reviewer, err := newReviewer(o)
	if err != nil {
		return err
	}
	serverTLS, err := metricsTLS(o.Metrics.TLS, logger)
	if err != nil {
		return err
	}
	supervisor := haproxy.NewSupervisor(haproxy.SupervisorOptions{
		MasterSocket: layout.MasterSocket, MaxAge: o.WorkerMaxAge, Logger: logger, Registry: registry, Now: time.Now,
	})
	server = stats.New(stats.Options{
		User: o.StatsUser, Password: o.StatsPassword, Reviewer: reviewer, Logger: logger, Gatherer: registry, HAProxySocket: layout.StatsSocket.String(),
		Runtime: plane.Ask, NoMetrics: o.Metrics.Type == options.MetricsNone, NoSocketCheck: o.LeaveOutSocketCheck,
		Collector: stats.CollectorOptions{
			ServerNames: plane.EndpointOf, BackendNames: plane.BackendOf, ServerThreshold: o.Metrics.ServerThreshold, Exported: o.Metrics.Exported,
			ScrapeInterval: o.Metrics.ScrapeInterval, ScrapeTimeout: o.Metrics.ScrapeTimeout,
		},
		Routes: c.Routes, Workers: supervisor.Old, Ready: func(context.Context) error { return readiness(c) }, Stopping: ctx.Done(),
		ProbeURL: cmp.Or(o.ReadyURL, probeURL(o.Global.Listen)), ProbeProxyProtocol: o.Global.Listen.AcceptProxy && o.ReadyURL == "", TLS: serverTLS,
	})

	// After the signal to stop, the router says that it is not ready, and
	// serves on until load balancers have had time to notice.
	running, stopAll := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAll()
	group, running := errgroup.WithContext(running)
	group.Go(func() error { return objects.run(running) })
	group.Go(func() error { return c.Run(running) })
	group.Go(func() error { supervisor.Run(running); return nil })
	group.Go(func() error { return server.Serve(running, listener) })
	group.Go(func() error {
		files.Watch(running, func(f model.TLSFiles) { c.SetFiles(running, f) })
		return nil
	})
	if objects.writer != nil {
		group.Go(func() error { objects.writer.Run(running); return nil })
	}
	if objects.ingressWriter != nil {
		group.Go(func() error { objects.ingressWriter.Run(running); return nil })
	}
	if objects.sweep != nil {
		group.Go(func() error { objects.sweep(running); return nil })
	}
	group.Go(func() error {
		defer stopAll()
		select {
		case <-running.Done():
			return nil
		case <-ctx.Done():
		}
		logger.Info("stopping", "delay", o.GracefulShutdownDelay)
		select {
		case <-running.Done():
		case <-time.After(o.GracefulShutdownDelay):
		}
		return nil
	})
	err = group.Wait()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.ShutdownTimeout+stopMargin)
	defer cancel()
	return errors.Join(err, plane.Stop(stopping))
}

// stopMargin is time for HAProxy to end after its connections have.
const stopMargin = 5 * time.Second

// readiness is why the router is not ready, if it is not.
func readiness(c *controller.Controller) error {
	select {
	case <-c.Ready():
		return nil
	default:
		return errors.New("routes are not served yet")
	}
}

// probeURL is what HAProxy itself answers on the port for HTTP.
func probeURL(l model.Listen) string {
	// Not "localhost", which need not have an address of the family.
	host := cmp.Or(l.Address, "127.0.0.1")
	if l.Mode == model.IPv6 && l.Address == "" {
		host = "::1"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(l.HTTPPort)) + "/_______internal_router_healthz"
}

// metricsTLS is the TLS of the statistics port, nil for plain HTTP only.
func metricsTLS(o options.MetricsTLS, logger *slog.Logger) (*tls.Config, error) {
	if o.CertFile == "" || o.KeyFile == "" {
		return nil, nil //nolint:nilnil // no TLS is no error
	}
	cert, err := stats.NewCertificate(stats.CertificateOptions{CertFile: o.CertFile, KeyFile: o.KeyFile, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("--metrics-tls-cert-file: %w", err)
	}
	return &tls.Config{
		GetCertificate: cert.Get, MinVersion: o.MinVersion, CipherSuites: o.Ciphers, CurvePreferences: o.Curves,
	}, nil
}

func statsAddress(o options.Options) string {
	if o.ListenAddr != "" {
		return o.ListenAddr
	}
	return ":" + strconv.Itoa(o.StatsPort)
}

// credentials reads the user and password of the statistics page from files,
// or makes a password and prints it, once.
func credentials(o *options.Options, address net.Addr, stdout io.Writer) error {
	if o.StatsUserFile != "" && o.StatsPasswordFile != "" {
		user, err := os.ReadFile(o.StatsUserFile)
		if err != nil {
			return fmt.Errorf("--stats-user-file: %w", err)
		}
		password, err := os.ReadFile(o.StatsPasswordFile)
		if err != nil {
			return fmt.Errorf("--stats-password-file: %w", err)
		}
		o.StatsUser, o.StatsPassword = string(user), model.NewSecret(string(password))
	}
	if o.StatsPassword.IsEmpty() {
		o.StatsPassword = model.NewSecret(rand.Text()[:passwordLength])
		_, err := fmt.Fprintf(stdout, "statistics on %s: user %s, password %s\n", address, o.StatsUser, o.StatsPassword.Reveal())
		return err
	}
	return nil
}

// passwordLength is how many of its base-32 characters a made password has: 60 bits.
const passwordLength = 12

func newDataPlane(ctx context.Context, o options.Options, registry prometheus.Registerer, logger *slog.Logger, stdout io.Writer, beforeReload func(context.Context)) (*haproxy.DataPlane, *tlsfiles.Files, template.Layout, error) {
	dir, err := filepath.Abs(o.WorkingDir)
	if err != nil {
		return nil, nil, template.Layout{}, fmt.Errorf("--working-dir: %w", err)
	}
	layout, err := template.NewLayout(dir)
	if err != nil {
		return nil, nil, layout, fmt.Errorf("--working-dir: %w", err)
	}
	files, err := tlsfiles.Load(ctx, tlsfiles.Options{
		Certificate: defaultcert.Options{
			PEM: o.DefaultCertificate, Path: o.DefaultCertificatePath, Dir: o.DefaultCertificateDir,
			SelfSigned: filepath.Join(dir, "router", "self-signed.pem"), Domain: o.RouterDomain, Now: time.Now(),
		},
		VerifyClients: o.Global.TLS.VerifiesClients(), ClientCAFile: o.ClientCAFile, ClientCRLFile: o.ClientCRLFile,
		DestinationCAFile: o.DefaultDestinationCAPath, Logger: logger, Now: time.Now,
	})
	if err != nil {
		return nil, nil, layout, err
	}
	if files.SelfSigned() {
		logger.Info("hosts without a certificate get a self-signed one; --default-cert gives another")
	}
	o.Global.SetFiles(files.Current())
	templates, err := template.New(conf.Files, o.Template, layout)
	if err != nil {
		return nil, nil, layout, err
	}
	pages, err := errorPages(o.Global)
	if err != nil {
		return nil, nil, layout, err
	}
	if o.Global.Log.Address, err = logTarget(ctx, o.Global.Log.Address); err != nil {
		return nil, nil, layout, err
	}
	if o.Global.Log.Address == model.LogStdout {
		stdout = accessLog(stdout)
	}
	plane, err := haproxy.New(ctx, haproxy.Options{
		Binary: o.HAProxy, Layout: layout, Templates: templates, Global: o.Global, ErrorPages: pages,
		ReloadInterval: o.Interval, ReloadTimeout: o.ReloadTimeout, Spares: spares(o), StopGrace: o.ShutdownTimeout, Logger: logger, Output: stdout,
		Metrics: haproxy.NewMetrics(registry), Now: time.Now, BeforeReload: beforeReload,
	})
	var refused *haproxy.SettingsError
	if errors.As(err, &refused) && len(refused.Complaints) > 0 {
		var settings []error
		for _, c := range refused.Complaints {
			s := options.Refused(c.Line, c.Message)
			if !slices.ContainsFunc(settings, func(o error) bool { return o.Error() == s.Error() }) {
				settings = append(settings, s)
			}
		}
		err = errors.Join(settings...)
	}
	return plane, files, layout, err
}

// spares is how many backends are prepared, less than 0 for none.
func spares(o options.Options) int {
	if o.Spares == 0 {
		return -1
	}
	return o.Spares
}

// objectSource is where objects come from.
type objectSource struct {
	run func(context.Context) error
	// secrets is nil where all of them come unasked, the writers where no status
	// is written.
	secrets       controller.Secrets
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
	config, err := kube.Config(kube.Flags(o.Kubernetes))
	if err != nil {
		return objectSource{}, err
	}
	namespaceLabels := o.NamespaceLabels
	if o.ProjectLabels != "" && o.ProjectLabels != "*" {
		namespaceLabels = o.ProjectLabels
	}
	s, err := kube.New(kube.Options{
		Config: config, Queue: queue, Logger: logger, Namespace: o.Kubernetes.Namespace, Labels: o.Labels, Fields: o.Fields,
		NamespaceLabels: namespaceLabels, Resync: o.ResyncInterval, WatchEndpoints: o.WatchEndpoints, Ingress: o.Ingress.Enable,
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
	if o.Labels != "" || o.Fields != "" {
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

func controllerOptions(o options.Options, selection source.Selection, queue *source.Queue, plane *haproxy.DataPlane, objects objectSource, logger *slog.Logger) controller.Options {
	c := controller.Options{
		Queue: queue, DataPlane: plane, Logger: logger, Now: time.Now,
		Selection: selection, Secrets: objects.secrets, ExternalCertificates: o.ExternalCertificates,
		Admission: admission.Options{
			Naming: admission.Naming{
				Template: o.HostnameTemplate, Domain: o.RouterDomain, Override: o.OverrideHostname, OverrideDomains: o.OverrideDomains,
			},
			AllowedDomains: o.AllowedDomains, DeniedDomains: o.DeniedDomains, AllowWildcards: o.AllowWildcardRoutes,
			SharedHosts: o.DisableNamespaceOwnershipCheck, Validate: o.ExtendedValidation, Now: time.Now,
		},
		Translate: translate.Options{
			Balance: o.Routes.Balance, TCPBalance: o.Routes.TCPBalance, CheckInterval: o.Routes.CheckInterval, CookieName: o.Routes.CookieName,
			Forwarded: o.Global.Headers.Forwarded, HTTP2: o.Global.HTTP2,
			WatchEndpoints: o.WatchEndpoints, IncludeUDP: o.IncludeUDP, CaseAdjust: len(o.Global.Headers.CaseAdjust) > 0,
			LocalEndpoints: o.Manifests != "",
		},
	}
	if o.Ingress.Enable {
		c.Ingress = &ingress.Class{Controller: o.Ingress.Controller, Name: o.Ingress.Class}
	}
	if objects.writer != nil {
		c.Status = objects.writer
	}
	if objects.ingressWriter != nil {
		c.IngressStatus = objects.ingressWriter
	}
	return c
}
