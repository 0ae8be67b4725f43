// Package timespec reads times in HAProxy's notation: a whole number and one
// of the units us, ms, s, m, h and d; without a unit, milliseconds.
package timespec

import (
	"errors"
	"regexp"
	"strconv"
	"time"
)

// Max is the longest time that HAProxy's timers hold, 2^31-1 ms. Longer times
// are read as Max, as the reference router does.
const Max = 2147483647 * time.Millisecond

// ErrSyntax is the error of a text that is not a time.
var ErrSyntax = errors.New(`want a whole number above 0 with a unit of us, ms, s, m, h or d, such as "30s"`)

// spec has no sign, fraction or leading zero; compound times are not known.
var spec = regexp.MustCompile(`^([1-9][0-9]*)(us|ms|s|m|h|d)?$`)

// Parse reads a time. Below a millisecond it is kept; HAProxy rounds up.
func Parse(text string) (time.Duration, error) {
	m := spec.FindStringSubmatch(text)
	if m == nil {
		return 0, ErrSyntax
	}
	unit := map[string]time.Duration{
		"us": time.Microsecond, "": time.Millisecond, "ms": time.Millisecond,
		"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
	}[m[2]]
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || n > int64(Max/unit) {
		return Max, nil // Too large a number; digits are all that m[1] holds.
	}
	return time.Duration(n) * unit, nil
}
