package template

import (
	"strings"
	"testing"

	"router/pkg/model"
)

func TestEveryRouteHasFilesOfItsOwn(t *testing.T) {
	// The longest name of a file on Linux, and what a temporary one adds.
	const longest, added = 255, len(".pem") + len("9223372036854775807")
	n, m := strings.Repeat("n", 63), strings.Repeat("m", 253)
	seen := map[string]model.RouteKey{}
	for _, k := range []model.RouteKey{
		{Namespace: "ns", Name: "name"}, {Namespace: "n", Name: "sname"}, {Namespace: "ns", Name: "name.pem"},
		{Namespace: n, Name: m}, {Namespace: n, Name: m[1:] + "x"}, {Namespace: n, Name: m[1:]}, {Namespace: n[1:], Name: m},
		{Namespace: n, Name: m[:maxStem-64]}, {Namespace: n, Name: m[:maxStem-63]}, {Namespace: "n", Name: m}, {Namespace: n, Name: "m"},
	} {
		stem := FileStem(k)
		if other, taken := seen[stem]; taken {
			t.Errorf("%s and %s have the same files", k, other)
		}
		seen[stem] = k
		if len(stem)+added > longest {
			t.Errorf("%s: the name of a file has %d bytes", k, len(stem)+added)
		}
		if _, err := NewPath("/" + stem); err != nil {
			t.Error(err)
		}
	}
}
