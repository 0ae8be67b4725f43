package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"router/test/haproxies"
)

// crowdManifest is a route, without a port, to a service of endpoints that have
// many ports. Nobody listens there.
func crowdManifest(endpoints, ports int) string {
	var b strings.Builder
	b.WriteString("apiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {name: crowd}\nspec: {host: crowd.test, to: {kind: Service, name: crowd}}\n---\n" +
		"apiVersion: v1\nkind: Service\nmetadata: {name: crowd}\n---\n" +
		"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: crowd, labels: {kubernetes.io/service-name: crowd}}\naddressType: IPv4\nports:\n")
	for i := range ports {
		fmt.Fprintf(&b, "- {name: p%d, port: %d}\n", i, 2+i)
	}
	b.WriteString("endpoints:\n")
	for i := range endpoints {
		fmt.Fprintf(&b, "- {addresses: [127.99.%d.%d]}\n", i/250, 1+i%250)
	}
	return b.String()
}

// TestOneRouteWithManyEndpointsHoldsNobodyUp has a service name 10,000 servers
// while another route's pods change. It runs by itself, because it is about time.
func TestOneRouteWithManyEndpointsHoldsNobodyUp(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, haproxy string) {
		d := newDirectory(t)
		first, second := runApp(t, "good", 1, nil), runApp(t, "other", 1, nil)
		second.name = first.name
		good := "apiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {name: good}\nspec: {host: good.test, to: {kind: Service, name: good}}\n"
		d.write("good.yaml", good, first.manifest(""))
		r := start(t, haproxy, "--manifests", d.dir)
		eventually(t, "the good route is served", func() error { return r.servedBy("http://good.test/", "good-1") })

		d.write("crowd.yaml", crowdManifest(1000, 10))
		eventually(t, "it is told how many there are", func() error {
			routes, err := r.routes()
			if err != nil {
				return err
			}
			crowd := routes["crowd"]
			for _, p := range crowd.Problems {
				if strings.Contains(p.Message, "leads to 10000 or more servers, of which the first 1000 by name are used") && len(crowd.Servers) == 1000 {
					return nil
				}
			}
			return fmt.Errorf("%d servers, problems %+v", len(crowd.Servers), crowd.Problems)
		})
		d.write("good.yaml", good, second.manifest(""))
		within(t, 15*time.Second, "a change of the good route is served", func() error { return r.servedBy("http://good.test/", "other-1") })
	})
}
