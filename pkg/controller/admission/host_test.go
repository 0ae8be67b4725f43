package admission

import (
	"math/rand/v2"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

func TestIsHostAgreesWithTheRulesOfKubernetes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	pieces := []string{"a", "z0", "-", ".", "..", "A", "_", "9", "\x00", "é", strings.Repeat("b", 62), strings.Repeat("c.", 100)}
	valid := 0
	for range 5000 {
		var host strings.Builder
		for range 1 + rnd.IntN(5) {
			host.WriteString(pieces[rnd.IntN(len(pieces))])
		}
		h := host.String()
		want := len(validation.IsDNS1123Subdomain(h)) == 0
		for label := range strings.SplitSeq(h, ".") {
			want = want && len(validation.IsDNS1123Label(label)) == 0
		}
		if isHost(h) != want {
			t.Errorf("isHost(%q) is %v", h, !want)
		}
		if want != (len(checkHost(h, false)) == 0) {
			t.Errorf("checkHost(%q) disagrees", h)
		}
		if want {
			valid++
		}
	}
	if valid < 250 {
		t.Errorf("only %d hosts were valid: the test does not test", valid)
	}
}
