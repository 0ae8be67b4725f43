package template

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"router/pkg/model"
)

// The types in this file are the only ones through which text gets into the
// configuration. A template prints them as they are; what they print has been
// quoted, or checked to need no quoting, when they were made. No template, the
// operator's own included, can forget to.

// ErrUnrepresentable is wrapped by the errors of values that HAProxy's
// configuration cannot carry.
var ErrUnrepresentable = errors.New("cannot be written to the configuration")

// Arg is one argument of a configuration line, quoted where it needs to be.
type Arg struct{ text string }

// String returns the argument as it stands in the file.
func (a Arg) String() string { return a.text }

// NewArg quotes s as a single argument that HAProxy reads literally. Control
// characters cannot be represented.
func NewArg(s string) (Arg, error) {
	if i := strings.IndexFunc(s, isControl); i >= 0 {
		return Arg{}, fmt.Errorf("%w: control character %q", ErrUnrepresentable, s[i])
	}
	if s != "" && strings.IndexFunc(s, needsQuote) < 0 {
		return Arg{s}, nil
	}
	return Arg{"'" + strings.ReplaceAll(s, "'", `'\''`) + "'"}, nil
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// needsQuote reports whether r means something to HAProxy's tokenizer.
func needsQuote(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("-_.:/,=;+@%~^*()[]|!?", r)
}

// Name is the name of a proxy, a server or a cookie.
type Name struct{ text string }

// String returns the name.
func (n Name) String() string { return n.text }

// NewName accepts what HAProxy accepts as a name: letters, digits and "-_.:".
func NewName(s string) (Name, error) {
	if s == "" || strings.IndexFunc(s, func(r rune) bool { return !isNameRune(r) }) >= 0 {
		return Name{}, fmt.Errorf("%w: name %q has characters other than letters, digits and any of -_.: in it", ErrUnrepresentable, s)
	}
	return Name{s}, nil
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.:", r)
}

// Path is the path of a file that HAProxy reads. It is used inside argument
// lists such as "map_beg(PATH)" as well, so its alphabet is narrow.
type Path struct{ text string }

// String returns the path.
func (p Path) String() string { return p.text }

// NewPath accepts letters, digits and "/-_.:@+".
func NewPath(s string) (Path, error) {
	for _, r := range s {
		if !isNameRune(r) && !strings.ContainsRune("/@+", r) {
			return Path{}, fmt.Errorf("%w: path %q has the character %q; only letters, digits and / - _ . : @ + are possible", ErrUnrepresentable, s, r)
		}
	}
	return Path{s}, nil
}

// Duration is a time-out in HAProxy's notation.
type Duration struct{ text string }

// String returns the duration with its unit.
func (d Duration) String() string { return d.text }

// maxTimeout is the longest time that HAProxy's timers hold: 2^31-1 ms.
const maxTimeout = 2147483647 * time.Millisecond

// NewDuration writes d in the largest unit that keeps it exact, at most
// maxTimeout; below a millisecond it is rounded up to one.
func NewDuration(d time.Duration) Duration {
	switch d = min(d, maxTimeout); {
	case d%time.Hour == 0:
		return Duration{strconv.FormatInt(int64(d/time.Hour), 10) + "h"}
	case d%time.Minute == 0:
		return Duration{strconv.FormatInt(int64(d/time.Minute), 10) + "m"}
	case d%time.Second == 0:
		return Duration{strconv.FormatInt(int64(d/time.Second), 10) + "s"}
	}
	ms := (d + time.Millisecond - 1) / time.Millisecond
	return Duration{strconv.FormatInt(int64(ms), 10) + "ms"}
}

// optional returns nil for a zero duration, so that templates can use "with".
func optional(d time.Duration) *Duration {
	if d <= 0 {
		return nil
	}
	v := NewDuration(d)
	return &v
}

// NewFormat writes a header's value as a log-format argument: literal text is
// literal, samples become expressions.
func NewFormat(parts []model.ValuePart) (Arg, error) {
	var b strings.Builder
	for _, p := range parts {
		if p.Sample != "" {
			b.WriteByte('%')
			if p.Flags != "" {
				b.WriteString("{" + p.Flags + "}")
			}
			b.WriteString("[" + p.Sample + "]")
			continue
		}
		b.WriteString(strings.ReplaceAll(p.Literal, "%", "%%"))
	}
	return NewArg(b.String())
}
