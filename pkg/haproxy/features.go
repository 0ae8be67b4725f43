package haproxy

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"router/pkg/template"
)

// probeTimeout bounds the short life of the process that is asked.
const probeTimeout = 20 * time.Second

// probe starts the binary with next to no configuration and asks it what it
// can do; no version is looked at.
func probe(ctx context.Context, binary string, l template.Layout) (Features, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	dir, err := os.MkdirTemp(filepath.Dir(l.RuntimeSocket.String()), "probe")
	if err != nil {
		return Features{}, fmt.Errorf("probing haproxy: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	config, master, worker := filepath.Join(dir, "cfg"), filepath.Join(dir, "m"), filepath.Join(dir, "w")
	text := "global\n  stats socket " + worker + " mode 600 level admin\nfrontend probe\n  mode http\n  timeout client 1s\n  bind unix@" + filepath.Join(dir, "f") + "\n"
	if err := os.WriteFile(config, []byte(text), privateFile); err != nil {
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
		masterHelp, err1 := queryMaster(ctx, master, "help")
		workerHelp, err2 := query(ctx, worker, "help")
		if err1 == nil && err2 == nil {
			return Features{
				SyncReload:     strings.Contains(masterHelp, "show startup-logs"),
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
