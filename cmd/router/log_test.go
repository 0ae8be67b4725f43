package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"k8s.io/klog/v2"

	"router/pkg/options"
)

func TestLevels(t *testing.T) {
	type modules = []options.LogModule
	for _, test := range []struct {
		name    string
		options options.Options
		want    string
	}{
		{"the default", options.Options{}, "info warning klog-0"},
		{"quiet", options.Options{LogLevel: "warn"}, "warning"},
		{"debug messages", options.Options{LogLevel: "debug"}, "debug info warning klog-0"},
		{"the reference image's --v=2", options.Options{LogVerbosity: 2}, "info warning klog-0 klog-2"},
		{"--v=4", options.Options{LogVerbosity: 4}, "debug info warning klog-0 klog-2"},
		{"--v=6 wins over --verbosity", options.Options{LogLevel: "error", LogVerbosity: 6}, "debug info warning klog-0 klog-2 klog-6"},
		{"this file", options.Options{LogModules: modules{{Pattern: "log_*", Verbosity: 6}}}, "debug info warning klog-0 klog-2 klog-6"},
		{"this file, less", options.Options{LogModules: modules{{Pattern: "log_test", Verbosity: 2}}}, "info warning klog-0 klog-2"},
		{"another file", options.Options{LogModules: modules{{Pattern: "reflector", Verbosity: 6}}}, "info warning klog-0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			logger := newLogger(test.options, &out)
			if err := logLibraries(test.options, logger); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(klog.ClearLogger)
			logger.Debug("debug")
			logger.Info("info")
			logger.With("a", "b").WithGroup("g").Warn("warning")
			klog.InfoS("klog-0")
			klog.V(2).InfoS("klog-2")
			klog.Background().V(6).Info("klog-6")
			klog.Flush()
			var said []string
			for line := range strings.Lines(out.String()) {
				_, after, _ := strings.Cut(line, "msg=")
				said = append(said, strings.Fields(after)[0])
			}
			if got := strings.Join(said, " "); got != test.want {
				t.Errorf("said %q, want %q:\n%s", got, test.want, out.String())
			}
		})
	}
}

func TestMessagesAsJSON(t *testing.T) {
	var out bytes.Buffer
	newLogger(options.Options{LogFormat: "json"}, &out).Info("hello", slog.String("a", "b"))
	if !strings.Contains(out.String(), `"msg":"hello","a":"b"}`) {
		t.Errorf("said %s", out.String())
	}
}
