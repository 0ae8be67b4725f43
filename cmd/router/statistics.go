package main

import (
	"cmp"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"

	"router/pkg/authz"
	"router/pkg/controller"
	"router/pkg/given"
	"router/pkg/haproxy"
	"router/pkg/haproxy/exporter"
	"router/pkg/health"
	"router/pkg/model"
	"router/pkg/options"
	"router/pkg/stats"
)

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

// credentials reads the user and password of the statistics page from files.
// Without a password one is made.
func credentials(o *options.Options) (made bool, err error) {
	if o.StatsUserFile != "" && o.StatsPasswordFile != "" {
		user, err := o.StatsUserFile.Read()
		if err != nil {
			return false, fmt.Errorf("--stats-user-file: %w", err)
		}
		password, err := o.StatsPasswordFile.Read()
		if err != nil {
			return false, fmt.Errorf("--stats-password-file: %w", err)
		}
		o.StatsUser, o.StatsPassword = string(user), model.NewSecret(string(password))
	}
	if !o.StatsPassword.IsEmpty() {
		return false, nil
	}
	o.StatsPassword = model.NewSecret(rand.Text()[:passwordLength])
	return true, nil
}

// printCredentials shows a password that was made, once.
func printCredentials(o options.Options, address net.Addr, stdout io.Writer) error {
	user := o.StatsUser
	if given.Hides(user) {
		user = given.Shown(user)
	}
	_, err := fmt.Fprintf(stdout, "statistics on %s: user %s, password %s\n", address, user, o.StatsPassword.Reveal())
	return err
}

// passwordLength is how many of its base-32 characters a made password has: 60 bits.
const passwordLength = 12

// newReviewer lets the cluster decide who may use the statistics port beside
// those with the password; nil where there is no cluster.
func newReviewer(o options.Options) (stats.Reviewer, error) {
	if o.Manifests != "" {
		return nil, nil //nolint:nilnil // the password alone counts
	}
	config, err := clusterConfig(o.Kubernetes)
	if err != nil {
		return nil, err
	}
	return authz.New(authz.Options{Config: config, RouterName: o.Name})
}

// serverHealth says what the router's own checks know of servers: nothing bad of
// those that are not checked.
func serverHealth(plane *haproxy.DataPlane, checker *health.Checker) func(backend, endpointID string) (exporter.Health, bool) {
	return func(backend, endpointID string) (exporter.Health, bool) {
		endpoint, _ := model.ParseEndpointID(endpointID)
		address, ok := endpoint.AddrPort()
		if !ok || checker == nil {
			return exporter.Health{}, ok
		}
		r := checker.Report(address)
		return exporter.Health{Down: plane.IsDown(backend, endpointID), Failures: r.Failures, Downtime: r.Downtime, Duration: r.Duration}, true
	}
}
