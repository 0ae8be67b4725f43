package options

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"router/pkg/given"
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

// Set implements pflag.Value. An empty text takes back what the environment
// says, where there is no default.
func (v *value) Set(text string) error {
	if v.set && v.row.isList {
		text = v.text + "," + text
	}
	if text != "" || v.row.Default != "" {
		if err := v.row.take(&Options{}, text); err != nil {
			return v.row.reason(text, err)
		}
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
		for _, name := range append([]string{r.Flag}, r.Aliases...) {
			f := flags.VarPF(v, name, shorthand(name), r.usage(name))
			if r.isBool {
				f.NoOptDefVal = "true"
			}
			f.Hidden = r.obsolete
			f.Annotations = map[string][]string{SectionAnnotation: {r.Section}, ValuesAnnotation: r.Values}
			if r.Secret {
				f.Annotations[SecretAnnotation] = []string{"true"}
			}
		}
	}
	return b
}

// Annotations of flags: the row's section, its values if they can be listed, and
// whether a value is never shown.
const (
	SectionAnnotation = "section"
	ValuesAnnotation  = "values"
	SecretAnnotation  = "secret"
)

// usage is the help text of a row under one of its names.
func (r *Row) usage(name string) string {
	if name != r.Flag {
		if r.AliasEnv != "" {
			return "The same as --" + r.Flag + ". [$" + r.AliasEnv + "]"
		}
		return "The same as --" + r.Flag + "."
	}
	accepts := ""
	if !r.isBool && r.Accepts != anything && r.Accepts != anyText && r.Accepts != anyPath {
		accepts = " Accepts " + r.Accepts + "."
	}
	if r.Offline != "" {
		accepts += " With --manifests the default is " + r.Offline + "."
	}
	return r.Help + accepts + " [$" + r.Env + "]"
}

// Flags are the flags of a set, in the order in which they were registered.
func Flags(set *pflag.FlagSet) []*pflag.Flag {
	sorted := set.SortFlags
	set.SortFlags = false
	defer func() { set.SortFlags = sorted }()
	var list []*pflag.Flag
	set.VisitAll(func(f *pflag.Flag) { list = append(list, f) })
	return list
}

// shorthand is the one-letter form of a flag.
func shorthand(name string) string {
	return map[string]string{"namespace": "n", "v": "v"}[name]
}

// Options makes the result: defaults, over them the environment, over that
// the flags. A flag that cannot be used is an error.
//
// So is a variable, where the row is strict. Of other rows a variable that
// cannot be used leaves the default, and of booleans it counts as false,
// whatever the default: both are the reference router's way, which many
// deployments have come to rest on. Here there is a warning.
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
		if v.set {
			// It was checked when it was set.
			if v.text != "" || r.Default != "" {
				if err := r.take(&o, v.text); err != nil {
					return o, fmt.Errorf("--%s: %s", r.Flag, shown(r, v.text, err))
				}
			}
			continue
		}
		if err := b.fromVariable(&o, r); err != nil {
			return o, err
		}
	}
	if err := b.offline(&o); err != nil {
		return o, err
	}
	return o, o.check()
}

// offline sets the defaults for a directory of manifests, where nothing else
// was given.
func (b *Builder) offline(o *Options) error {
	if o.Manifests == "" {
		return nil
	}
	for i := range b.rows {
		r := &b.rows[i]
		if _, given := b.variable(r); r.Offline == "" || given != "" || b.values[r.Flag].set {
			continue
		}
		if err := r.set(o, r.Offline); err != nil {
			return fmt.Errorf("default of --%s: %w", r.Flag, err)
		}
	}
	return nil
}

// variable is the variable that counts for a row, and what it says.
func (b *Builder) variable(r *Row) (name, text string) {
	for _, candidate := range []string{r.Env, r.AliasEnv} {
		if candidate == "" {
			continue
		}
		if t, ok := b.env(candidate); ok && t != "" {
			return candidate, t
		}
	}
	return r.Env, ""
}

func (b *Builder) fromVariable(o *Options, r *Row) error {
	name, text := b.variable(r)
	if text == "" {
		return nil
	}
	err := r.take(o, text)
	var leftOut *leftOutError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &leftOut) && !r.Strict:
		o.Warnings = append(o.Warnings, fmt.Sprintf("%s (--%s): %s; the rest is used", name, r.Flag, shown(r, text, err)))
		return nil
	case r.Strict || errors.Is(err, errKey):
		return fmt.Errorf("%s (--%s): %s", name, r.Flag, shown(r, text, err))
	case r.isBool:
		o.Warnings = append(o.Warnings, fmt.Sprintf("%s (--%s) counts as false: %s", name, r.Flag, shown(r, text, err)))
		return r.set(o, "false")
	}
	o.Warnings = append(o.Warnings, fmt.Sprintf("%s (--%s) is not used: %s", name, r.Flag, shown(r, text, err)))
	return nil
}

// errKey is the error of a value that is a private key where none belongs. It
// ends the start, whatever the row: to go on could put it where it is shown.
var errKey = errors.New("has a private key in it")

// take sets a value. That of a row which is no secret never is a private key.
func (r *Row) take(o *Options, text string) error {
	if !r.Secret && given.IsKey(text) {
		return errKey
	}
	return r.set(o, text)
}

// reason is why a value cannot be used, without the value where that may be a
// secret: errors of others quote it.
func (r *Row) reason(text string, err error) error {
	if errors.Is(err, errKey) {
		return fmt.Errorf("%w; must be %s", errKey, r.Accepts)
	}
	if r.Secret || r.Accepts == anyPath || !given.Hides(text) {
		return err
	}
	return fmt.Errorf("must be %s", r.Accepts)
}

func shown(r *Row, text string, err error) string {
	if r.Secret {
		return err.Error()
	}
	return given.Shown(text) + " " + r.reason(text, err).Error()
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
	if (o.Metrics.TLS.CertFile == "") != (o.Metrics.TLS.KeyFile == "") {
		add("--metrics-tls-cert-file and --metrics-tls-key-file need each other")
	}
	if o.Global.Listen.HTTPPort == o.Global.Listen.HTTPSPort {
		add("--http-port and --https-port must differ")
	}
	o.checkDomains()
	problems = append(problems, o.checkNamespaces())
	problems = append(problems, o.checkClientAuth()...)
	problems = append(problems, o.checkGlobal()...)
	return errors.Join(problems...)
}
