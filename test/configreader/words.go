package configreader

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// wordsOf splits a line as HAProxy does (its manual, section 2.2): blanks
// separate words, but for those in quotes and behind a backslash; nothing is
// special in single quotes; and a comment ends the line.
func wordsOf(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote byte
	inWord := false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote == '\'' && c != '\'':
			word.WriteByte(c)
		case c == '\'' && quote != '"', c == '"':
			inWord = true
			if quote == 0 {
				quote = c
			} else {
				quote = 0
			}
		case c == '\\' && i+1 < len(line):
			inWord = true
			text, length := escaped(line[i+1:], quote)
			word.WriteString(text)
			i += length
		case quote == '"' && c == '$':
			return nil, errors.New("a variable of the environment")
		case quote == 0 && strings.IndexByte(" \t\n\v\f\r", c) >= 0:
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		case quote == 0 && c == '#':
			i = len(line)
		default:
			inWord = true
			word.WriteByte(c)
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote %c has no end", quote)
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// escaped is what a backslash and the text behind it stand for, and how much
// of that text counts.
func escaped(text string, quote byte) (string, int) {
	switch c := text[0]; {
	case strings.IndexByte(` \"#`, c) >= 0, c == '\'' && quote == 0, c == '$' && quote == '"':
		return string(c), 1
	case c == 'n':
		return "\n", 1
	case c == 'r':
		return "\r", 1
	case c == 't':
		return "\t", 1
	case c == 'x' && len(text) > 2:
		if n, err := strconv.ParseUint(text[1:3], 16, 8); err == nil {
			return string([]byte{byte(n)}), 3
		}
	}
	return `\`, 0
}
