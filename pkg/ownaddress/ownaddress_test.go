package ownaddress

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestList(t *testing.T) {
	list, err := List()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(list, netip.Addr.Compare) {
		t.Errorf("the addresses are not sorted: %v", list)
	}
	for _, a := range list {
		if a.IsLoopback() || a.IsLinkLocalUnicast() || a.Is4In6() {
			t.Errorf("%s is among them", a)
		}
		// An address is the machine's own if it can be listened on.
		l, err := net.Listen("tcp", netip.AddrPortFrom(a, 0).String())
		if err != nil {
			t.Errorf("%s is not an address of this machine: %v", a, err)
			continue
		}
		_ = l.Close()
	}
}

// TestWatch looks at a machine whose addresses come, stay, cannot be read, and
// go.
func TestWatch(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	one, two := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	looks := []struct {
		list []netip.Addr
		err  error
	}{{[]netip.Addr{one}, nil}, {[]netip.Addr{one, two}, nil}, {[]netip.Addr{one, two}, nil}, {nil, errors.New("no")}, {[]netip.Addr{two}, nil}}
	var changes [][]netip.Addr
	i := 0
	Watch(ctx, []netip.Addr{one}, Options{
		List: func() ([]netip.Addr, error) {
			look := looks[i]
			i++
			return look.list, look.err
		},
		Interval: time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		Changed: func(list []netip.Addr) {
			if changes = append(changes, list); i == len(looks) {
				stop()
			}
		},
	})
	if len(changes) != 2 || !slices.Equal(changes[0], []netip.Addr{one, two}) || !slices.Equal(changes[1], []netip.Addr{two}) {
		t.Errorf("the changes are %v", changes)
	}
}
