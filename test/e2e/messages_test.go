package e2e

import (
	"errors"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// testMessages: what a route asks for and does not get is told in its status,
// and what is wrong with what it leads to.
// What the API server itself refuses, such as the path of a passthrough route,
// is seen with manifests only.
func (c *cluster) testMessages(haproxy string) {
	edge := &routev1.TLSConfig{Termination: routev1.TLSTerminationEdge}
	ignored := func(parts ...string) func(name string) error {
		return func(name string) error {
			return c.says(name, "SettingsIgnored", corev1.ConditionTrue, "InvalidSettings", parts...)
		}
	}
	degraded := func(cause string, parts ...string) func(name string) error {
		return func(name string) error { return c.says(name, "Degraded", corev1.ConditionTrue, cause, parts...) }
	}
	cases := []struct {
		name   string
		tls    *routev1.TLSConfig
		change func(*routev1.Route)
		says   func(name string) error
	}{
		{"reencrypt", &routev1.TLSConfig{Termination: routev1.TLSTerminationReencrypt}, func(*routev1.Route) {},
			degraded("ServersNotVerified", "spec.tls.destinationCACertificate: there is no CA to verify the pods by")},
		{"no-service", nil, func(r *routev1.Route) { r.Spec.To.Name = "plane" },
			degraded("ServiceNotFound", "spec.to.name: there is no service plane in default; did you mean plain?")},
		{"no-other-service", nil, func(r *routev1.Route) {
			r.Spec.AlternateBackends = []routev1.RouteTargetReference{{Kind: "Service", Name: "zzz"}}
		}, degraded("ServiceNotFound", "spec.alternateBackends[0].name: there is no service zzz in default")},
		{"no-port", nil, func(r *routev1.Route) { r.Spec.Port = &routev1.RoutePort{TargetPort: intstr.FromString("htp")} },
			degraded("PortNotFound", "spec.port.targetPort: the endpoints of service plain have no port htp; they have main (8080)")},
		{"both", nil, func(r *routev1.Route) {
			r.Spec.To.Name = "zzz"
			annotated(haproxyAnnotation+"balance", "first")(r)
		}, func(name string) error {
			return errors.Join(degraded("ServiceNotFound", "there is no service zzz in default")(name), ignored("must be roundrobin")(name))
		}},
		{"misspelt", nil, annotated(haproxyAnnotation+"ballance", "random"),
			ignored("metadata.annotations[" + haproxyAnnotation + "ballance]: is not an annotation that the router knows; did you mean " + haproxyAnnotation + "balance?")},
		{"other-prefix", nil, annotated(haproxyAnnotation+"cookie_name", "a"), ignored("did you mean " + routerAnnotation + "cookie_name?")},
		{"invalid", edge, annotated(haproxyAnnotation+"hsts_header", "forever"), ignored(haproxyAnnotation + "hsts_header]: must be max-age=SECONDS")},
		{"closed", nil, annotated(haproxyAnnotation+"ip_allowlist", "nobody"), ignored("every client is refused")},
		{"limited", nil, func(r *routev1.Route) {
			annotated(limits, "true")(r)
			annotated(limits+".rate-tcp", "+5")(r)
		}, ignored("until then every connection is refused")},
		{"inapplicable", nil, annotated(haproxyAnnotation+"hsts_header", "max-age=1"), ignored("has no effect on a route without TLS")},
		{"fine", edge, annotated(haproxyAnnotation+"hsts_header", "max-age=1"), func(name string) error {
			return c.admitted(name, corev1.ConditionTrue, "")
		}},
	}
	for _, tt := range cases {
		c.route(tt.name, tt.name+".messages.test", "plain", tt.tls)
		c.edit(tt.name, tt.change)
	}
	start(c.t, haproxy, "--config", c.Kubeconfig)
	for _, tt := range cases {
		eventually(c.t, "the status of "+tt.name, func() error { return tt.says(tt.name) })
	}
	if ignored()("fine") == nil || degraded("")("fine") == nil {
		c.t.Error("a route without problems is told of some")
	}
	for _, tt := range cases {
		if err := c.routes.Delete(c.t.Context(), tt.name, metav1.DeleteOptions{}); err != nil {
			c.t.Error(err)
		}
	}
}
