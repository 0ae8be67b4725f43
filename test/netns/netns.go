// Package netns makes network namespaces for tests, with addresses that a
// real API server accepts as those of pods. Everything is removed at the end
// of the test; routes and interfaces that were there are never touched.
package netns

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace that this machine reaches through a pair
// of virtual interfaces. Addresses in it are from 198.18.0.0/15, the range for
// tests of network devices (RFC 2544).
type Namespace struct {
	name   string
	device string
	prefix netip.Prefix
	next   netip.Addr
}

// attempts is how many subnets are tried before the test fails.
const attempts = 256

// New makes a namespace with a /24 of its own.
func New(t testing.TB) *Namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("network namespaces need root; run the tests as root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Fatal("the command ip is missing; \"make test-deps\" installs iproute2")
	}
	for i := range attempts {
		// The process id spreads test binaries that run at the same time.
		slot := (os.Getpid() + i) % (2 * 256)
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{198, byte(18 + slot/256), byte(slot % 256), 0}), 24)
		if n := try(t, prefix, slot); n != nil {
			return n
		}
	}
	t.Fatalf("no free subnet of 198.18.0.0/15 after %d attempts", attempts)
	return nil
}

// try makes the namespace with a subnet, unless somebody has it.
func try(t testing.TB, prefix netip.Prefix, slot int) *Namespace {
	t.Helper()
	routes := must(t, "ip", "-4", "route", "show", "root", prefix.String())
	if strings.TrimSpace(routes) != "" {
		return nil
	}
	n := &Namespace{name: fmt.Sprintf("router-test-%d", slot), prefix: prefix}
	if err := exec.Command("ip", "netns", "add", n.name).Run(); err != nil { //nolint:gosec // our own name
		return nil // Another test has it.
	}
	t.Cleanup(func() { must(t, "ip", "netns", "del", n.name) })
	outside, inside := fmt.Sprintf("rt%do", slot), fmt.Sprintf("rt%di", slot)
	t.Cleanup(func() { must(t, "ip", "link", "del", outside) })
	must(t, "ip", "link", "add", outside, "type", "veth", "peer", "name", inside, "netns", n.name)
	gateway := prefix.Addr().Next()
	must(t, "ip", "addr", "add", gateway.String()+"/24", "dev", outside)
	must(t, "ip", "link", "set", outside, "up")
	must(t, "ip", "-n", n.name, "link", "set", "lo", "up")
	must(t, "ip", "-n", n.name, "link", "set", inside, "up")
	n.device, n.next = inside, gateway
	return n
}

func must(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput() //nolint:gosec // our own arguments
	if err != nil {
		t.Errorf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Listen opens a TCP listener on a new address of the namespace.
func (n *Namespace) Listen(t testing.TB, port int) net.Listener {
	t.Helper()
	return n.ListenOn(t, n.Address(t), port)
}

// Address adds a new address to the namespace.
func (n *Namespace) Address(t testing.TB) netip.Addr {
	t.Helper()
	n.next = n.next.Next()
	if !n.prefix.Contains(n.next) {
		t.Fatal("the namespace's addresses are used up")
	}
	must(t, "ip", "-n", n.name, "addr", "add", n.next.String()+"/24", "dev", n.device)
	return n.next
}

// ListenOn opens a TCP listener on an address of the namespace.
func (n *Namespace) ListenOn(t testing.TB, addr netip.Addr, port int) net.Listener {
	t.Helper()
	var listener net.Listener
	err := n.inside(func() (err error) {
		listener, err = net.Listen("tcp4", netip.AddrPortFrom(addr, uint16(port)).String())
		return err
	})
	if err != nil {
		t.Fatalf("listening on %s port %d in %s: %v", addr, port, n.name, err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// inside calls f in the namespace: sockets belong to the namespace of the
// thread that makes them.
func (n *Namespace) inside(f func() error) error {
	result := make(chan error, 1)
	go func() {
		// The thread is not given back: it ends with this goroutine.
		runtime.LockOSThread()
		file, err := os.Open("/run/netns/" + n.name)
		if err != nil {
			result <- err
			return
		}
		defer func() { _ = file.Close() }()
		if err := unix.Setns(int(file.Fd()), syscall.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("entering namespace: %w", err)
			return
		}
		result <- f()
	}()
	return <-result
}
