package model_test

import (
	"slices"
	"strings"
	"testing"

	"router/pkg/model"
)

func TestUniqueNames(t *testing.T) {
	for _, tt := range []struct {
		key  model.RouteKey
		want string
	}{
		{model.RouteKey{Namespace: "n", Name: "shop"}, "n/shop"},
		{model.RouteKey{Namespace: "n", Name: "ingress-shop"}, "n/ingress-shop"},
		{model.RouteKey{Kind: model.KindIngress, Namespace: "n", Name: "shop", Rule: "0a1b"}, "n/ingress_shop_0a1b"},
		{model.RouteKey{Kind: model.KindIngress, Namespace: "n", Name: strings.Repeat("s", 253), Rule: "0a1b"}, "n/ingress_" + strings.Repeat("s", 120) + "_0a1b"},
	} {
		if got := tt.key.String(); got != tt.want {
			t.Errorf("%+v is %q, want %q", tt.key, got, tt.want)
		}
	}
}

// The order is the same on every replica, and that of the names that are shown.
func TestTheOrderOfKeys(t *testing.T) {
	path := func(name, rule string) model.RouteKey {
		return model.RouteKey{Kind: model.KindIngress, Namespace: "n", Name: name, Rule: rule}
	}
	want := []model.RouteKey{
		{Namespace: "m", Name: "z"}, {Namespace: "n", Name: "a"}, path("a", "1"), path("a", "2"), path("b", "0"), {Namespace: "n", Name: "z"},
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, model.RouteKey.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("the order is %v, want %v", got, want)
	}
}
