package stats

import (
	"context"
	"crypto/tls"
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

// splitter is a listener whose connections may speak TLS or not. Those that do
// come as *tls.Conn, which an HTTP server knows.
type splitter struct {
	net.Listener
	config *tls.Config
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func newSplitter(l net.Listener, config *tls.Config) *splitter {
	return &splitter{Listener: l, config: config, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (s *splitter) Accept() (net.Conn, error) {
	select {
	case conn := <-s.conns:
		return conn, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. The one below is for run to close.
func (s *splitter) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// run accepts until ctx ends, or the listener fails. It closes the listener.
func (s *splitter) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var sorting sync.WaitGroup
	defer sorting.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = s.Listener.Close() })()
	for {
		conn, err := s.Listener.Accept()
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
			_ = s.Listener.Close()
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
	var begun net.Conn = &begunConn{Conn: conn, first: first}
	if first[0] == recordHandshake {
		begun = tls.Server(begun, s.config)
	}
	select {
	case s.conns <- begun:
	case <-s.closed:
		_ = conn.Close()
	}
}

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
