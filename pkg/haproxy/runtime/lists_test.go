package runtime

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"testing"
)

// answering is a session with somebody who gives each command the same answer.
func answering(t *testing.T, answer string) *Session {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _ = theirs.Close() })
	go func() {
		for lines := bufio.NewScanner(theirs); lines.Scan(); {
			if _, err := fmt.Fprintf(theirs, "%s\n\n> ", answer); err != nil {
				return
			}
		}
	}()
	s, err := newSession(context.Background(), ours)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// TestMapEntry: a key is what the owner of a route writes, and may look like
// HAProxy's own words.
func TestMapEntry(t *testing.T) {
	for key, shown := range map[string]string{
		`a.test/`:                 `a.test/`,
		`a.test/"`:                `a.test/"`,
		`a.test/value="x"`:        `a.test/value="x"`,
		`a.test/",value="be"`:     `a.test/",value="be"`,
		`a.test/key="a.test/"`:    `a.test/key="a.test/"`,
		`a.test/longer`:           `a.test/`,
		`a.test/",type="str",a="`: `a.test/",type="str",a="`,
	} {
		s := answering(t, fmt.Sprintf(`type=beg, case=sensitive, found=yes, idx=tree, key="%s", value="be_http:ns:r|c", type="str"`, shown))
		value, found, err := s.MapEntry(t.Context(), "/map", key)
		if want := key == shown; err != nil || found != want || found && value != "be_http:ns:r|c" {
			t.Errorf("%s: %q, %v, %v", key, value, found, err)
		}
	}
}
