package haproxy

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"router/pkg/haproxy/runtime"
	"router/pkg/model"
	"router/test/haproxies"
)

// liar has HAProxy's answers say something else.
type liar struct {
	net.Conn
	instead *[2]string
}

func (l liar) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if l.instead != nil && l.instead[0] != "" {
		copy(p, bytes.ReplaceAll(p[:n], []byte(l.instead[0]), []byte(l.instead[1])))
	}
	return n, err
}

// TestARouteThatCannotBeRepairedIsLeftOut has HAProxy show something else than
// it was sent of one route, whatever is done.
func TestARouteThatCannotBeRepairedIsLeftOut(t *testing.T) {
	for name, instead := range map[string][2]string{
		"entry":   {"be_http:ns:bad|short", "be_http:ns:bad|other"},
		"address": {" 127.0.1.9 2 ", " 127.0.1.8 2 "},
	} {
		t.Run(name, func(t *testing.T) {
			haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
				var lie [2]string
				d := newTestPlane(t, binary, func(ctx context.Context, path string) (net.Conn, error) {
					conn, err := runtime.Dial(ctx, path)
					return liar{conn, &lie}, err
				})
				upsert := func(routes ...*model.Route) {
					t.Helper()
					if o, err := d.Apply(t.Context(), model.Change{Upsert: routes}); err != nil || len(o.Rejected) > 0 {
						t.Fatalf("%+v, %v", o, err)
					}
				}
				bad := simple("bad", "127.0.1.9")
				upsert(bad, simple("good", "127.0.1.1"))
				lie = instead
				reloads := 0
				for i := range 5 {
					o, err := d.Verify(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if o.Reloaded {
						reloads++
					}
					if got, want := o.Rejected[bad.Key] != "", i > 0; got != want || len(o.Rejected) > 1 {
						t.Errorf("verification %d: rejected are %v", i+1, o.Rejected)
					}
				}
				if reloads != 2 {
					t.Errorf("there were %d reloads", reloads)
				}
				for _, e := range wantedEntries(d) {
					if strings.Contains(e, "bad") {
						t.Errorf("still wanted: %s", e)
					}
				}
				// A change gives it another chance.
				lie = [2]string{}
				bad = simple("bad", "127.0.1.9")
				upsert(bad)
				if o, err := d.Verify(t.Context()); err != nil || o.Reloaded || len(o.Rejected) > 0 {
					t.Errorf("once HAProxy shows it: %+v, %v", o, err)
				}
			})
		})
	}
}

// One unlucky repair is forgotten when all is well again, and what a reload
// mends is nobody's fault.
func TestWhatAReloadMendsIsServed(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		var lie [2]string
		d := newTestPlane(t, binary, func(ctx context.Context, path string) (net.Conn, error) {
			conn, err := runtime.Dial(ctx, path)
			return liar{conn, &lie}, err
		})
		if _, err := d.Apply(t.Context(), model.Change{Upsert: []*model.Route{simple("bad", "127.0.1.9"), simple("good", "127.0.1.1")}}); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			lie = [2]string{"be_http:ns:bad|short", "be_http:ns:bad|other"}
			if o, err := d.Verify(t.Context()); err != nil || !o.Reloaded || len(o.Rejected) > 0 {
				t.Fatalf("while it lies: %+v, %v", o, err)
			}
			lie = [2]string{}
			if o, err := d.Verify(t.Context()); err != nil || o.Reloaded || len(o.Rejected) > 0 {
				t.Fatalf("when all is well: %+v, %v", o, err)
			}
		}
	})
}

// More routes than a few cannot all be broken themselves.
func TestNotAllRoutesAreLeftOut(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		var lie [2]string
		d := newTestPlane(t, binary, func(ctx context.Context, path string) (net.Conn, error) {
			conn, err := runtime.Dial(ctx, path)
			return liar{conn, &lie}, err
		})
		var routes []*model.Route
		for i := range maxQuarantines + 1 {
			routes = append(routes, simple(fmt.Sprint("r", i), fmt.Sprintf("127.0.1.%d", i+1)))
		}
		if _, err := d.Apply(t.Context(), model.Change{Upsert: routes}); err != nil {
			t.Fatal(err)
		}
		lie = [2]string{"|short", "|other"}
		for range 3 {
			if o, err := d.Verify(t.Context()); err != nil || len(o.Rejected) > 0 {
				t.Fatalf("%+v, %v", o, err)
			}
		}
	})
}

// simple is a route to one endpoint, where nobody listens.
func simple(name, address string) *model.Route {
	return &model.Route{
		Key: model.RouteKey{Namespace: "ns", Name: name}, Match: model.Match{Host: name + ".test"},
		Backend: model.Backend{
			Balance: model.BalanceRoundRobin, Forwarded: model.ForwardedAppend, Cookie: &model.Cookie{Name: "short", Key: model.NewSecret("k")},
			Servers: []model.Server{{ID: "pod:" + name + ":s::" + address + ":9000", Address: address, Port: 9000, Weight: 5}},
		},
	}
}

// wantedEntries are the values of all lookup tables.
func wantedEntries(d Counting) (list []string) {
	for _, entries := range d.desired.State.Tables {
		for _, value := range entries {
			list = append(list, value)
		}
	}
	return list
}
