package options

import (
	"crypto/tls"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	"router/pkg/given"
	"router/pkg/model"
)

// Options are all settings of the router, checked.
type Options struct {
	// Global is what shapes HAProxy for every route.
	Global model.Global

	Name, CanonicalHostname string
	UpdateStatus            bool
	ResyncInterval          time.Duration
	ExternalNameInterval    time.Duration

	HostnameTemplate, RouterDomain string
	OverrideHostname               bool
	OverrideDomains                []string
	DeniedDomains, AllowedDomains  []string
	AllowWildcardRoutes            bool
	DisableNamespaceOwnershipCheck bool
	ExtendedValidation             bool
	ExternalCertificates           bool
	WatchEndpoints, IncludeUDP     bool
	Ingress                        Ingress

	// Labels select routes and ingresses, Fields routes, and NamespaceLabels
	// the namespaces of both; nil for all.
	Labels, NamespaceLabels labels.Selector
	Fields                  fields.Selector
	// namespacesBy are the flags that select namespaces by labels.
	namespacesBy []string

	// Manifests is the directory to serve instead of a cluster, "" for none.
	Manifests  string
	Kubernetes Kubernetes

	WorkingDir, HAProxy, Template                                  string
	DefaultCertificate                                             model.Secret
	DefaultCertificatePath, DefaultCertificateDir                  given.Path
	DefaultDestinationCAPath                                       given.Path
	ClientCAFile, ClientCRLFile                                    given.Path
	Interval, WorkerMaxAge, GracefulShutdownDelay, ShutdownTimeout time.Duration
	ReloadTimeout                                                  time.Duration

	// HealthCheckRate is the number of health checks in a second; 0 is for none.
	HealthCheckRate int
	// Spares is how many backends are prepared for each kind of settings.
	Spares int

	ListenAddr, StatsUser            string
	StatsPort                        int
	StatsPassword                    model.Secret
	StatsUserFile, StatsPasswordFile given.Path
	// LeaveOutSocketCheck leaves HAProxy's command socket out of liveness.
	LeaveOutSocketCheck bool
	// ReadyURL is what readiness asks, "" for the router's own HTTP port.
	ReadyURL string
	Metrics  Metrics

	Routes RouteDefaults

	LogLevel, LogFormat string
	// LogVerbosity is klog's -v, LogModules its -vmodule.
	LogVerbosity int
	LogModules   []LogModule
	// Profile is a profile to write at the end, "" for none.
	Profile string

	// Warnings are settings of the environment that are not used as written.
	Warnings []string
}

// Metrics say what /metrics shows, and how the statistics port speaks TLS.
type Metrics struct {
	// Type is MetricsHAProxy or MetricsNone.
	Type string
	// ServerThreshold is the number of servers above which none is shown.
	ServerThreshold int
	// ScrapeInterval is the least time between two scrapes of HAProxy for each
	// 1000 rows begun, ScrapeTimeout the bound of one.
	ScrapeInterval, ScrapeTimeout time.Duration
	// Exported are numbers of columns of HAProxy's statistics, nil for the
	// usual ones.
	Exported []int
	TLS      MetricsTLS
}

// The values of Metrics.Type.
const (
	MetricsHAProxy = "haproxy"
	MetricsNone    = "none"
)

// MetricsTLS is the TLS of the statistics port. Nil lists and 0 are the TLS
// library's choice.
type MetricsTLS struct {
	CertFile, KeyFile given.Path
	MinVersion        uint16
	Ciphers           []uint16
	Curves            []tls.CurveID
}

// LogModule is the verbosity of source files whose name matches a pattern.
type LogModule struct {
	Pattern   string
	Verbosity int
}

// Ingress says which Ingresses are served, if any.
type Ingress struct {
	Enable bool
	// Controller is the spec.controller of the classes that are served, Class a
	// class without an IngressClass.
	Controller, Class string
	// Addresses go into the status where there is no canonical host name.
	Addresses []string
}

// RouteDefaults are settings that routes may change for themselves.
type RouteDefaults struct {
	Balance, TCPBalance model.Balance
	CheckInterval       time.Duration
	CookieName          string
	// MaxServers bounds the servers of a route, MaxServersPerNamespace those of
	// all routes of a namespace.
	MaxServers, MaxServersPerNamespace int
}

// Kubernetes says which cluster to watch, and as whom. What is empty is left to
// the kubeconfig file, and without one to the service account of the pod.
type Kubernetes struct {
	Kubeconfig                                given.Path
	Context, Cluster, User, Namespace         string
	Server                                    string
	CertificateAuthority                      given.Path
	ClientCertificate, ClientKey              given.Path
	Token                                     model.Secret
	TLSServerName                             string
	ProxyURL                                  model.Secret
	As, AsUID                                 string
	AsGroups                                  []string
	InsecureSkipTLSVerify, DisableCompression bool
	RequestTimeout                            string
}
