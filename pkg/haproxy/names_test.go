package haproxy_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"router/pkg/model"
	"router/test/certs"
	"router/test/haproxies"
)

// longest makes a name of as many characters as Kubernetes allows.
func longest(n int, end string) string { return strings.Repeat("n", n-len(end)) + end }

// shown is the first name in the certificate that a host is served with.
func (p *plane) shown(t *testing.T, host string) string {
	t.Helper()
	c, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.https)), &tls.Config{ServerName: host, InsecureSkipVerify: true}) //nolint:gosec // what is shown counts
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].DNSNames[0]
}

// turnedAway is an error unless a request for a host ends without an answer,
// as it does for clients that an allowlist does not have.
func (p *plane) turnedAway(host string) error {
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", p.http), nil)
	if err != nil {
		return err
	}
	req.Host = host
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err == nil {
		_ = resp.Body.Close()
		return fmt.Errorf("%s is answered: %s", host, resp.Status)
	}
	return nil
}

// Two routes of the longest names, that differ in the last character alone,
// have a file of each kind.
func TestTheLongestNamesAreServed(t *testing.T) {
	ca, err := certs.NewAuthority("ca")
	if err != nil {
		t.Fatal(err)
	}
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		made := func(end, certificate string) *model.Route {
			r := route(longest(253, end), end+".test", pod(t, end))
			r.Key.Namespace = longest(63, "s")
			pair, err := ca.Issue(certificate)
			if err != nil {
				t.Fatal(err)
			}
			r.Termination, r.Insecure = model.TerminationReencrypt, model.InsecureAllow
			r.Certificate = &model.Certificate{Chain: pair.Cert, Key: model.NewSecret(pair.Key)}
			r.Backend.TLS = &model.ServerTLS{CA: ca.PEM}
			r.Backend.Servers[0].VerifyHost = "pod.test"
			return r
		}
		listed := func(r *model.Route, prefix string) *model.Route {
			r.Backend.TLS = nil
			r.Termination = model.TerminationEdge
			r.Backend.Allowlist = &model.Allowlist{Prefixes: []netip.Prefix{netip.MustParsePrefix(prefix)}}
			return r
		}
		apply(t, p, model.Change{Upsert: []*model.Route{made("a", "a.test"), made("b", "b.test")}})
		for _, host := range []string{"a.test", "b.test"} {
			if got := p.shown(t, host); got != host {
				t.Errorf("%s is served with the certificate of %s", host, got)
			}
		}
		// A new certificate, a list, and an end: each is about its own file.
		apply(t, p, model.Change{Upsert: []*model.Route{listed(made("a", "new.test"), "127.0.0.0/8"), listed(made("b", "b.test"), "192.0.2.0/24")}})
		if got := p.shown(t, "a.test"); got != "new.test" {
			t.Errorf("the certificate is that of %s", got)
		}
		p.look(t, "with lists", lookup{"a.test", "/", "a"})
		if err := p.turnedAway("b.test"); err != nil {
			t.Error(err)
		}
		apply(t, p, model.Change{Delete: []model.RouteKey{made("a", "a.test").Key}})
		p.look(t, "with one gone", lookup{"a.test", "/", "nobody"})
		if err := p.turnedAway("b.test"); err != nil {
			t.Error(err)
		}
		if got := p.shown(t, "b.test"); got != "b.test" {
			t.Errorf("the certificate is that of %s", got)
		}
		if o, err := p.Verify(context.Background()); err != nil || o.Reloaded {
			t.Errorf("verify: %+v %v", o, err)
		}
	})
}
