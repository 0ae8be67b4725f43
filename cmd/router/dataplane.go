package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

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
func (r *router) newDataPlane(ctx context.Context) error {
	global := r.options.Global
	dir, err := filepath.Abs(r.options.WorkingDir)
	if err != nil {
		return fmt.Errorf("--working-dir: %w", err)
	}
	if r.layout, err = template.NewLayout(dir); err != nil {
		return fmt.Errorf("--working-dir: %w", err)
	}
	if err := r.loadTLSFiles(ctx, dir); err != nil {
		return err
	}
	global.SetFiles(r.tlsFiles.Current())
	if global.Identifier, err = identifier(filepath.Join(dir, "router", "identifier")); err != nil {
		return err
	}
	templates, err := template.New(conf.Files, r.options.Template, r.layout)
	if err != nil {
		return err
	}
	pages, err := errorPages(global)
	if err != nil {
		return err
	}
	if global.Log.Address, err = logTarget(ctx, global.Log.Address); err != nil {
		return err
	}
	output := r.stdout
	if global.Log.Address == model.LogStdout {
		output = accessLog(output)
	}
	o := r.options
	r.plane = haproxy.New(haproxy.Options{
		Binary: o.HAProxy, Layout: r.layout, Templates: templates, Global: global, ErrorPages: pages,
		ReloadInterval: o.Interval, ReloadTimeout: o.ReloadTimeout, Spares: spares(o), StopGrace: o.ShutdownTimeout, Logger: r.logger, Output: output,
		Metrics: haproxy.NewMetrics(r.registry), Now: time.Now,
		BeforeReload: func(ctx context.Context) { r.exporter.BeforeReload(ctx) },
	})
	return inSettings(r.plane.Prepare(ctx))
}

// loadTLSFiles reads the certificates and lists that the options name.
func (r *router) loadTLSFiles(ctx context.Context, dir string) error {
	o := r.options
	var err error
	r.tlsFiles, err = tlsfiles.Load(ctx, tlsfiles.Options{
		Certificate: defaultcert.Options{
			PEM: o.DefaultCertificate, Path: o.DefaultCertificatePath, Dir: o.DefaultCertificateDir,
			SelfSigned: filepath.Join(dir, "router", "self-signed.pem"), Domain: o.RouterDomain, Now: time.Now(),
		},
		VerifyClients: o.Global.TLS.VerifiesClients(), ClientCAFile: o.ClientCAFile, ClientCRLFile: o.ClientCRLFile,
		DestinationCAFile: o.DefaultDestinationCAPath, Logger: r.logger, Now: time.Now,
	})
	if err == nil && r.tlsFiles.SelfSigned() {
		r.logger.Info("hosts without a certificate get a self-signed one; --default-cert gives another")
	}
	return err
}

// inSettings says what HAProxy refuses in terms of the settings that it comes
// from.
func inSettings(err error) error {
	var refused *haproxy.SettingsError
	if !errors.As(err, &refused) || len(refused.Complaints) == 0 {
		return err
	}
	var settings []error
	for _, c := range refused.Complaints {
		s := options.Refused(c.Line, c.Message)
		if !slices.ContainsFunc(settings, func(o error) bool { return o.Error() == s.Error() }) {
			settings = append(settings, s)
		}
	}
	return errors.Join(settings...)
}

// spares is how many backends are prepared, less than 0 for none.
func spares(o options.Options) int {
	if o.Spares == 0 {
		return -1
	}
	return o.Spares
}
