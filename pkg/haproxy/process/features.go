package process

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"router/pkg/haproxy/runtime"
)

// probeTimeout bounds the short life of the process that is asked.
const probeTimeout = 20 * time.Second

// Features are what a HAProxy can do while it runs.
type Features struct {
	// DynamicServers: servers are added and deleted (3.0).
	DynamicServers bool
	// AddBackend: backends are added and deleted (3.4).
	AddBackend bool
}

// Probe starts the binary with next to no configuration, in the directory, and asks it what it
// can do; no version is looked at.
func Probe(ctx context.Context, binary, directory string) (Features, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	dir, err := os.MkdirTemp(directory, "probe")
	if err != nil {
		return Features{}, fmt.Errorf("probing haproxy: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	config, master, worker := filepath.Join(dir, "cfg"), filepath.Join(dir, "m"), filepath.Join(dir, "w")
	text := "global\n  stats socket " + worker + " mode 600 level admin\nfrontend probe\n  mode http\n  timeout client 1s\n  bind unix@" + filepath.Join(dir, "f") + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return Features{}, fmt.Errorf("probing haproxy: %w", err)
	}
	p, err := startProcess(binary, config, master, io.Discard, slog.New(slog.DiscardHandler))
	if err != nil {
		return Features{}, fmt.Errorf("%w; --haproxy names the binary to run, version 2.6 or newer", err)
	}
	defer func() { _ = p.stop(ctx, 0) }()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		_, err1 := runtime.QueryMaster(ctx, master, "help")
		workerHelp, err2 := runtime.Query(ctx, worker, "help")
		if err1 == nil && err2 == nil {
			return Features{
				DynamicServers: strings.Contains(workerHelp, "\n  wait "),
				AddBackend:     strings.Contains(workerHelp, "\n  add backend "),
			}, nil
		}
		select {
		case <-p.exited():
			return Features{}, fmt.Errorf("%s does not run in master-worker mode: %w", binary, p.err())
		case <-ctx.Done():
			return Features{}, fmt.Errorf("probing %s: %w", binary, ctx.Err())
		case <-ticker.C:
		}
	}
}
