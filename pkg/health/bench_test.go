package health

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
)

// BenchmarkCheck measures the processor time of one check, the pod's part of it
// included.
func BenchmarkCheck(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	address := netip.MustParseAddrPort(l.Addr().String())
	var before, behind syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	n := 0
	for b.Loop() {
		if err := connect(b.Context(), address); err != nil {
			b.Fatal(err)
		}
		n++
	}
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &behind)
	spent := behind.Utime.Nano() + behind.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(spent)/float64(n)/1000, "cpu-µs/check")
}
