package netns

import (
	"io"
	"net"
	"testing"
	"time"
)

func TestListenersAreReachedFromOutside(t *testing.T) {
	n := New(t)
	for range 3 {
		l := n.Listen(t, 8080)
		go func() {
			if c, err := l.Accept(); err == nil {
				_, _ = io.WriteString(c, "hello")
				_ = c.Close()
			}
		}()
		c, err := net.DialTimeout("tcp", l.Addr().String(), 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(c); string(text) != "hello" {
			t.Errorf("read %q, %v", text, err)
		}
		_ = c.Close()
	}
}
