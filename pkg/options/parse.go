package options

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Builder collects flags and makes Options of them.
type Builder struct {
	rows   []Row
	values map[string]*value
	env    func(string) (string, bool)
}

// value is a flag's value, checked when it is set.
type value struct {
	row  *Row
	text string
	set  bool
}

// String implements pflag.Value.
func (v *value) String() string {
	if v == nil || v.row == nil || v.row.Secret {
		return ""
	}
	return v.text
}

// Type implements pflag.Value; it is shown in help texts.
func (v *value) Type() string {
	if v.row.isBool {
		return "bool"
	}
	return "value"
}

// Set implements pflag.Value.
func (v *value) Set(text string) error {
	if err := v.row.set(&Options{}, text); err != nil {
		return err
	}
	v.text, v.set = text, true
	return nil
}

// Register adds every flag of the table to flags. The environment is read
// through env.
func Register(flags *pflag.FlagSet, env func(string) (string, bool)) *Builder {
	b := &Builder{rows: Table(), values: map[string]*value{}, env: env}
	for i := range b.rows {
		r := &b.rows[i]
		v := &value{row: r, text: r.Default}
		b.values[r.Flag] = v
		help := r.Help + " Accepts " + r.Accepts + ". [$" + r.Env + "]"
		for _, name := range []string{r.Flag, r.Alias} {
			if name == "" {
				continue
			}
			f := flags.VarPF(v, name, shorthand(name), help)
			if r.isBool {
				f.NoOptDefVal = "true"
			}
			f.Hidden = r.obsolete
			if name == r.Alias {
				f.Usage = "The same as --" + r.Flag + "."
			}
		}
	}
	return b
}

// shorthand is the one-letter form of a flag.
func shorthand(name string) string {
	if name == "namespace" {
		return "n"
	}
	return ""
}

// Options makes the result: defaults, over them the environment, over that
// the flags. A value of the environment that cannot be used is left out with
// a warning, as in the reference router; a flag's is an error.
func (b *Builder) Options() (Options, error) {
	var o Options
	for i := range b.rows {
		r := &b.rows[i]
		if r.Default != "" {
			if err := r.set(&o, r.Default); err != nil {
				return o, fmt.Errorf("default of --%s: %w", r.Flag, err)
			}
		}
		v := b.values[r.Flag]
		if text, ok := b.env(r.Env); ok && text != "" && !v.set {
			if err := r.set(&o, text); err != nil {
				o.Warnings = append(o.Warnings, fmt.Sprintf("%s is not used: %s", r.Env, shown(r, text, err)))
			}
		}
		if v.set {
			if err := r.set(&o, v.text); err != nil {
				return o, fmt.Errorf("--%s: %s", r.Flag, shown(r, v.text, err))
			}
		}
	}
	return o, o.check()
}

func shown(r *Row, text string, err error) string {
	if r.Secret {
		return err.Error()
	}
	return fmt.Sprintf("%q %s", text, err)
}

// check looks at settings that depend on each other.
func (o *Options) check() error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if o.UpdateStatus && o.Name == "" {
		add("--name must not be empty where --update-status is on")
	}
	if o.HostnameTemplate == "" && (o.OverrideHostname || len(o.OverrideDomains) > 0) {
		add("--override-hostname and --override-domains need --hostname-template")
	}
	if n := count(o.ProjectLabels != "", o.NamespaceLabels != "", o.Kubernetes.Namespace != ""); n > 1 {
		add("only one of --namespace, --namespace-labels and --project-labels is possible")
	}
	if o.Global.Listen.HTTPPort == o.Global.Listen.HTTPSPort {
		add("--http-port and --https-port must differ")
	}
	return errors.Join(problems...)
}

func count(set ...bool) int {
	n := 0
	for _, b := range set {
		if b {
			n++
		}
	}
	return n
}

// Document is docs/options.md.
func Document() string {
	var b strings.Builder
	b.WriteString("# Options\n\nEvery setting is a flag and an environment variable. A flag wins over its variable;\nan empty variable counts as unset. This page is made from `pkg/options` by `make generate`.\n")
	var sections []string
	rows := Table()
	for _, r := range rows {
		if !slices.Contains(sections, r.Section) {
			sections = append(sections, r.Section)
		}
	}
	for _, section := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n| flag | variable | default | accepts | what it does |\n|---|---|---|---|---|\n", section)
		for _, r := range rows {
			if r.Section != section {
				continue
			}
			flag := "`--" + r.Flag + "`"
			if r.Alias != "" {
				flag += ", `--" + r.Alias + "`"
			}
			def := "`" + r.Default + "`"
			if r.Default == "" {
				def = ""
			}
			fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s |\n", flag, r.Env, cell(def), cell(r.Accepts), cell(r.Help))
		}
	}
	return b.String()
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
