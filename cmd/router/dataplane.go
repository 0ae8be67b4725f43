package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"router/conf"
	"router/pkg/defaultcert"
	"router/pkg/haproxy"
	"router/pkg/model"
	"router/pkg/options"
	"router/pkg/template"
	"router/pkg/tlsfiles"
)

// newDataPlane prepares HAProxy, and the files of TLS that may change while it
// runs. Mistakes in settings name their flags.
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
	if o.Global.Identifier, err = identifier(filepath.Join(dir, "router", "identifier")); err != nil {
		return nil, nil, layout, err
	}
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
