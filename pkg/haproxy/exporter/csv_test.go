package exporter

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"
)

const heading = "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout\n"

// line makes a row with the columns given, of as many as HAProxy 2.6 has.
func line(proxy, name, kindNumber string, columns map[int]string) string {
	fields := make([]string, 104)
	fields[columnProxy], fields[columnServer], fields[columnType] = proxy, name, kindNumber
	for i, v := range columns {
		fields[i] = v
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(fields)
	w.Flush()
	return b.String()
}

func TestStatisticsAreRead(t *testing.T) {
	short := func(n int) string { return strings.Repeat(",", n-1) + "\n" }
	for _, test := range []struct {
		name, answer string
		want         []string
		fails        string
	}{
		{name: "no rows at all", answer: heading},
		{name: "each kind of row, but for listeners", answer: heading + line("public", "FRONTEND", "0", nil) + line("public", "sock-1", "3", nil) +
			line("be", "s1", "2", nil) + line("be", "BACKEND", "1", nil) + "\n",
			want: []string{"frontend public/FRONTEND", "server be/s1", "backend be/BACKEND"}},
		{name: "a type that is not known yet", answer: heading + line("x", "y", "7", nil)},
		{name: "a text with a comma, a quote and a line's end", answer: heading + line("be", "s1", "2", map[int]string{56: "said: \"a,b\"\nc"}),
			want: []string{"server be/s1"}},
		{name: "a line cut short after rows", answer: heading + line("be", "s1", "2", nil) + short(51),
			want: []string{"server be/s1"}, fails: "line 3 has 51 columns, at least 52 are needed"},
		{name: "a type that is no number", answer: heading + line("be", "s1", "two", nil), fails: "line 2: type"},
		{name: "a row without a type", answer: heading + line("be", "s1", "", nil), fails: "line 2: type"},
		{name: "a quote that does not end", answer: heading + `be,"s1`, fails: "statistics"},
		{name: "an empty answer", answer: "", fails: "no heading"},
		{name: "HAProxy's word for a command that it does not know", answer: "Unknown command. Please enter one of the following commands only :\n", fails: "no heading"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			err := eachRow(test.answer, func(r row) { got = append(got, r.kind.String()+" "+r.proxy+"/"+r.server) })
			if !slices.Equal(got, test.want) {
				t.Errorf("rows %q, want %q", got, test.want)
			}
			if (err != nil) != (test.fails != "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("error %v, want %q", err, test.fails)
			}
		})
	}
}

func TestValuesAreRead(t *testing.T) {
	for _, test := range []struct {
		name, text string
		index      int
		want       float64
		ok, fails  bool
	}{
		{name: "a number", text: "42", index: 8, want: 42, ok: true},
		{name: "a number below zero", text: "-1", index: 8, want: -1, ok: true},
		{name: "an empty field", index: 8},
		{name: "a column that this version does not have", index: 500},
		{name: "a word", text: "many", index: 8, fails: true},
		{name: "what only Go takes for a number", text: "NaN", index: 8, fails: true},
		{name: "up", text: "UP", index: columnStatus, want: 1, ok: true},
		{name: "up after a failed check", text: "UP 1/3", index: columnStatus, want: 1, ok: true},
		{name: "an open frontend", text: "OPEN", index: columnStatus, want: 1, ok: true},
		{name: "without checks", text: "no check", index: columnStatus, want: 1, ok: true},
		{name: "down", text: "DOWN", index: columnStatus, ok: true},
		{name: "down after a good check", text: "DOWN 1/2", index: columnStatus, ok: true},
		{name: "maintenance", text: "MAINT", index: columnStatus, ok: true},
		{name: "draining", text: "DRAIN", index: columnStatus, ok: true},
		{name: "a word that begins like up", text: "UPSIDE", index: columnStatus, ok: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := row{fields: make([]string, 104)}
			if test.index < len(r.fields) {
				r.fields[test.index] = test.text
			}
			v, ok, err := r.value(test.index)
			if v != test.want || ok != test.ok || (err != nil) != test.fails {
				t.Errorf("got %v, %v, %v", v, ok, err)
			}
		})
	}
}

func FuzzStatistics(f *testing.F) {
	f.Add("")
	f.Add(heading)
	f.Add(heading + line("be_http:ns:r", "pod:a:svc:http:10.0.0.1:80", "2", map[int]string{columnStatus: "UP 1/3", 56: `a "b"`, 8: "-9"}))
	f.Add(heading + line("public", "FRONTEND", "0", map[int]string{8: "99999999999999999999"}) + ",,\n")
	f.Fuzz(func(t *testing.T, answer string) {
		visit := func(r row) {
			if len(r.fields) < columnsNeeded {
				t.Fatalf("a row of %d columns", len(r.fields))
			}
			for _, c := range columns() {
				if v, ok, err := r.value(c.index); ok && err != nil || !ok && v != 0 {
					t.Fatalf("column %d: %v, %v, %v", c.index, v, ok, err)
				}
			}
			if o := originOf(r.proxy); !strings.HasSuffix(r.proxy, o.route) {
				t.Fatalf("%q is %+v", r.proxy, o)
			}
		}
		_ = eachRow(answer, visit)
	})
}
