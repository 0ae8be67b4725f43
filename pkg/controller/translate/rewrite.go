package translate

import (
	"fmt"
	"strings"

	"router/pkg/model"
)

// rewrite reads the annotation's notation: a backslash keeps the meaning of
// the next quote, "#" or backslash away; quotes that are left vanish; "#"
// begins a comment, with which the rest of the request's path is dropped; an
// even number of "%" is half as many, as in a log format. What no path
// contains, blanks and characters that are not ASCII, is percent-encoded.
func rewrite(v string) model.Rewrite {
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		switch c := v[i]; c {
		case '\\':
			if i+1 < len(v) && strings.IndexByte(`\#"'`, v[i+1]) >= 0 {
				i++
				b.WriteByte(v[i])
			}
		case '"', '\'':
		case '#':
			// The blanks before a comment belong to it.
			return model.Rewrite{Target: pathText(strings.TrimRight(b.String(), " ")), DropRest: true}
		case '%':
			n := 1
			for i+n < len(v) && v[i+n] == '%' {
				n++
			}
			i += n - 1
			if n%2 == 0 {
				n /= 2
			}
			b.WriteString(strings.Repeat("%", n))
		default:
			b.WriteByte(c)
		}
	}
	return model.Rewrite{Target: pathText(b.String())}
}

// pathText encodes the bytes of a path that may not stand in one.
func pathText(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
