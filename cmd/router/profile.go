package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"strings"
)

// startProfile begins the profile of --profile, such as "cpu" or "mem-tmp".
// stop ends it and names the file; it does nothing where there is no profile.
func startProfile(profile string) (stop func() (string, error), err error) {
	if profile == "" {
		return func() (string, error) { return "", nil }, nil
	}
	kind, temporary := strings.CutSuffix(profile, "-tmp")
	dir := "."
	if temporary {
		dir = os.TempDir()
	}
	file, err := os.OpenFile(filepath.Join(dir, kind+".pprof"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--profile: %w", err)
	}
	end, err := begin(kind, file)
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("--profile: %w", err)
	}
	return func() (string, error) {
		err := end()
		if closed := file.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return "", fmt.Errorf("--profile: %w", err)
		}
		return file.Name(), nil
	}, nil
}

// logProfile ends a profile, and says where it is.
func logProfile(stop func() (string, error), logger *slog.Logger) {
	switch file, err := stop(); {
	case err != nil:
		logger.Error("no profile was written", "error", err)
	case file != "":
		logger.Info("a profile was written", "file", file)
	}
}

// everyEvent is the rate at which block and mutex profiles miss nothing.
const everyEvent = 1

// begin begins a profile whose text goes to file at the end.
func begin(kind string, file *os.File) (end func() error, err error) {
	lookup := func(name string) func() error {
		return func() error { return pprof.Lookup(name).WriteTo(file, 0) }
	}
	switch kind {
	case "cpu":
		return func() error { pprof.StopCPUProfile(); return nil }, pprof.StartCPUProfile(file)
	case "trace":
		return func() error { trace.Stop(); return nil }, trace.Start(file)
	case "block":
		runtime.SetBlockProfileRate(everyEvent)
		return func() error { defer runtime.SetBlockProfileRate(0); return lookup("block")() }, nil
	case "mutex":
		before := runtime.SetMutexProfileFraction(everyEvent)
		return func() error { defer runtime.SetMutexProfileFraction(before); return lookup("mutex")() }, nil
	}
	return lookup("heap"), nil
}
