package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"router/pkg/controller"
	"router/pkg/controller/admission"
	"router/pkg/controller/routes"
	"router/pkg/controller/translate"
	"router/pkg/haproxy"
	"router/pkg/haproxy/exporter"
	"router/pkg/haproxy/process"
	"router/pkg/health"
	"router/pkg/model"
	"router/pkg/options"
	"router/pkg/ownaddress"
	"router/pkg/source"
	"router/pkg/source/dns"
	"router/pkg/stats"
	"router/pkg/template"
	"router/pkg/tlsfiles"
)

// serve runs the router until ctx ends.
func serve(ctx context.Context, o options.Options, stdout, stderr io.Writer) error {
	logger := newLogger(o, stderr)
	if err := logLibraries(o, logger); err != nil {
		return err
	}
	stopProfile, err := startProfile(o.Profile)
	if err != nil {
		return err
	}
	defer logProfile(stopProfile, logger)
	for _, w := range options.Misspelled(os.Environ()) {
		logger.Warn("a variable may be misspelled", "reason", w)
	}
	for _, w := range o.Warnings {
		logger.Warn("a setting is not used as it was given", "reason", w)
	}
	listener, err := net.Listen("tcp", statsAddress(o))
	if err != nil {
		return fmt.Errorf("--stats-port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	made, err := credentials(&o)
	if err != nil {
		return err
	}
	r := router{options: o, logger: logger, stdout: stdout, registry: prometheus.NewRegistry(), listener: listener, end: endingOf(ctx)}
	if err := r.wire(ctx); err != nil {
		return err
	}
	if made {
		if err := printCredentials(o, listener.Addr(), stdout); err != nil {
			return err
		}
	}
	return r.run(ctx)
}

// router is the parts of the program.
type router struct {
	options  options.Options
	logger   *slog.Logger
	stdout   io.Writer
	registry *prometheus.Registry
	// listener is that of the statistics port.
	listener net.Listener
	end      *ending

	layout   template.Layout
	tlsFiles *tlsfiles.Files
	plane    *haproxy.DataPlane
	queue    *source.Queue
	objects  objectSource
	names    *dns.Names
	// checker is nil where servers are not checked.
	checker    *health.Checker
	own        translate.Own
	controller *controller.Controller
	supervisor *process.Supervisor
	exporter   *exporter.Collector
	server     *stats.Server
}

// wire makes the parts. Nothing runs yet.
func (r *router) wire(ctx context.Context) error {
	o := r.options
	r.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := r.newDataPlane(ctx); err != nil {
		return err
	}
	r.end.atOnce(r.plane.Kill)
	r.queue = source.NewQueue(time.Now)
	selection := source.Selection{Namespace: o.Kubernetes.Namespace, Namespaces: o.NamespaceLabels, Labels: o.Labels, Fields: o.Fields}
	var err error
	if r.objects, err = newSource(o, selection, r.queue, r.registry, r.logger); err != nil {
		return err
	}
	r.names = dns.New(dns.Options{Queue: r.queue, Interval: o.ExternalNameInterval, Metrics: dns.NewMetrics(r.registry), Logger: r.logger})
	if o.HealthCheckRate > 0 {
		r.checker = health.New(health.Options{Rate: o.HealthCheckRate, Registry: r.registry})
	}
	if r.own, err = own(o, r.listener.Addr()); err != nil {
		// There are other bounds of what routes to the router itself can do.
		r.logger.Error("routes may lead to this router itself until its addresses are known", "error", err)
	}
	r.controller = controller.New(r.controllerOptions(selection))
	r.supervisor = process.NewSupervisor(process.SupervisorOptions{
		MasterSocket: r.layout.MasterSocket.String(), MaxAge: o.WorkerMaxAge, Logger: r.logger, Registry: r.registry, Now: time.Now,
	})
	r.exporter = r.newExporter()
	r.server, err = r.newServer(ctx.Done())
	return err
}

func (r *router) controllerOptions(selection source.Selection) controller.Options {
	o := r.options
	c := controller.Options{
		Queue: r.queue, DataPlane: r.plane, Logger: r.logger, Now: time.Now,
		Selection: selection, Secrets: r.objects.secrets, ExternalCertificates: o.ExternalCertificates, Names: r.names,
		Admission: admission.Options{
			Naming: admission.Naming{
				Template: o.HostnameTemplate, Domain: o.RouterDomain, Override: o.OverrideHostname, OverrideDomains: o.OverrideDomains,
			},
			AllowedDomains: o.AllowedDomains, DeniedDomains: o.DeniedDomains, AllowWildcards: o.AllowWildcardRoutes,
			SharedHosts: o.DisableNamespaceOwnershipCheck, Validate: o.ExtendedValidation, Now: time.Now,
			CheckCertificate: process.NewCertificateChecker(o.HAProxy, filepath.Dir(r.layout.RuntimeSocket.String()), r.logger).Check,
		},
		Translate: translate.Options{
			Balance: o.Routes.Balance, TCPBalance: o.Routes.TCPBalance, CheckInterval: o.Routes.CheckInterval, CookieName: o.Routes.CookieName,
			Forwarded: o.Global.Headers.Forwarded, HTTP2: o.Global.HTTP2,
			WatchEndpoints: o.WatchEndpoints, IncludeUDP: o.IncludeUDP, CaseAdjust: len(o.Global.Headers.CaseAdjust) > 0,
			LocalEndpoints: o.Manifests != "", MaxServersPerRoute: o.Routes.MaxServers, Own: r.own,
		},
		MaxServersPerNamespace: o.Routes.MaxServersPerNamespace,
	}
	c.ServerStates = func(ctx context.Context) (func(backend, endpoint string) string, error) {
		states, err := r.plane.ServerStates(ctx)
		return states.Of, err
	}
	if o.DefaultDestinationCAPath != "" {
		c.Translate.DefaultDestinationCA = r.layout.DestinationCA.String()
	}
	if o.Ingress.Enable {
		c.Ingress = &routes.Class{Controller: o.Ingress.Controller, Name: o.Ingress.Class}
	}
	// A nil pointer in an interface would not be nil.
	if r.checker != nil {
		c.Health = r.checker
	}
	if r.objects.writer != nil {
		c.Status = r.objects.writer
	}
	if r.objects.ingressWriter != nil {
		c.IngressStatus = r.objects.ingressWriter
	}
	return c
}

// newExporter makes what reads HAProxy's metrics.
func (r *router) newExporter() *exporter.Collector {
	o := r.options.Metrics
	return exporter.New(exporter.Options{
		Runtime: r.plane.Ask, Logger: r.logger,
		ServerNames: r.plane.EndpointOf, BackendNames: r.plane.BackendOf, Health: serverHealth(r.plane, r.checker),
		ServerThreshold: o.ServerThreshold, Exported: o.Exported, ScrapeInterval: o.ScrapeInterval, ScrapeTimeout: o.ScrapeTimeout,
	})
}

// newServer makes the server of the statistics port.
func (r *router) newServer(stopping <-chan struct{}) (*stats.Server, error) {
	o := r.options
	reviewer, err := newReviewer(o)
	if err != nil {
		return nil, err
	}
	serverTLS, err := metricsTLS(o.Metrics.TLS, r.logger)
	if err != nil {
		return nil, err
	}
	return stats.New(stats.Options{
		User: o.StatsUser, Password: o.StatsPassword, Reviewer: reviewer, TLS: serverTLS, Logger: r.logger, Gatherer: r.registry,
		HAProxySocket: r.layout.StatsSocket.String(), Runtime: r.plane.Ask, NoMetrics: o.Metrics.Type == options.MetricsNone, NoSocketCheck: o.LeaveOutSocketCheck,
		Collector: r.exporter, BackendNames: r.plane.BackendOf,
		Routes: r.controller.Routes, Workers: r.supervisor.Old, Ready: func(context.Context) error { return readiness(r.controller) }, Stopping: stopping,
		ProbeURL: cmp.Or(o.ReadyURL, probeURL(o.Global.Listen)), ProbeProxyProtocol: o.Global.Listen.AcceptProxy && o.ReadyURL == "",
	}), nil
}

// run runs the parts until ctx ends. After the signal to stop, the router says
// that it is not ready, and serves on until load balancers have had time to
// notice.
func (r *router) run(ctx context.Context) error {
	running, stopAll := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAll()
	group, running := errgroup.WithContext(running)
	for _, part := range r.parts() {
		group.Go(func() error { return part(running) })
	}
	group.Go(func() error {
		defer stopAll()
		select {
		case <-running.Done():
			return nil
		case <-ctx.Done():
		}
		r.logger.Info("stopping", "delay", r.options.GracefulShutdownDelay)
		select {
		case <-running.Done():
		case <-r.end.now:
		case <-time.After(r.options.GracefulShutdownDelay):
		}
		return nil
	})
	err := group.Wait()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.options.ShutdownTimeout+stopMargin)
	defer cancel()
	return errors.Join(err, r.plane.Stop(stopping))
}

// stopMargin is time for HAProxy to end after its connections have.
const stopMargin = 5 * time.Second

// parts are what runs at the same time. An error of one ends all.
func (r *router) parts() []func(context.Context) error {
	noError := func(run func(context.Context)) func(context.Context) error {
		return func(ctx context.Context) error { run(ctx); return nil }
	}
	list := []func(context.Context) error{
		r.objects.run,
		r.controller.Run,
		func(ctx context.Context) error { return r.server.Serve(ctx, r.listener) },
		noError(r.names.Run),
		noError(r.supervisor.Run),
		noError(func(ctx context.Context) {
			r.tlsFiles.Watch(ctx, func(f model.TLSFiles) { r.controller.SetFiles(ctx, f) })
		}),
		noError(func(ctx context.Context) {
			ownaddress.Watch(ctx, r.own.Addresses, ownaddress.Options{
				List: ownaddress.List, Interval: ownaddress.Interval, Logger: r.logger,
				Changed: func(list []netip.Addr) { r.controller.SetOwnAddresses(ctx, list) },
			})
		}),
	}
	if r.checker != nil {
		list = append(list, noError(r.checker.Run))
	}
	if r.objects.writer != nil {
		list = append(list, noError(r.objects.writer.Run))
	}
	if r.objects.ingressWriter != nil {
		list = append(list, noError(r.objects.ingressWriter.Run))
	}
	if r.objects.elect != nil {
		list = append(list, noError(r.objects.elect))
	}
	return list
}
