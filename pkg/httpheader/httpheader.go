// Package httpheader reads the values that routes and administrators give to
// headers: text in which "%[...]" is an expression over the request or the
// response, and "%%" a percent sign. Only expressions of a small grammar are
// accepted, the same as that of the Route API's validation.
package httpheader

import (
	"fmt"
	"regexp"
	"strings"

	"router/pkg/model"
)

// Direction says which message a header belongs to.
type Direction int

// The directions.
const (
	Request Direction = iota
	Response
)

// MaxLength bounds a value, in bytes, as the Route API does.
const MaxLength = 16384

// nameToken is a header's name: a token of RFC 9110, section 5.6.2.
var nameToken = regexp.MustCompile("^[-!#$%&'*+.0-9A-Z^_`a-z|~]+$")

// ValidName reports whether s can be a header's name.
func ValidName(s string) bool { return nameToken.MatchString(s) && len(s) <= 255 }

// framing are the headers that say where a message ends and what becomes of
// its connection. HAProxy writes them: an action on one of them makes the two
// ends of a connection disagree about where the next message begins, so that
// on a connection that clients share one of them reads another's response.
var framing = map[string]bool{
	"content-length": true, "transfer-encoding": true, "trailer": true, "te": true,
	"connection": true, "keep-alive": true, "proxy-connection": true, "upgrade": true, "http2-settings": true,
}

// Framing reports whether the header of that name, in any case, is HAProxy's
// alone to write.
func Framing(name string) bool { return framing[strings.ToLower(name)] }

// flags may stand before the bracket: quote, hexadecimal, escape.
var flags = regexp.MustCompile(`^[-+]?[QXE](?:,[-+]?[QXE])*$`)

// The grammar of an expression: a fetch, then converters.
var (
	requestSample  = regexp.MustCompile(`^(?:req\.hdr\([0-9A-Za-z-]+\)|ssl_c_der)(?:,(?:lower|base64))*$`)
	responseSample = regexp.MustCompile(`^(?:res\.hdr\([0-9A-Za-z-]+\)|ssl_c_der)(?:,(?:lower|base64))*$`)
)

// Parse reads a value. Errors say what to write instead.
func Parse(value string, dir Direction) ([]model.ValuePart, error) {
	if value == "" {
		return nil, fmt.Errorf("the value is empty")
	}
	if len(value) > MaxLength {
		return nil, fmt.Errorf("the value is longer than %d bytes", MaxLength)
	}
	if i := strings.IndexFunc(value, func(r rune) bool { return r < 0x20 && r != '\t' || r == 0x7f }); i >= 0 {
		return nil, fmt.Errorf("the value has a control character at byte %d", i)
	}
	grammar, fetches := requestSample, "req.hdr(NAME), ssl_c_der"
	if dir == Response {
		grammar, fetches = responseSample, "res.hdr(NAME), ssl_c_der"
	}
	var parts []model.ValuePart
	var literal strings.Builder
	for rest := value; rest != ""; {
		before, after, found := strings.Cut(rest, "%")
		literal.WriteString(before)
		if !found {
			break
		}
		if strings.HasPrefix(after, "%") {
			literal.WriteByte('%')
			rest = after[1:]
			continue
		}
		part, tail, ok := expression(after, grammar)
		if !ok {
			return nil, fmt.Errorf(`%%%s is not an expression; use %%[...] of %s with the converters lower and base64, and "%%%%" for a percent sign`, head(after), fetches)
		}
		if literal.Len() > 0 {
			parts = append(parts, model.ValuePart{Literal: literal.String()})
			literal.Reset()
		}
		parts = append(parts, part)
		rest = tail
	}
	if literal.Len() > 0 {
		parts = append(parts, model.ValuePart{Literal: literal.String()})
	}
	return parts, nil
}

// expression reads what follows a percent sign: "[...]", or with flags
// "{...}[...]".
func expression(text string, grammar *regexp.Regexp) (part model.ValuePart, rest string, ok bool) {
	if inner, found := strings.CutPrefix(text, "{"); found {
		if part.Flags, text, ok = strings.Cut(inner, "}"); !ok || !flags.MatchString(part.Flags) {
			return part, "", false
		}
	}
	inner, found := strings.CutPrefix(text, "[")
	if !found {
		return part, "", false
	}
	part.Sample, rest, ok = strings.Cut(inner, "]")
	return part, rest, ok && grammar.MatchString(part.Sample)
}

// head is the beginning of s, for messages.
func head(s string) string {
	const shown = 20
	if len(s) > shown {
		return s[:shown] + "..."
	}
	return s
}
