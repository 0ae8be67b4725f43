package httpheader

import (
	"slices"
	"strings"
	"testing"

	"router/pkg/model"
)

func TestParse(t *testing.T) {
	lit := func(s string) model.ValuePart { return model.ValuePart{Literal: s} }
	sample := func(s string) model.ValuePart { return model.ValuePart{Sample: s} }
	tests := []struct {
		value string
		dir   Direction
		want  []model.ValuePart // nil for an error
	}{
		{"plain 'quoted' \\ value", Request, []model.ValuePart{lit("plain 'quoted' \\ value")}},
		{"100%%", Request, []model.ValuePart{lit("100%")}},
		{"%[req.hdr(host),lower]", Request, []model.ValuePart{sample("req.hdr(host),lower")}},
		{"a %[ssl_c_der,base64] b", Request, []model.ValuePart{lit("a "), sample("ssl_c_der,base64"), lit(" b")}},
		{"%[res.hdr(X-A)]%[res.hdr(X-B)]", Response, []model.ValuePart{sample("res.hdr(X-A)"), sample("res.hdr(X-B)")}},
		{"%[res.hdr(X-A)]", Request, nil},
		{"%[req.hdr(X-A)]", Response, nil},
		{"%{+Q}[ssl_c_der,base64]", Request, []model.ValuePart{{Sample: "ssl_c_der,base64", Flags: "+Q"}}},
		{"%{+Q,-X,E}[req.hdr(a)]", Request, []model.ValuePart{{Sample: "req.hdr(a)", Flags: "+Q,-X,E"}}},
		{"%{+Z}[req.hdr(a)]", Request, nil},
		{"%{+Q}", Request, nil},
		{"%{}[req.hdr(a)]", Request, nil},
		{"%[env(HOME)]", Request, nil},
		{"%[req.hdr(a),map(/etc/passwd)]", Request, nil},
		{"100%", Request, nil},
		{"%{+Q}o", Request, nil},
		{"%[req.hdr(host)", Request, nil},
		{"a\r\nX: y", Request, nil},
		{"", Request, nil},
		{strings.Repeat("a", MaxLength+1), Request, nil},
	}
	for _, tt := range tests {
		got, err := Parse(tt.value, tt.dir)
		if (err != nil) != (tt.want == nil) || !slices.Equal(got, tt.want) {
			t.Errorf("%.40q is %v %v, want %v", tt.value, got, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a %[req.hdr(x)] %% b")
	f.Fuzz(func(t *testing.T, value string) {
		parts, err := Parse(value, Request)
		if err != nil {
			return
		}
		for _, p := range parts {
			if p.Sample != "" && (!requestSample.MatchString(p.Sample) || p.Flags != "" && !flags.MatchString(p.Flags)) {
				t.Errorf("%q gives the expression %q", value, p.Sample)
			}
		}
	})
}
