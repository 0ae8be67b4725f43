package options

import (
	"errors"
	"strconv"
	"strings"
)

// words reads text as a line of HAProxy's configuration (configuration guide,
// section 2.2): quotes and backslashes keep blanks in a word. In the reference
// router some variables stand in the file as they are, so what is in use is
// quoted already. A reference to an environment variable is not followed.
func words(text string) ([]string, error) {
	var list []string
	var word strings.Builder
	started := false
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && quote != '\'':
			s, n := escape(text[i+1:], quote)
			word.WriteString(s)
			started = true
			i += n
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, started = c, true
		case quote == 0 && (c == ' ' || c == '\t'):
			if started {
				list = append(list, word.String())
			}
			word.Reset()
			started = false
		default:
			word.WriteByte(c)
			started = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if started {
		list = append(list, word.String())
	}
	return list, nil
}

// escape reads what follows a backslash: what it stands for, and how many
// bytes that took. Before any other character the backslash stays.
func escape(rest string, quote byte) (string, int) {
	if rest == "" {
		return `\`, 0
	}
	switch c := rest[0]; {
	case c == '"' || c == '\\' || c == '\'' || c == ' ' && quote == 0 || c == '#' && quote == 0 || c == '$' && quote == '"':
		return string(c), 1
	case c == 'n' && quote == 0:
		return "\n", 1
	case c == 't' && quote == 0:
		return "\t", 1
	case c == 'r' && quote == 0:
		return "\r", 1
	case c == 'x' && len(rest) > 2:
		if n, err := strconv.ParseUint(rest[1:3], 16, 8); err == nil {
			return string([]byte{byte(n)}), 3
		}
	}
	return `\`, 0
}

// unquoted is text that may be quoted for HAProxy's configuration: as one word
// of it, or else, as people write it on a command line, literally.
func unquoted(text string) string {
	if list, err := words(text); err == nil && len(list) == 1 {
		return list[0]
	}
	return text
}

// haproxyText is text that the reference router puts into HAProxy's
// configuration as it is.
func haproxyText(flag, env, accepts, help string, field func(*Options) *string) Row {
	return custom(flag, env, "", accepts, help, func(o *Options, v string) error {
		v = unquoted(v)
		if strings.ContainsFunc(v, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			return errors.New("must not have control characters")
		}
		*field(o) = v
		return nil
	})
}
