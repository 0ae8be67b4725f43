package template

import (
	"strings"
	"testing"
)

func TestNamesInALogFormat(t *testing.T) {
	own, slots := logNames{lookup: "txn.be"}, logNames{lookup: "txn.be", slots: "/w/slots.map"}
	const backend = "fe_name,concat(|,txn.backend),rtrim(|),field(-1,|)"
	const (
		server = "str(<NOSRV>),concat(|,txn.slot),concat(|,txn.server),rtrim(|),field(-1,|)"
		named  = "srv_name,concat(|,txn.server),rtrim(|),field(-1,|)"
	)
	note := slots.note()
	for format, want := range map[string]struct{ own, slots string }{
		"":                        {},
		"%b":                      {own: "%[" + backend + "]"},
		"%s":                      {own: "%s", slots: note + "%[" + server + "]"},
		"%b/%s %b":                {own: "%[" + backend + "]/%s %[" + backend + "]", slots: "%[" + backend + "]/" + note + "%[" + server + "] %[" + backend + "]"},
		"x%b_y %b.":               {own: "x%[" + backend + "]_y %[" + backend + "]."},
		"%{+Q}b":                  {own: "%{+Q}[" + backend + "]"},
		"%{+Q,+E}s":               {own: "%{+Q,+E}s", slots: note + "%{+Q,+E}[" + server + "]"},
		"%(be)b %(b:str){-Q}b":    {own: "%(be)[" + backend + "] %(b:str){-Q}[" + backend + "]"},
		"%[be_name]":              {own: "%[" + backend + "]"},
		"%{+Q}[be_name,lower]":    {own: "%{+Q}[" + backend + ",lower]"},
		"%[srv_name]":             {own: "%[srv_name]", slots: note + "%[" + named + "]"},
		"%{+Q}[srv_name,upper] x": {own: "%{+Q}[srv_name,upper] x", slots: note + "%{+Q}[" + named + ",upper] x"},
	} {
		if got := own.in(format); got != want.own {
			t.Errorf("%q becomes %q, want %q", format, got, want.own)
		}
		if want.slots == "" {
			want.slots = want.own
		}
		if got := slots.in(format); got != want.slots {
			t.Errorf("%q becomes %q with slots, want %q", format, got, want.slots)
		}
	}
	// Other items, and what is none.
	for _, format := range []string{
		"%bi:%bp %bc %bq %si %sp %sc %sq %B %ST %Tb %hs %hsl %ms", "%%b %%s", "b s 100%", "%", "%{+Q}", "%{+Q", "%(x", "%(x)", "%-%_ %5 % b",
		"%[be_id] %[be_names] %[srv_name_x] %[str(be_name)] %[var(txn.be_name)]", `%[str("%b]"),regsub("[)%s]",x\)%b)] %[str('\\)%s')]`,
		"%{+X}o %ci %{-X}o %{+json}o %(x)o", "%[be_na", "%{+Q}[src",
	} {
		for _, n := range []logNames{own, slots} {
			if got := n.in(format); got != format {
				t.Errorf("%q becomes %q", format, got)
			}
		}
	}
}

func FuzzNamesInALogFormat(f *testing.F) {
	for _, format := range []string{httpLogFormat, "%{+Q}[be_name,lower] %(x)s", `%[str("\\]")] %`, "%[", "%({"} {
		f.Add(format)
	}
	f.Fuzz(func(t *testing.T, format string) {
		got := (logNames{lookup: "txn.be"}).in(format)
		if !strings.Contains(format, "b") && got != format {
			t.Errorf("%q becomes %q", format, got)
		}
	})
}
