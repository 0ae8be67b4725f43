// Package ownaddress knows the addresses of the machine that the router runs on.
package ownaddress

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Interval is the time between two looks, of which one costs less than a
// millisecond. A machine seldom gets an address while it runs.
const Interval = 10 * time.Second

// List returns the addresses of the machine's interfaces, sorted, but for
// loopback and link-local ones, which are the same on all machines.
func List() ([]netip.Addr, error) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("looking up the addresses of this machine: %w", err)
	}
	var list []netip.Addr
	for _, f := range found {
		n, ok := f.(*net.IPNet)
		if !ok {
			continue
		}
		if a, ok := netip.AddrFromSlice(n.IP); ok && !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			list = append(list, a.Unmap())
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list), nil
}

// Options are what Watch needs.
type Options struct {
	// List looks the addresses up, as List does.
	List     func() ([]netip.Addr, error)
	Interval time.Duration
	Logger   *slog.Logger
	// Changed gets all addresses after a change.
	Changed func([]netip.Addr)
}

// Watch looks for changes of the addresses that are known until the context
// ends. What cannot be looked up counts as unchanged.
func Watch(ctx context.Context, known []netip.Addr, o Options) {
	ticker := time.NewTicker(o.Interval)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now, err := o.List()
		if err != nil {
			if !failing {
				o.Logger.Error("the addresses of this machine are those of before", "error", err)
			}
			failing = true
			continue
		}
		failing = false
		if slices.Equal(now, known) {
			continue
		}
		o.Logger.Info("the addresses of this machine have changed", "addresses", now)
		known = now
		o.Changed(now)
	}
}
