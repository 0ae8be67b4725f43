package routes

import (
	"fmt"
	"slices"
	"testing"

	"router/pkg/model"
)

func TestTheSetKnowsWhatObjectsHave(t *testing.T) {
	set := NewSet()
	object := model.RouteKey{Kind: model.KindIngress, Namespace: "n", Name: "i"}
	put := func(object model.RouteKey, rules []string, wantGone ...string) {
		t.Helper()
		var now []*Candidate
		for _, rule := range rules {
			c := &Candidate{Key: object}
			c.Key.Rule = rule
			now = append(now, c)
		}
		var lost, have []string
		for _, k := range set.Put(object, now) {
			if lost = append(lost, k.Rule); set.Get(k) != nil {
				t.Errorf("%s is gone and there", k)
			}
		}
		for _, k := range set.Of(object) {
			if have = append(have, k.Rule); set.Get(k) == nil {
				t.Errorf("%s is not there", k)
			}
		}
		if !slices.Equal(have, rules) || fmt.Sprint(lost) != fmt.Sprint(wantGone) {
			t.Errorf("have %q, lost %q; want %q, %q", have, lost, rules, wantGone)
		}
	}
	put(object, []string{"a", "b"})
	put(object, []string{"b", "c"}, "a")
	put(object, nil, "b", "c")
	put(object, nil)
	route := model.RouteKey{Namespace: "n", Name: "i"}
	put(object, []string{"a"})
	put(route, []string{""})
	put(route, []string{""})
	put(route, nil, "")
	put(object, nil, "a")
	if len(set.candidates)+len(set.rules) != 0 {
		t.Errorf("something is left: %+v", set)
	}
}
