package spelling

import "testing"

func TestTheNearestName(t *testing.T) {
	known := []string{"timeout", "timeouts", "balance", "rate-limit"}
	for _, test := range []struct{ name, nearest, typo string }{
		{"timeuot", "", "timeout"},         // two of seven letters are too many for the one, and a slip for the other
		{"timeout-", "timeout", "timeout"}, // as near as timeouts, and first in the alphabet
		{"ballance", "balance", "balance"}, // one letter too many
		{"rat-limits", "rate-limit", "rate-limit"},
		{"rate-limit-xyz", "", ""},
		{"", "", ""},
	} {
		if got := Nearest(test.name, known); got != test.nearest {
			t.Errorf("nearest to %q is %q, want %q", test.name, got, test.nearest)
		}
		if got := Typo(test.name, known); got != test.typo {
			t.Errorf("%q is %q, mistyped; want %q", test.name, got, test.typo)
		}
	}
}
