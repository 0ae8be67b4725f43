package stats

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

// recordHandshake is the first byte of every TLS connection, and of no HTTP
// request.
const recordHandshake = 0x16

// acceptPause is how long nothing is accepted after there was no file
// descriptor for a connection.
const acceptPause = 100 * time.Millisecond

// splitter hands the connections of one listener to two others, by whether
// they speak TLS.
type splitter struct {
	source     net.Listener
	plain, tls *queueListener
}

func newSplitter(l net.Listener) *splitter {
	queue := func() *queueListener {
		return &queueListener{address: l.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})}
	}
	return &splitter{source: l, plain: queue(), tls: queue()}
}

// run accepts until ctx ends, or the listener fails. It closes the listener.
func (s *splitter) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var sorting sync.WaitGroup
	defer sorting.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = s.source.Close() })()
	for {
		conn, err := s.source.Accept()
		switch {
		case err == nil:
			sorting.Go(func() { s.sort(ctx, conn) })
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ECONNABORTED):
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
		default:
			_ = s.source.Close()
			return fmt.Errorf("serving statistics: %w", err)
		}
	}
}

// sort waits for the first byte of a connection and hands it on.
func (s *splitter) sort(ctx context.Context, conn net.Conn) {
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	first := make([]byte, 1)
	err := conn.SetReadDeadline(time.Now().Add(headerTimeout))
	if err == nil && ctx.Err() == nil {
		_, err = conn.Read(first)
	}
	if err != nil || ctx.Err() != nil || conn.SetReadDeadline(time.Time{}) != nil {
		_ = conn.Close()
		return
	}
	to := s.plain
	if first[0] == recordHandshake {
		to = s.tls
	}
	select {
	case to.conns <- &begunConn{Conn: conn, first: first}:
	case <-to.closed:
		_ = conn.Close()
	}
}

// queueListener is a net.Listener whose connections come from elsewhere.
type queueListener struct {
	address net.Addr
	conns   chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

// Accept implements net.Listener.
func (l *queueListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *queueListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *queueListener) Addr() net.Addr { return l.address }

// begunConn is a connection whose first byte was read already.
type begunConn struct {
	net.Conn
	first []byte
}

// Read implements net.Conn.
func (c *begunConn) Read(p []byte) (int, error) {
	if len(c.first) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.first)
	c.first = c.first[n:]
	return n, nil
}
