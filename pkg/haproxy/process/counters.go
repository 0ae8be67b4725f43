package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"router/pkg/haproxy/runtime"
)

// The counters of rate limits are in stick tables, which a reload hands over:
// the old worker connects to the new one as HAProxy's local peer and tells all
// that it has counted. Before 3.0 a worker does so only if it believes that its
// tables are complete: it was told the counters when it began, or nobody has
// told it any for 5 s. Of reloads that follow each other faster, each would
// start the limits anew. So a worker that nobody has told anything is told by
// the router that there is nothing.

// The rhythm of the look at a handover.
const (
	// handoverTime is how long the old worker has to begin. It does so at once,
	// if at all.
	handoverTime     = 500 * time.Millisecond
	handoverInterval = 10 * time.Millisecond
)

// AwaitCounters returns when the running worker has the counters of the former
// one, or is being told them, or knows that nobody has any.
func (m *Master) AwaitCounters(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, runtime.Timeout)
	defer cancel()
	ticker := time.NewTicker(handoverInterval)
	defer ticker.Stop()
	for range handoverTime / handoverInterval {
		answer, err := runtime.Query(ctx, m.o.RuntimeSocket, "show peers")
		if err != nil {
			return err
		}
		if settled(answer) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return m.tellNoCounters(ctx)
}

// peersFlags finds the state of a peers section in "show peers".
var peersFlags = regexp.MustCompile(` id=\S+ disabled=\d+ flags=0x([0-9a-f]+) `)

// peersComplete are the bits of a section whose tables are complete.
const peersComplete = 0x3

// settled reports whether an answer to "show peers" says that the tables are
// complete, or that somebody has connected to tell them.
func settled(answer string) bool {
	m := peersFlags.FindStringSubmatch(answer)
	if m == nil {
		return true // There is nothing that counters could be told by.
	}
	flags, err := strconv.ParseUint(m[1], 16, 64)
	return err != nil || flags&peersComplete == peersComplete || !strings.Contains(answer, " last_status=NONE ")
}

// Parts of the protocol of peers (doc/peers-v2.0.txt of HAProxy).
const (
	peersVersion   = "HAProxyS 2.1"
	peersWelcome   = "200\n"
	peersBusy      = "300\n" // The old worker has come.
	peersUnknown   = "504\n"
	peersFinished  = "\x00\x01"
	peersConfirmed = "\x00\x03"
)

// tellNoCounters connects to the running worker as the former one would, and
// says that this was all.
func (m *Master) tellNoCounters(ctx context.Context) error {
	conn, err := runtime.Dial(ctx, m.o.PeersSocket)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(runtime.Timeout)); err != nil {
		return fmt.Errorf("haproxy peers: %w", err)
	}
	// The number is that of the process, which HAProxy only logs.
	if _, err := fmt.Fprintf(conn, "%s\n%s\n%[2]s 0 1\n", peersVersion, m.o.LocalPeer); err != nil {
		return fmt.Errorf("haproxy peers: %w", err)
	}
	reader := bufio.NewReader(conn)
	status, err := reader.ReadString('\n')
	switch {
	case err != nil:
		return fmt.Errorf("haproxy peers: %w", err)
	case status == peersBusy:
		return nil
	case status != peersWelcome:
		return fmt.Errorf("haproxy peers: status %q", strings.TrimSpace(status))
	}
	if _, err := io.WriteString(conn, peersFinished); err != nil {
		return fmt.Errorf("haproxy peers: %w", err)
	}
	answer := make([]byte, len(peersConfirmed))
	if _, err := io.ReadFull(reader, answer); err != nil {
		return fmt.Errorf("haproxy peers: %w", err)
	}
	if string(answer) != peersConfirmed {
		return errors.New("haproxy peers: not confirmed")
	}
	return nil
}

// refuseCounters answers the workers that end for good and look for the one
// that replaces them: there is none. HAProxy 3.4 looks for 5 s otherwise, in
// which nobody listens on the ports. It ends with the returned function.
func refuseCounters(path string) (end func(), err error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("haproxy peers: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("haproxy peers: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			refusePeer(conn)
		}
	}()
	return func() {
		_ = l.Close()
		<-ended
	}, nil
}

// refusePeer reads what a peer says of itself, since the answer may be lost if
// something is left unread, and refuses it.
func refusePeer(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(runtime.Timeout))
	reader := bufio.NewReader(conn)
	for range 3 {
		if _, err := reader.ReadString('\n'); err != nil {
			return
		}
	}
	_, _ = io.WriteString(conn, peersUnknown)
}
