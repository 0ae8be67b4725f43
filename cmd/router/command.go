package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"router/pkg/options"
)

// newCommand describes the command line.
func newCommand(env func(string) (string, bool), stdout, stderr io.Writer) *cobra.Command {
	var builder *options.Builder
	cmd := &cobra.Command{
		Use:   "router",
		Short: "Serves OpenShift routes through HAProxy",
		Long: "Serves the routes of a cluster, or with --manifests those of a directory, through HAProxy.\n" +
			"Each flag has an environment variable, shown in brackets; a flag wins over its variable.",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := builder.Options()
			if err != nil {
				return err
			}
			return serve(cmd.Context(), o, stdout, stderr)
		},
	}
	builder = options.Register(cmd.Flags(), env)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return flagError(cmd, err) })
	cmd.CompletionOptions.HiddenDefaultCmd = true
	cmd.AddCommand(&cobra.Command{
		Use: "version", Short: "Prints the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "router", version())
			return err
		},
	})
	return cmd
}

// flagError adds the nearest flag to the error of an unknown one.
func flagError(cmd *cobra.Command, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !unknown {
		return err
	}
	if near := options.Nearest(name); near != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, near)
	}
	return fmt.Errorf("%w; %s --help lists all flags", err, cmd.CommandPath())
}

// version is the module's version and the revision that it was built from.
func version() string {
	text := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		text = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				text += " " + s.Value
			}
		}
	}
	return text + " " + runtime.Version()
}
