package admission_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"router/pkg/controller/admission"
	"router/pkg/controller/routes"
	"router/pkg/model"
	"router/test/admissiontest"
)

func material(t testing.TB) *admissiontest.Material {
	t.Helper()
	m, err := admissiontest.NewMaterial()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTable(t *testing.T) {
	cases, err := admissiontest.Load(material(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 80 {
		t.Errorf("%d cases, want at least 80", len(cases))
	}
	names := map[string]bool{}
	for _, c := range cases {
		if names[c.Name] {
			t.Errorf("two cases are called %q", c.Name)
		}
		names[c.Name] = true
		t.Run(c.Name, func(t *testing.T) { check(t, &c) })
		t.Run(c.Name+" (elsewhere)", func(t *testing.T) { check(t, c.In("case-7")) })
	}
}

// check computes a case in three ways: afresh, as its events come, and as they
// come at a restart, in any order.
func check(t *testing.T, c *admissiontest.Case) {
	t.Helper()
	x := admission.NewIndex(c.AdmissionOptions())
	there := map[model.RouteKey]*routes.Candidate{}
	for _, e := range c.Objects() {
		if e.Route == nil {
			x.Delete(e.Key)
			delete(there, e.Key)
		} else {
			there[e.Key] = routes.FromRoute(e.Route)
			x.Set(there[e.Key])
		}
	}
	compare(t, c, "by events", x.Verdict)
	all := slices.Collect(maps.Values(there))
	rnd := rand.New(rand.NewPCG(1, 1))
	rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	fresh := admission.Decide(all, c.AdmissionOptions())
	compare(t, c, "afresh", func(k model.RouteKey) (admission.Verdict, bool) { v, ok := fresh[k]; return v, ok })
	again := admission.NewIndex(c.AdmissionOptions())
	again.Update(all, nil)
	compare(t, c, "at a restart", again.Verdict)
	if len(fresh) != len(c.Verdicts) {
		t.Errorf("%d verdicts, want %d", len(fresh), len(c.Verdicts))
	}
}

func compare(t *testing.T, c *admissiontest.Case, how string, verdict func(model.RouteKey) (admission.Verdict, bool)) {
	t.Helper()
	for name, want := range c.Verdicts {
		r := admissiontest.Route{Name: name}
		got, known := verdict(r.Key())
		if !known {
			t.Errorf("%s: %s has no verdict", how, name)
			continue
		}
		if d := want.Difference(got); d != "" {
			t.Errorf("%s: %s: %s", how, name, d)
		}
	}
}
