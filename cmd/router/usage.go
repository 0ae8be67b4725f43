package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"router/pkg/options"
)

// helpWidth is the width of help texts, in columns.
const helpWidth = 110

// usage is what --help shows below a command's description: flags come in the
// groups of docs/options.md.
func usage(cmd *cobra.Command) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage:\n  %s\n", cmd.UseLine())
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s [command]\n", cmd.CommandPath())
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-*s %s\n", cmd.NamePadding(), sub.Name(), sub.Short)
			}
		}
	}
	const others = "Other flags"
	var sections []string
	grouped := map[string]*pflag.FlagSet{}
	for _, f := range slices.Concat(options.Flags(cmd.LocalFlags()), options.Flags(cmd.InheritedFlags())) {
		section := others
		if s := f.Annotations[options.SectionAnnotation]; len(s) > 0 {
			section = s[0]
		}
		if grouped[section] == nil {
			grouped[section] = pflag.NewFlagSet(section, pflag.ContinueOnError)
			grouped[section].SortFlags = false
			sections = append(sections, section)
		}
		grouped[section].AddFlag(f)
	}
	for _, section := range sections {
		if grouped[section].HasAvailableFlags() {
			fmt.Fprintf(&b, "\n%s:\n%s", section, grouped[section].FlagUsagesWrapped(helpWidth))
		}
	}
	_, err := fmt.Fprint(cmd.OutOrStderr(), b.String())
	return err
}
