package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"k8s.io/klog/v2"

	"router/pkg/options"
)

// newLogger is the router's log. klog's verbosity counts as well, in the way of
// logr: verbosity 4 is the level of debug messages.
func newLogger(o options.Options, stderr io.Writer) *slog.Logger {
	level := map[string]slog.Level{"debug": slog.LevelDebug, "warn": slog.LevelWarn, "error": slog.LevelError}[o.LogLevel]
	if o.LogVerbosity > 0 {
		level = min(level, slog.Level(-o.LogVerbosity))
	}
	h := &moduleHandler{level: level, least: level, modules: o.LogModules}
	for _, m := range o.LogModules {
		h.least = min(h.least, slog.Level(-m.Verbosity))
	}
	handlerOptions := &slog.HandlerOptions{Level: h.least}
	h.Handler = slog.NewTextHandler(stderr, handlerOptions)
	if o.LogFormat == "json" {
		h.Handler = slog.NewJSONHandler(stderr, handlerOptions)
	}
	return slog.New(h)
}

// logLibraries sends the messages of the Kubernetes libraries to the router's
// log. klog lets all pass that the log could want, for the log to choose.
func logLibraries(o options.Options, logger *slog.Logger) error {
	verbosity := o.LogVerbosity
	for _, m := range o.LogModules {
		verbosity = max(verbosity, m.Verbosity)
	}
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	if err := flags.Set("v", strconv.Itoa(verbosity)); err != nil {
		return fmt.Errorf("--v: %w", err)
	}
	klog.SetSlogLogger(logger.With("component", "client-go"))
	return nil
}

// moduleHandler has levels of their own for messages of some source files, as
// klog's -vmodule has.
type moduleHandler struct {
	slog.Handler
	// level is that of all other files, least the lowest of all.
	level, least slog.Level
	modules      []options.LogModule
}

// Enabled implements slog.Handler. The file is not known yet.
func (h *moduleHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.least }

// Handle implements slog.Handler.
func (h *moduleHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < h.level && r.Level < h.levelOf(r.PC) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// levelOf is the level of the file that a message comes from.
func (h *moduleHandler) levelOf(pc uintptr) slog.Level {
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	file := strings.TrimSuffix(filepath.Base(frame.File), ".go")
	for _, m := range h.modules {
		if same, err := path.Match(m.Pattern, file); same && err == nil {
			return slog.Level(-m.Verbosity)
		}
	}
	return h.level
}

// WithAttrs implements slog.Handler.
func (h *moduleHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.Handler = h.Handler.WithAttrs(attrs)
	return &with
}

// WithGroup implements slog.Handler.
func (h *moduleHandler) WithGroup(name string) slog.Handler {
	with := *h
	with.Handler = h.Handler.WithGroup(name)
	return &with
}
