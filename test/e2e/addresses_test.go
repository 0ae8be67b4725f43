package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"router/test/haproxies"
)

// TestAddressesOfEveryForm has addresses that can be written in several ways:
// HAProxy is not told anew what it has.
func TestAddressesOfEveryForm(t *testing.T) {
	haproxies.EachAndNewerAtOnce(t, func(t *testing.T, haproxy string) {
		d := newDirectory(t)
		d.write("first.yaml", route("none", "none.test", "none", ""))
		r := start(t, haproxy, "--manifests", d.dir)
		var docs []string
		for i, address := range []string{"2001:DB8:0:0::1", "::ffff:198.51.100.1", "64:ff9b::198.51.100.1", "::198.51.100.1", "::c633:6402"} {
			name := fmt.Sprintf("form%d", i)
			docs = append(docs, at(name, net.JoinHostPort(address, "8080")), route(name, name+".test", name, ""))
		}
		d.write("forms.yaml", docs...)
		eventually(t, "HAProxy has the addresses", func() error {
			routes, err := r.routes()
			for i := range 5 {
				if s := routes[fmt.Sprintf("form%d", i)].Servers; err == nil && (len(s) != 1 || s[0].State != "up") {
					err = fmt.Errorf("form%d has the servers %v", i, s)
				}
			}
			return err
		})
		if said := r.Stderr.String(); strings.Contains(said, "differs") {
			t.Errorf("the router says:\n%s", said)
		}
	})
}
