package translate

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// TestAddressesHaveOneForm looks at how inet_ntop(3) writes them.
func TestAddressesHaveOneForm(t *testing.T) {
	forms := map[string]string{
		"192.0.2.1": "192.0.2.1", "2001:DB8:0:0::1": "2001:db8::1", "::ffff:192.0.2.1": "::ffff:192.0.2.1", "64:ff9b::192.0.2.1": "64:ff9b::c000:201",
		"::192.0.2.1": "::192.0.2.1", "::c000:201": "::192.0.2.1", "::2": "::2", "::1:2": "::0.1.0.2",
	}
	var got []string
	for text, want := range forms {
		if w := written(netip.MustParseAddr(text)); w != want {
			got = append(got, text+" is written "+w+", not "+want)
		}
	}
	slices.Sort(got)
	if len(got) > 0 {
		t.Error(strings.Join(got, "; "))
	}
}
