package configreader

import (
	"slices"
	"strings"
	"testing"
)

// good has what ours have: two sections "global", quotes of both kinds, and
// the directives that the parser does not know.
const good = `# A comment
global
  no strict-limits
  maxconn 100

global
  localpeer router

peers counters
  bind /run/peers.sock mode 600
  server router

defaults base
  timeout connect 5s
  timeout client 30s
  timeout client 40s

frontend public from base
  mode http
  bind 127.0.0.1:8080
  http-request set-header X-A "it's %[src]; \"\$x\" # no comment" if { src 127.0.0.1 } # a comment
  http-request deny if { path '/a "b"' }
  default_backend b

backend b from base
  cookie c insert indirect nocache httponly attr SameSite=Lax
  server s 127.0.0.1:80 weight 1
`

func TestRead(t *testing.T) {
	sections, err := Read(good)
	if err != nil {
		t.Error(err)
	}
	var titles []string
	for _, s := range sections {
		titles = append(titles, s.Title)
	}
	if want := []string{"global", "peers counters", "defaults base", "frontend public from base", "backend b from base"}; !slices.Equal(titles, want) {
		t.Errorf("sections %q, want %q", titles, want)
	}
	if lines := sections[0].Lines; len(lines["maxconn"]) != 1 || len(lines["localpeer"]) != 1 {
		t.Errorf("global is %q", lines)
	}
}

func TestReadComplains(t *testing.T) {
	if _, err := Read("maxconn 1\n" + good); err == nil || !strings.Contains(err.Error(), `["maxconn" "1"] is in no section`) {
		t.Errorf("a line before all sections: %v", err)
	}
	for _, c := range []struct{ name, line, complaint string }{
		{"a quote without an end", `http-request set-header X-B "a b`, `a quote " has no end`},
		{"a quote inside quotes", `http-request set-header X-B "a" deny "`, `a quote " has no end`},
		{"a quote that holds too little", `http-request set-path "/a" b"`, `has no end`},
		{"a variable", `http-request set-header X-B "$HOME"`, "variable"},
		{"a blank that is none for the parser", `http-request set-header X-B a\\ b`, "HAProxy reads"},
		{"a line's end that only HAProxy sees", "server s2 127.0.0.1:81\fdisabled", "HAProxy reads"},
		{"an unknown directive", "frobnicate on", "the parser does not know frobnicate on"},
		{"an unknown action", "http-request frobnicate", "the parser does not know http-request frobnicate"},
		{"a directive that is unknown elsewhere", "no strict-limits", "the parser does not know"},
		{"a word that the parser does not take", "cookie c insert frobnicate", `"frobnicate"`},
		{"a directive that is there twice", "cookie d insert", `lost ["cookie" "d" "insert"]`},
		{"a value that is not as written", "fullconn 0100", `takes ["fullconn" "0100"] for ["fullconn" "100"]`},
		{"a section of the same name", "backend b from base", "twice"},
		{"a section without defaults", "backend evil", "backend evil: the parser has lost this section"},
		{"more than the parser can hold", "# " + strings.Repeat("x", 70_000) + "\nbackend c from base", "backend c from base: the parser has lost this section"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(good + "  " + c.line + "\n")
			if err == nil || !strings.Contains(err.Error(), c.complaint) {
				t.Errorf("%v, want %q", err, c.complaint)
			}
		})
	}
}

func TestWords(t *testing.T) {
	for line, want := range map[string][]string{
		``:                  nil,
		"  a\t b ":          {"a", "b"},
		`a # b`:             {"a"},
		`a\#b\ c`:           {"a#b c"},
		`a"b c"'d e'f`:      {"ab cd ef"},
		`"" ''`:             {"", ""},
		`'\n$"' "\n\$'\""`:  {`\n$"`, "\n$'\""},
		`\x41 \q \`:         {"A", `\q`, `\`},
		`"a\'b" a\'b`:       {`a\'b`, "a'b"},
		`$HOME ${HOME}`:     {"$HOME", "${HOME}"},
		"a\rb":              {"a", "b"},
		`"\x22" \" '"' "'"`: {`"`, `"`, `"`, "'"},
	} {
		words, err := wordsOf(line)
		if err != nil || !slices.Equal(words, want) {
			t.Errorf("%s is %q, %v, want %q", line, words, err, want)
		}
	}
}
