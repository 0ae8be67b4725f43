package translate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"router/pkg/model"
)

// allowlist reads addresses and CIDRs. What cannot be read lets nobody in.
func (t *translation) allowlist(v string) error {
	list := &model.Allowlist{}
	t.route.Backend.Allowlist = list
	var bad []string
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
		if !slices.Contains(list.Prefixes, prefix) {
			list.Prefixes = append(list.Prefixes, prefix)
		}
	}
	switch {
	case len(list.Prefixes) == 0:
		return fmt.Errorf("has no address or CIDR that can be read, so every client is refused")
	case len(bad) > 0:
		return fmt.Errorf("%q is not an address or CIDR and is left out; the other entries count", bad)
	}
	return nil
}
