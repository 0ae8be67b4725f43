package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"router/pkg/given"
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
		Example:       "  router --config ~/.kube/config --default-cert cert.pem\n  router --manifests examples --http-port 8080 --https-port 8443",
		Args:          noArguments,
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
	cmd.Flags().SortFlags = false
	builder = options.Register(cmd.Flags(), env)
	cmd.Version = thisBuild().String()
	cmd.SetVersionTemplate("{{.Name}}\n\n{{.Version}}\n")
	cmd.SuggestionsMinimumDistance = 2
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	cmd.SetFlagErrorFunc(flagError)
	cmd.SetUsageFunc(usage)
	completeValues(cmd)
	cmd.AddCommand(&cobra.Command{
		Use: "version", Short: "Prints what the router was built from", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n\n%s\n", cmd.Root().Name(), cmd.Root().Version)
			return err
		},
	})
	return cmd
}

// completeValues lets a shell complete the values of flags that list them.
func completeValues(cmd *cobra.Command) {
	for _, f := range options.Flags(cmd.Flags()) {
		values := f.Annotations[options.ValuesAnnotation]
		if len(values) == 0 {
			continue
		}
		complete := cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
		if err := cmd.RegisterFlagCompletionFunc(f.Name, complete); err != nil {
			panic(err) // The flag was registered a moment ago.
		}
	}
}

// likeCommand is what somebody may have meant for a command. Other words may be
// the rest of a flag's value that was not quoted: a line of a key, or a password.
var likeCommand = regexp.MustCompile(`^[A-Za-z][a-z-]{0,19}$`)

// noArguments names the nearest command where there is an argument.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	name := args[0]
	if !likeCommand.MatchString(name) {
		return fmt.Errorf("unknown command: [not shown: %d bytes]; a value that belongs to a flag stands behind it, in quotes if it has blanks", len(name))
	}
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		return fmt.Errorf("unknown command: %s; did you mean %s?", name, strings.Join(near, " or "))
	}
	return fmt.Errorf("unknown command: %s; %s --help lists all", name, cmd.CommandPath())
}

// flagError adds the nearest flag to the error of an unknown one, and leaves
// values out of errors that may be secrets.
func flagError(cmd *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &invalid):
		value := given.Shown(invalid.GetValue())
		if len(invalid.GetFlag().Annotations[options.SecretAnnotation]) > 0 {
			value = "value"
		}
		return fmt.Errorf("invalid argument %s for \"--%s\" flag: %w", value, invalid.GetFlag().Name, invalid.Unwrap())
	case given.Hides(err.Error()):
		return fmt.Errorf("an argument is neither a flag nor the value of one: %s; %s --help lists all flags", given.Shown(err.Error()), cmd.CommandPath())
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		if near := options.Nearest(unknown.GetSpecifiedName()); near != "" {
			return fmt.Errorf("%w; did you mean --%s?", err, near)
		}
		return fmt.Errorf("%w; %s --help lists all flags", err, cmd.CommandPath())
	}
	return err
}
