package options

import (
	"slices"
	"strings"
	"testing"
)

// rowNamed is the row of a flag under any of its names.
func rowNamed(t *testing.T, name string) Row {
	t.Helper()
	rows := Table()
	i := slices.IndexFunc(rows, func(r Row) bool { return r.Flag == name || slices.Contains(r.Aliases, name) })
	if i < 0 {
		t.Fatalf("--%s is not known", name)
	}
	return rows[i]
}

// TestEveryFlagOf37 gives each flag of the router of OpenShift 3.7: it acts, or
// the router says why it does not. --version is the command's own.
func TestEveryFlagOf37(t *testing.T) {
	list := names(t, "testdata/flags-3.7.txt")
	if len(list) != 55 {
		t.Fatalf("there are %d flags, want 55", len(list))
	}
	for _, name := range list {
		if name == "version" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			r := rowNamed(t, name)
			if r.obsolete {
				o, err := parse(t, nil, "--"+name+"=value")
				if err != nil || len(o.Warnings) != 1 || !strings.Contains(o.Warnings[0], "--"+name) || !strings.Contains(o.Warnings[0], "no effect: ") {
					t.Errorf("warnings %q, %v", o.Warnings, err)
				}
				return
			}
			cases := rowCases()
			c := cases[slices.IndexFunc(cases, func(c rowCase) bool { return c.flag == r.Flag })]
			testRow(t, r, c)
		})
	}
}
