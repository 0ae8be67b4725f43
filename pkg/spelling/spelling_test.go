package spelling

import "testing"

func TestTheNearestName(t *testing.T) {
	known := []string{"timeout", "timeouts", "balance", "rate-limit", "lt", "db", "a"}
	for _, test := range []struct{ name, nearest, typo string }{
		{"timeuot", "", "timeout"},         // two of seven letters are too many for the one, and a slip for the other
		{"timeout-", "timeout", "timeout"}, // as near as timeouts, and first in the alphabet
		{"ballance", "balance", "balance"}, // one letter too many
		{"rat-limits", "rate-limit", "rate-limit"},
		{"rate-limit-xyz", "", ""},
		{"", "", ""},
		{"time", "", ""},
		{"lb", "", "db"}, // as near as lt, and first in the alphabet
		{"x", "", ""},
	} {
		if got := Nearest(test.name, known); got != test.nearest {
			t.Errorf("nearest to %q is %q, want %q", test.name, got, test.nearest)
		}
		if got := Typo(test.name, known); got != test.typo {
			t.Errorf("%q is %q, mistyped; want %q", test.name, got, test.typo)
		}
	}
}

// TestEditsAreCounted holds the short cuts to the definition.
func TestEditsAreCounted(t *testing.T) {
	var plain func(a, b string) int
	plain = func(a, b string) int {
		switch {
		case a == "" || b == "":
			return len(a) + len(b)
		case a[0] == b[0]:
			return plain(a[1:], b[1:])
		}
		return 1 + min(plain(a[1:], b), plain(a, b[1:]), plain(a[1:], b[1:]))
	}
	var names []string
	for _, c := range []string{"", "a", "b", "c"} {
		for _, d := range []string{"", "a", "bb", "ab"} {
			for _, e := range []string{"", "ca", "b", "aab"} {
				names = append(names, c+d+e)
			}
		}
	}
	for _, a := range names {
		for _, b := range names {
			for most := range 8 {
				if got, want := edits(a, b, most), plain(a, b); got != want && (want <= most || got <= most) {
					t.Fatalf("%q and %q, at most %d: %d edits, want %d", a, b, most, got, want)
				}
			}
		}
	}
}
