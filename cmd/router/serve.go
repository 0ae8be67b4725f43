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
	"router/pkg/controller/ingress"
	"router/pkg/controller/translate"
	"router/pkg/haproxy"
	"router/pkg/health"
	"router/pkg/model"
	"router/pkg/options"
	"router/pkg/ownaddress"
	"router/pkg/source"
	"router/pkg/source/names"
	"router/pkg/stats"
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

	end := endingOf(ctx)
	end.atOnce(plane.Kill)

	queue := source.NewQueue(time.Now)
	objects, err := newSource(o, selection, queue, registry, logger)
	if err != nil {
		return err
	}
	resolved := names.New(names.Options{Queue: queue, Interval: o.ExternalNameInterval, Metrics: names.NewMetrics(registry), Logger: logger})
	settings := controllerOptions(o, selection, queue, plane, objects, logger)
	settings.Names = resolved
	var checker *health.Checker
	if o.HealthCheckRate > 0 {
		checker = health.New(health.Options{Rate: o.HealthCheckRate, Registry: registry})
		settings.Health = checker
	}
	if settings.Translate.Own, err = own(o, listener.Addr()); err != nil {
		// There are other bounds of what routes to the router itself can do.
		logger.Error("routes may lead to this router itself until its addresses are known", "error", err)
	}
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
			ServerNames: plane.EndpointOf, BackendNames: plane.BackendOf, Health: serverHealth(plane, checker), ServerThreshold: o.Metrics.ServerThreshold, Exported: o.Metrics.Exported,
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
	group.Go(func() error { resolved.Run(running); return nil })
	if checker != nil {
		group.Go(func() error { checker.Run(running); return nil })
	}
	group.Go(func() error { return c.Run(running) })
	group.Go(func() error { supervisor.Run(running); return nil })
	group.Go(func() error { return server.Serve(running, listener) })
	group.Go(func() error {
		files.Watch(running, func(f model.TLSFiles) { c.SetFiles(running, f) })
		return nil
	})
	group.Go(func() error {
		ownaddress.Watch(running, settings.Translate.Own.Addresses, ownaddress.Options{
			List: ownaddress.List, Interval: ownaddress.Interval, Logger: logger,
			Changed: func(list []netip.Addr) { c.SetOwnAddresses(running, list) },
		})
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
		case <-end.now:
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
			LocalEndpoints: o.Manifests != "", MaxServersPerRoute: o.Routes.MaxServers,
		},
		MaxServersPerNamespace: o.Routes.MaxServersPerNamespace,
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
