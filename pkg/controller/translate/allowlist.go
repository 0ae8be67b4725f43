package translate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"router/pkg/model"
)

// allowlist takes addresses and CIDRs. What cannot be read lets nobody in.
func (t *translation) allowlist(v string) error {
	prefixes, bad := readAllowlist(v)
	t.route.Backend.Allowlist = &model.Allowlist{Prefixes: prefixes}
	switch {
	case len(prefixes) == 0:
		return fmt.Errorf("has no address or CIDR that can be read, so every client is refused")
	case len(bad) > 0:
		return fmt.Errorf("%q is not an address or CIDR and is left out; the other entries count", bad)
	}
	return nil
}

// readAllowlist reads addresses and CIDRs, each once, and returns what is none.
func readAllowlist(v string) (prefixes []netip.Prefix, bad []string) {
	for _, item := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		prefix, err := netip.ParsePrefix(item)
		if err != nil {
			addr, err := netip.ParseAddr(item)
			if err != nil || addr.Zone() != "" {
				bad = append(bad, item)
				continue
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		if !slices.Contains(prefixes, prefix) {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes, bad
}

// sameAllowlist reports whether two lists let the same clients in, for the same
// reasons.
func sameAllowlist(a, b string) bool {
	x, badX := readAllowlist(a)
	y, badY := readAllowlist(b)
	slices.SortFunc(x, netip.Prefix.Compare)
	slices.SortFunc(y, netip.Prefix.Compare)
	return slices.Equal(x, y) && slices.Equal(badX, badY)
}
