package options

import (
	"slices"
	"testing"
)

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                       nil,
		"a  b\tc":                {"a", "b", "c"},
		`"%ci %r"`:               {"%ci %r"},
		`'a "b"'`:                {`a "b"`},
		`%ci\ %r`:                {"%ci %r"},
		`"a \"b\""`:              {`a "b"`},
		`"a; b=\'"`:              {`a; b='`},
		`^/CN=a\.b$`:             {`^/CN=a\.b$`},
		`a\\.b`:                  {`a\.b`},
		`'a\.b'`:                 {`a\.b`},
		`x"y z"w`:                {"xy zw"},
		`\x41`:                   {"A"},
		`""`:                     {""},
		`text/html "text/plain"`: {"text/html", "text/plain"},
		`a\`:                     {`a\`},
	} {
		if got, err := words(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
	if _, err := words(`"a`); err == nil {
		t.Error("a quote that is not closed is no error")
	}
	for text, want := range map[string]string{`"%ci %r"`: "%ci %r", "%ci %r": "%ci %r", `it's`: `it's`, `^CN=a\.b$`: `^CN=a\.b$`} {
		if got := unquoted(text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestLogAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"stdout": "stdout", "container": "stdout", "/run/log.sock": "/run/log.sock", "10.0.0.1": "10.0.0.1:514", "10.0.0.1:5140": "10.0.0.1:5140",
		"::1": "[::1]:514", "[::1]": "[::1]:514", "[::1]:99": "[::1]:99", "log.test": "log.test:514", "log.test:99": "log.test:99", "udp@10.0.0.1:99": "10.0.0.1:99",
	} {
		if got, err := parseLogAddress(text); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"10.0.0.1:0", "10.0.0.1:65536", "a b", "tcp@10.0.0.1:99", "fd@1", ":514", "10.0.0.1:99:9", "run/log.sock"} {
		if got, err := parseLogAddress(text); err == nil {
			t.Errorf("%s is taken for %q", text, got)
		}
	}
}
