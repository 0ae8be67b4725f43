// Sample-pods answers at the addresses that the manifests in examples name,
// so that they can be tried without a cluster. Where such a port is taken, it
// answers at another one, and copies the manifests with that.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"

	"router/test/certs"
	"router/test/pods"
)

// authorityName is that of the CA in examples/reencrypt.yaml.
const authorityName = "CA of the sample pods"

type pod struct {
	name string
	port int
	tls  bool
}

// samples are the pods of the examples.
func samples() []pod {
	return []pod{
		{"hello-1", 18081, false}, {"hello-2", 18082, false},
		{"shop-1", 18083, false}, {"shop-next-1", 18084, false},
		{"bank-1", 18443, true}, {"vault-1", 18444, true},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("sample-pods", flag.ContinueOnError)
	ca := flags.Bool("ca", false, "print the CA of the TLS pods and end")
	manifests := flags.String("manifests", "", "directory of manifests that name the pods; the one to serve is printed")
	to := flags.String("copy", "", "directory for a copy of them, made where a port is taken")
	if err := flags.Parse(args); err != nil {
		return err
	}
	authority, err := certs.SampleAuthority(authorityName)
	if err != nil {
		return err
	}
	if *ca {
		_, err := fmt.Fprint(stdout, authority.PEM)
		return err
	}
	pair, err := authority.Issue("bank.example.test", "vault.example.test")
	if err != nil {
		return err
	}
	cert, err := pair.TLS()
	if err != nil {
		return err
	}
	moved := map[int]int{}
	for _, p := range samples() {
		l, err := listen(p.port)
		if err != nil {
			return fmt.Errorf("pod %s: %w", p.name, err)
		}
		if at := l.Addr().(*net.TCPAddr).Port; at != p.port {
			moved[p.port] = at
		}
		var config *tls.Config
		if p.tls {
			config = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		}
		defer pods.Serve(l, p.name, config).Close()
		fmt.Fprintf(stdout, "pod %-12s %s\n", p.name, l.Addr())
	}
	serve, err := served(*manifests, *to, moved)
	if err != nil {
		return err
	}
	if serve != "" {
		fmt.Fprintf(stdout, "manifests %s\n", serve)
	}
	<-ctx.Done()
	return nil
}

// listen takes the port, or a free one.
func listen(port int) (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return net.Listen("tcp", "127.0.0.1:0")
	}
	return l, err
}

// served is the directory whose manifests have the ports of the pods: the
// given one, or a copy of it.
func served(manifests, to string, moved map[int]int) (string, error) {
	if len(moved) == 0 || manifests == "" {
		return manifests, nil
	}
	files, err := filepath.Glob(filepath.Join(manifests, "*.yaml"))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(to, 0o750); err != nil {
		return "", err
	}
	for _, f := range files {
		text, err := os.ReadFile(f) // #nosec G304 -- the caller's choice
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(f)), withPorts(text, moved), 0o600); err != nil { //nolint:gosec // the name is that of an example
			return "", err
		}
	}
	return to, nil
}

// podPort is a line of a manifest that may name the port of a pod.
var podPort = regexp.MustCompile(`(?m)^([- ]*(?:port|targetPort): )(\d+)$`)

// withPorts is a manifest with the ports that pods have moved to.
func withPorts(text []byte, moved map[int]int) []byte {
	return podPort.ReplaceAllFunc(text, func(line []byte) []byte {
		m := podPort.FindSubmatch(line)
		port, err := strconv.Atoi(string(m[2]))
		if to, ok := moved[port]; ok && err == nil {
			return strconv.AppendInt(m[1][:len(m[1]):len(m[1])], int64(to), 10)
		}
		return line
	})
}
