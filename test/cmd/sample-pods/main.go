// Sample-pods answers at the addresses that the manifests in examples name,
// so that they can be tried without a cluster.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"router/test/certs"
	"router/test/pods"
)

// authorityName is that of the CA in examples/reencrypt.yaml.
const authorityName = "CA of the sample pods"

type pod struct {
	name, address string
	tls           bool
}

// samples are the pods of the examples.
func samples() []pod {
	return []pod{
		{"hello-1", "127.0.0.1:18081", false}, {"hello-2", "127.0.0.1:18082", false},
		{"shop-1", "127.0.0.1:18083", false}, {"shop-next-1", "127.0.0.1:18084", false},
		{"bank-1", "127.0.0.1:18443", true}, {"vault-1", "127.0.0.1:18444", true},
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
	for _, p := range samples() {
		l, err := net.Listen("tcp", p.address)
		if err != nil {
			return fmt.Errorf("pod %s: %w", p.name, err)
		}
		var config *tls.Config
		if p.tls {
			config = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		}
		defer pods.Serve(l, p.name, config).Close()
		fmt.Fprintf(stdout, "pod %-12s %s\n", p.name, p.address)
	}
	<-ctx.Done()
	return nil
}
