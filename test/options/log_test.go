package options

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"router/test/routertest"
)

// sink is a syslog server.
type sink struct {
	conn net.PacketConn

	mu    sync.Mutex
	lines []string
}

func listen(t *testing.T, network, address string) *sink {
	t.Helper()
	s := &sink{conn: must[net.PacketConn](t)(net.ListenPacket(network, address))}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 1<<16)
		for {
			n, _, err := s.conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.lines = append(s.lines, string(buffer[:n]))
			s.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = s.conn.Close()
		<-done
	})
	return s
}

// with waits for a line that has the text, and returns all lines up to it.
func (s *sink) with(t *testing.T, text string) []string {
	t.Helper()
	var lines []string
	routertest.Eventually(t, "a line with "+text, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, l := range s.lines {
			if strings.Contains(l, text) {
				lines = append([]string(nil), s.lines[:i+1]...)
				return nil
			}
		}
		return fmt.Errorf("there are %q", s.lines)
	})
	return lines
}

// silent opens a connection, says nothing, and returns what the router says.
func silent(t *testing.T, address string) string {
	t.Helper()
	conn := must[net.Conn](t)(net.DialTimeout("tcp", address, routertest.Patience))
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(routertest.Patience))
	return drain(t, conn)
}

// drain reads until the router closes, which may cut the rest off.
func drain(t *testing.T, conn net.Conn) string {
	t.Helper()
	said, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reading: %v, after %q", err, said)
	}
	return string(said)
}

func TestSyslog(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		s := listen(t, "udp4", "127.0.0.1:0")
		r := start(t, haproxy, directory(t, serve(t, "app", nil)),
			"--syslog-address", s.conn.LocalAddr().String(), "--log-facility=local3", "--log-level=info", "--log-max-length=400",
			"--dont-log-null", "--http-ignore-probes", "--http-request-timeout=300ms",
			"--capture-http-request-headers=User-Agent:40,X-Long:5", "--capture-http-response-headers=X-Pod:20", "--capture-http-cookie=sid=:70")
		if said := silent(t, r.HTTP); said != "" {
			t.Errorf("a connection that is opened ahead is answered: %s", said)
		}
		get(t, r, "http://edge.test/first", "Cookie: other=1; sidx=2; sid="+strings.Repeat("v", 66), "User-Agent: me", "X-Long: 123456789")
		lines := s.with(t, "/first")
		if len(lines) != 1 {
			t.Errorf("more than the request is logged: %q", lines)
		}
		hostname := must[string](t)(os.Hostname())
		if want := regexp.MustCompile(`^<158>\w{3} [ \d]\d [\d:]{8} ` + regexp.QuoteMeta(hostname) + ` haproxy\[\d+\]: 127\.0\.0\.1:\d+ .* public be_edge_http:default:edge/\S+ .* 200 .* sid=v{66} - .* \{me\|12345\} \{app\} "GET /first HTTP/1.1"\n$`); !want.MatchString(lines[0]) {
			t.Errorf("the line is %q, want %s", lines[0], want)
		}
		get(t, r, "https://edge.test/second?"+strings.Repeat("x", 1000))
		lines = s.with(t, "/second")
		if n := len(lines[len(lines)-1]); n < 400 || n > 401 || !strings.Contains(lines[len(lines)-1], "fe_sni~ be_edge_http:default:edge/") {
			t.Errorf("the line has %d bytes: %q", n, lines)
		}
	})
}

func TestSyslogInAFormatOfItsOwn(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		path := filepath.Join(t.TempDir(), "log.sock")
		s := listen(t, "unixgram", path)
		r := start(t, haproxy, directory(t, serve(t, "app", nil), route("pass", "app", "  tls: {termination: passthrough}\n")),
			"--syslog-address", path, "--log-level=debug", "--http-request-timeout=300ms",
			// As the reference router's operator writes it, with quotes.
			"--syslog-format", `"id=%ID agent=%{+Q}[capture.req.hdr(0)] \"%HM\""`, "--capture-http-request-headers=User-Agent:40", "--capture-http-cookie=si:20",
			"--unique-id-format", `"%{+X}o %ci:%cp_%Ts_%rt"`, "--unique-id-header-name=X-Unique")
		if said := silent(t, r.HTTP); !strings.HasPrefix(said, "HTTP/1.1 408 ") {
			t.Errorf("a silent client gets %q", said)
		}
		s.with(t, `agent=`)
		a := get(t, r, "https://edge.test/", "X-Unique: forged", "x_unique: forged", "User-Agent: it's me")
		id := a.echo.Headers["X-Unique"]
		if len(id) == 0 || !regexp.MustCompile(`^7F000001:[0-9A-F]+_[0-9A-F]+_[0-9A-F]+$`).MatchString(id[len(id)-1]) {
			t.Fatalf("the pod gets the identifiers %q", id)
		}
		if len(id) != 1 || strings.Contains(a.body, "forged") {
			t.Errorf("a client's own identifier reaches the pod: %s", a.body)
		}
		lines := s.with(t, "id="+id[len(id)-1]+` agent="it's me" "GET"`)
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, "<142>") {
			t.Errorf("the line is %q", last)
		}
		// A passthrough connection is logged as such.
		if a, err := ask(client(t, r, nil), "https://pass.test/"); err == nil {
			t.Errorf("a pod without TLS answers over TLS: %v", a)
		}
		s.with(t, " be_tcp:default:pass/")
	})
}

func TestAccessLogOnStandardOutput(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		r := start(t, haproxy, directory(t, serve(t, "app", nil)), "--syslog-address=stdout", "--syslog-format=log %HM %HU")
		get(t, r, "http://plain.test/there?a=b")
		routertest.Eventually(t, "the request is logged", func() error {
			if text := r.Stdout.String(); text != "log GET /there?a=b\n" {
				return fmt.Errorf("standard output is %q", text)
			}
			return nil
		})
		if text := r.Stderr.String(); strings.Contains(text, "/there") || !strings.Contains(text, "level=INFO") {
			t.Errorf("standard error is %s", text)
		}
	})
}

// TestStandardOutputThatNobodyReads keeps the reader of the access log from
// reading. Clients do not notice; lines that do not fit are lost whole.
func TestStandardOutputThatNobodyReads(t *testing.T) {
	each(t, func(t *testing.T, haproxy string) {
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = reader.Close() }()
		o := options(haproxy, directory(t, serve(t, "app", nil)), "--syslog-address=container", "--syslog-format=log %HU %hr end", "--log-max-length=8000", "--capture-http-request-headers=X-Long:6000")
		o.Stdout = writer
		r := routertest.Start(t, o)
		_ = writer.Close()
		c := client(t, r, nil)
		long := strings.Repeat("x", 5000)
		const requests = 60
		most := 4095 - len("log /00 {\n")
		for i := range requests {
			if a, err := ask(c, fmt.Sprintf("http://plain.test/%d", i), "X-Long: "+long); err != nil || a.StatusCode != http.StatusOK {
				t.Fatalf("request %d: %v, %v", i, a.Response, err)
			}
		}
		if err := r.Ready(); err != nil {
			t.Errorf("the router is not ready: %v", err)
		}
		_ = reader.SetReadDeadline(time.Now().Add(routertest.Patience))
		lines := bufio.NewReaderSize(reader, 1<<17)
		whole := regexp.MustCompile(`^log /\d+ \{x+\n$`) // Cut to the greatest length.
		read := 0
		for ; lines.Buffered() > 0 || read < 5; read++ {
			if line, err := lines.ReadString('\n'); err != nil || !whole.MatchString(line) || len(line) < most {
				t.Errorf("line %d: %d bytes, %.40q, %v", read, len(line), line, err)
				break
			}
		}
		if read >= requests {
			t.Errorf("all %d lines fit; the pipe was never full", read)
		}
	})
}
