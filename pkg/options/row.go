package options

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"router/pkg/given"
	"router/pkg/model"
	"router/pkg/timespec"
)

// Row is one setting.
type Row struct {
	// Flag is the name behind "--", Aliases further ones.
	Flag    string
	Aliases []string
	// Env is the environment variable that gives the default, AliasEnv a
	// second one that counts where the first is not set, "" for none.
	Env, AliasEnv string
	// Default is used where neither is given; "" for none.
	Default string
	// Offline takes the place of Default where a directory of manifests is
	// served, "" for no other.
	Offline string
	// Accepts says what values are possible, Help what they do.
	Accepts, Help string
	// Secret values are never shown.
	Secret bool
	// Section groups the documentation.
	Section string
	// Values are all values that are possible, nil where they cannot be listed.
	Values []string
	// Strict is whether a variable that cannot be used ends the start, as a
	// flag does. Of other rows, the default is used, with a warning.
	Strict bool

	isBool bool
	// isList is whether a flag that is given again adds to what there is.
	isList bool
	// obsolete settings do nothing, and are not in help texts.
	obsolete bool
	set      func(o *Options, value string) error
}

// anyText is what rows accept that have no check.
const anyText = "text"

// anyPath is what rows for files accept.
const anyPath = "a path"

// The constructors below make rows whose value goes into a field of Options.

func text(flag, env, def, help string, field func(*Options) *string) Row {
	return Row{Flag: flag, Env: env, Default: def, Accepts: anyText, Help: help, set: func(o *Options, v string) error {
		*field(o) = v
		return nil
	}}
}

// file is a row whose value is the path of a file or directory. What is
// probably the content of a file is refused, and is not shown: as given.Path
// also what may be a password.
func file[T ~string](flag, env, def, help string, field func(*Options) *T) Row {
	return Row{Flag: flag, Env: env, Default: def, Accepts: anyPath, Help: help, Strict: true, set: func(o *Options, v string) error {
		*field(o) = T(v)
		return given.CheckPath(v)
	}}
}

// secret is a row whose value is never shown.
func secret(flag, env, accepts, help string, field func(*Options) *model.Secret) Row {
	return Row{Flag: flag, Env: env, Accepts: accepts, Help: help, Secret: true, set: func(o *Options, v string) error {
		*field(o) = model.NewSecret(v)
		return nil
	}}
}

func boolean(flag, env string, def bool, help string, field func(*Options) *bool) Row {
	return Row{Flag: flag, Env: env, Default: strconv.FormatBool(def), Accepts: "true or false", Values: []string{"true", "false"}, Help: help, isBool: true, set: func(o *Options, v string) error {
		b, err := strconv.ParseBool(v)
		if err != nil {
			return fmt.Errorf("must be true or false")
		}
		*field(o) = b
		return nil
	}}
}

// inverse is a boolean whose field means the opposite.
func inverse(flag, env string, def bool, help string, field func(*Options) *bool) Row {
	r := boolean(flag, env, def, help, field)
	set := r.set
	r.set = func(o *Options, v string) error {
		err := set(o, v)
		if err == nil {
			*field(o) = !*field(o)
		}
		return err
	}
	return r
}

func integer(flag, env string, def, low, high int, help string, field func(*Options) *int) Row {
	accepts := fmt.Sprintf("a whole number from %d to %d", low, high)
	return Row{Flag: flag, Env: env, Default: strconv.Itoa(def), Accepts: accepts, Help: help, set: func(o *Options, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < low || n > high {
			return fmt.Errorf("must be %s", accepts)
		}
		*field(o) = n
		return nil
	}}
}

// spec is a time in HAProxy's notation.
func spec(flag, env, def, help string, field func(*Options) *time.Duration) Row {
	const accepts = "a time such as 30s, 5m or 500ms; a number alone is milliseconds"
	return Row{Flag: flag, Env: env, Default: def, Accepts: accepts, Help: help, set: func(o *Options, v string) error {
		d, err := timespec.Parse(v)
		if err != nil {
			return fmt.Errorf("must be %s", accepts)
		}
		*field(o) = d
		return nil
	}}
}

// interval is a time in Go's notation, as the reference router has it for
// its own timers.
func interval(flag, env, def string, low time.Duration, help string, field func(*Options) *time.Duration) Row {
	accepts := "a time such as 5s or 1m30s"
	if low > 0 {
		accepts += ", at least " + low.String()
	}
	return Row{Flag: flag, Env: env, Default: def, Accepts: accepts, Help: help, set: func(o *Options, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < low {
			return fmt.Errorf("must be %s", accepts)
		}
		*field(o) = d
		return nil
	}}
}

// seconds is a whole number of them, as the reference router's scripts have it.
func seconds(flag, env, def string, low int, help string, field func(*Options) *time.Duration) Row {
	accepts := fmt.Sprintf("a number of seconds, at least %d", low)
	return custom(flag, env, def, accepts, help, func(o *Options, v string) error {
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil || n < int64(low) {
			return fmt.Errorf("must be %s", accepts)
		}
		*field(o) = time.Duration(n) * time.Second
		return nil
	})
}

func list(flag, env, help string, field func(*Options) *[]string) Row {
	return Row{Flag: flag, Env: env, Accepts: "a list, separated by commas", Help: help, isList: true, set: func(o *Options, v string) error {
		var items []string
		for item := range strings.SplitSeq(v, ",") {
			if item = strings.TrimSpace(item); item != "" {
				items = append(items, item)
			}
		}
		*field(o) = items
		return nil
	}}
}

// leftOutError is about items of a list; the others have been taken.
type leftOutError struct{ causes []string }

// Error implements error.
func (e *leftOutError) Error() string { return strings.Join(e.causes, "; ") }

// usable are the items of a list that can be used. The error is about the
// others, and a *leftOutError where there are any that can.
func usable[T any](items []string, parse func(string) (T, error)) ([]T, error) {
	var list []T
	var causes []string
	for _, item := range items {
		v, err := parse(item)
		if err != nil {
			causes = append(causes, fmt.Sprintf("has %q, which is %s", item, err))
			continue
		}
		list = append(list, v)
	}
	switch {
	case causes == nil:
		return list, nil
	case list == nil:
		return nil, errors.New(strings.Join(causes, "; "))
	}
	return list, &leftOutError{causes}
}

func choice[T ~string](flag, env, def, help string, field func(*Options) *T, values ...T) Row {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = string(v)
	}
	accepts := strings.Join(names, ", ")
	return Row{Flag: flag, Env: env, Default: def, Accepts: accepts, Values: names, Help: help, set: func(o *Options, v string) error {
		for _, value := range values {
			if string(value) == v {
				*field(o) = value
				return nil
			}
		}
		return fmt.Errorf("must be one of %s", accepts)
	}}
}

// custom is a row with a check of its own, whose errors need not say what is
// accepted.
func custom(flag, env, def, accepts, help string, set func(*Options, string) error) Row {
	return Row{Flag: flag, Env: env, Default: def, Accepts: accepts, Help: help, set: func(o *Options, v string) error {
		err := set(o, v)
		if err != nil && !strings.Contains(err.Error(), accepts) {
			err = fmt.Errorf("%w; must be %s", err, accepts)
		}
		return err
	}}
}

// alias gives the row a further flag, and a second variable unless env is "".
func (r Row) alias(flag, env string) Row {
	r.Aliases = append(slices.Clone(r.Aliases), flag)
	if env != "" {
		r.AliasEnv = env
	}
	return r
}

// offline gives the row another default for a directory of manifests.
func (r Row) offline(value string) Row { r.Offline = value; return r }

func (r Row) secret() Row { r.Secret = true; return r }

// strict is for settings that protect, or that name what to serve: to go on
// without them would let in what they were to keep out.
func (r Row) strict() Row { r.Strict = true; return r }
