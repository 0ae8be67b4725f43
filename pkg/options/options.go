package options

import (
	"time"

	"router/pkg/model"
)

// Options are all settings of the router, checked.
type Options struct {
	// Global is what shapes HAProxy for every route.
	Global model.Global

	Name, CanonicalHostname string
	UpdateStatus            bool
	ResyncInterval          time.Duration

	HostnameTemplate, RouterDomain string
	OverrideHostname               bool
	OverrideDomains                []string
	Labels, Fields                 string
	ProjectLabels, NamespaceLabels string
	DeniedDomains, AllowedDomains  []string
	AllowWildcardRoutes            bool
	DisableNamespaceOwnershipCheck bool
	ExtendedValidation             bool
	ExternalCertificates           bool
	WatchEndpoints, IncludeUDP     bool

	// Manifests is the directory to serve instead of a cluster, "" for none.
	Manifests  string
	Kubernetes Kubernetes

	WorkingDir, HAProxy, Template                                  string
	DefaultCertificate                                             model.Secret
	DefaultCertificatePath, DefaultCertificateDir                  string
	DefaultDestinationCAPath                                       string
	Interval, WorkerMaxAge, GracefulShutdownDelay, ShutdownTimeout time.Duration

	ListenAddr, StatsUser                 string
	StatsPort                             int
	StatsPassword                         model.Secret
	StatsUserFile, StatsPasswordFile      string
	MetricsServerThreshold                int
	MetricsTLSCertFile, MetricsTLSKeyFile string

	Routes RouteDefaults

	LogLevel, LogFormat string

	// Warnings are settings of the environment that are not used as written.
	Warnings []string
}

// RouteDefaults are settings that routes may change for themselves.
type RouteDefaults struct {
	Balance, TCPBalance model.Balance
	CheckInterval       time.Duration
	CookieName          string
}

// Kubernetes says which cluster to watch, and as whom.
type Kubernetes struct {
	Kubeconfig, Context, Cluster, User, Namespace string
	Server, CertificateAuthority                  string
	ClientCertificate, ClientKey, Token           string
	TLSServerName, ProxyURL                       string
	As, AsUID                                     string
	AsGroups                                      []string
	InsecureSkipTLSVerify, DisableCompression     bool
	RequestTimeout                                string
}
