package options

import (
	"slices"
	"testing"
)

func TestDomainsThatNoHostIsIn(t *testing.T) {
	o, err := parse(t, map[string]string{"ROUTER_DENIED_DOMAINS": "*.a.test,.b.test,c.test."}, "--hostname-template=x",
		"--allowed-domains=example.test,localhost,*.example.test,https://Example.test:8443/x,*,a_b", "--override-domains=D.test")
	if err != nil {
		t.Fatal(err)
	}
	const (
		allowed  = "--allowed-domains (ROUTER_ALLOWED_DOMAINS): "
		denied   = "--denied-domains (ROUTER_DENIED_DOMAINS): "
		override = "--override-domains (ROUTER_OVERRIDE_DOMAINS): "
		none     = " is no domain, and no host is in it"
		below    = ", which is for that host and all below it"
	)
	want := []string{
		allowed + `"*.example.test"` + none + "; write example.test" + below,
		allowed + `"https://Example.test:8443/x"` + none + "; write example.test" + below,
		allowed + `"*"` + none,
		allowed + `"a_b"` + none,
		denied + `"*.a.test"` + none + "; write a.test" + below,
		denied + `".b.test"` + none + "; write b.test" + below,
		denied + `"c.test."` + none + "; write c.test" + below,
		override + `"D.test"` + none + "; write d.test" + below,
	}
	if !slices.Equal(o.Warnings, want) {
		t.Errorf("warnings are %q, want %q", o.Warnings, want)
	}
}
