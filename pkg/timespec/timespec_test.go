package timespec

import (
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1": time.Millisecond, "30s": 30 * time.Second, "5m": 5 * time.Minute, "2h": 2 * time.Hour, "24d": 24 * 24 * time.Hour, "10us": 10 * time.Microsecond,
		"100d": Max, "2147483647": Max, "2147483648": Max, "99999999999999999999h": Max,
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%q is %v %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "0s", "-1s", "+1s", "1.5s", "1h30m", "s", "1 s", " 1s", "1s\n", "01s", "1S"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
}
