// Package ports finds ports for servers that tests start as processes of
// their own, and that cannot tell which port they got.
package ports

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Ports for outgoing connections begin at 32768 on Linux; a port below is not
// taken by one of those between the look at it and its use.
const (
	low  = 10000
	high = 32768
	// attempts bounds the search.
	attempts = 1000
)

//nolint:gochecknoglobals // what this process has given out
var (
	mu    sync.Mutex
	given = map[int]bool{}
)

// Free is a port that nobody listens on, and that no other call in this process
// returns.
func Free(t testing.TB) int {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	for range attempts {
		port := low + rand.IntN(high-low) //nolint:gosec // not a secret
		if given[port] {
			continue
		}
		l, err := net.Listen("tcp", ":"+strconv.Itoa(port)) //nolint:gosec // closed at once
		if err != nil {
			continue
		}
		_ = l.Close()
		given[port] = true
		return port
	}
	t.Fatal("no port is free")
	return 0
}

// Address is a loopback address with a free port.
func Address(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(Free(t)))
}
