// Package configreader reads HAProxy's configuration with a parser that is not
// ours, client-native's, so that tests see what somebody else finds in it.
package configreader

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	parser "github.com/haproxytech/client-native/v6/config-parser"
	"github.com/haproxytech/client-native/v6/config-parser/common"
	"github.com/haproxytech/client-native/v6/config-parser/options"
	"github.com/haproxytech/client-native/v6/config-parser/types"
)

// unknown says of which directives the parser does not know all, by kind of
// section, and why such a line is right all the same. The parser keeps it as it
// stands.
func unknown(kind, directive string) string {
	return map[string]string{
		"frontend capture":        "the parser knows declare capture only",
		"global no strict-limits": "the parser knows it without the no only",
		"peers server":            "the parser wants an address, which HAProxy takes from the section's bind",
	}[kind+" "+directive]
}

// reading is held by who reads: the parser writes the name of the section of
// defaults that it has read last into a variable of its package.
var reading sync.Mutex

// Section is a section of a configuration.
type Section struct {
	// Title is its first line, Lines the words of the others by directive.
	Title string
	Lines map[string][][]string

	kind, name string
}

// Read reads a configuration with the parser, has the parser write what it has
// read, and compares the two. It returns the sections of the configuration, and
// an error where
//
//   - a quote has no end, or text in quotes stands for a variable of the
//     environment,
//   - HAProxy's rules of quoting and the parser's make more or fewer words of a
//     line,
//   - the parser does not know a directive, but for those of "unknown",
//   - a section is lost, or new, or there twice,
//   - a line of a section is lost, or new, or has other words.
//
// The parser sorts sections by kind and name, and the lines of a section by
// directive. So sections are compared by name, and lines in their order among
// those of the same directive. The parser puts all of "global" together, which
// HAProxy reads one after the other. Of a time-out that is there twice the last
// one counts, for HAProxy and the parser. Comments and blank lines do not count.
func Read(config string) ([]*Section, error) {
	p, written, err := read(config)
	if err != nil {
		return nil, err
	}
	want, err := split(config, p)
	got, errWritten := split(written, p)
	problems := []error{err, errWritten}
	for _, s := range want {
		problems = append(problems, s.unread(p), s.compare(find(got, s.Title)))
	}
	for _, s := range got {
		if find(want, s.Title) == nil {
			problems = append(problems, fmt.Errorf("%s: the parser has added this section", s.Title))
		}
	}
	return want, errors.Join(problems...)
}

func read(config string) (p parser.Parser, written string, err error) {
	reading.Lock()
	defer reading.Unlock()
	if p, err = parser.New(options.String(config)); err != nil {
		return nil, "", err
	}
	return p, p.String(), nil
}

// split is a text by sections.
func split(text string, p parser.Parser) ([]*Section, error) {
	var problems []error
	var sections []*Section
	current := &Section{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		words, err := wordsOf(line)
		if err != nil {
			problems = append(problems, fmt.Errorf("%w: %s", err, line))
		}
		if parts, _ := common.StringSplitWithCommentIgnoreEmpty(line); len(parts) != len(words) {
			problems = append(problems, fmt.Errorf("HAProxy reads %q, the parser %q", words, parts))
		}
		if len(words) == 0 {
			continue
		}
		if _, err := p.SectionsGet(parser.Section(words[0])); err != nil {
			if current.Lines == nil {
				problems = append(problems, fmt.Errorf("%q is in no section", words))
				continue
			}
			d := directive(words)
			if words[0] == "timeout" {
				delete(current.Lines, d)
			}
			current.Lines[d] = append(current.Lines[d], words)
			continue
		}
		title := strings.Join(words, " ")
		switch same := find(sections, title); {
		case same == nil:
			current = newSection(title, words)
			sections = append(sections, current)
		case same.kind == string(parser.Global):
			current = same
		default:
			problems = append(problems, fmt.Errorf("%s: this section is there twice", title))
		}
	}
	return sections, errors.Join(problems...)
}

func newSection(title string, words []string) *Section {
	s := &Section{Title: title, kind: words[0], Lines: map[string][][]string{}}
	switch {
	case len(words) > 1:
		s.name = words[1]
	case s.kind == string(parser.Global):
		s.name = parser.GlobalSectionName
	}
	return s
}

func find(sections []*Section, title string) *Section {
	for _, s := range sections {
		if s.Title == title {
			return s
		}
	}
	return nil
}

// directive is what the parser sorts lines by.
func directive(words []string) string {
	if len(words) > 1 && slices.Contains([]string{"no", "option", "stats", "timeout"}, words[0]) {
		return words[0] + " " + words[1]
	}
	return words[0]
}

// compare compares what was written with what the parser has made of it.
func (s *Section) compare(got *Section) error {
	if got == nil {
		return fmt.Errorf("%s: the parser has lost this section", s.Title)
	}
	var problems []error
	for d, lines := range s.Lines {
		for i, words := range lines {
			if i >= len(got.Lines[d]) {
				problems = append(problems, fmt.Errorf("%s: the parser has lost %q", s.Title, words))
			} else if !same(words, got.Lines[d][i]) {
				problems = append(problems, fmt.Errorf("%s: the parser takes %q for %q", s.Title, words, got.Lines[d][i]))
			}
		}
	}
	for d, lines := range got.Lines {
		for _, words := range lines[min(len(lines), len(s.Lines[d])):] {
			problems = append(problems, fmt.Errorf("%s: the parser has added %q", s.Title, words))
		}
	}
	return errors.Join(problems...)
}

// same says whether two lines have the same words, in the same order but for a
// cookie's, which the parser sorts.
func same(a, b []string) bool {
	if a[0] == "cookie" {
		a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	}
	return slices.Equal(a, b)
}

// unread is an error for lines that the parser keeps without knowing them.
func (s *Section) unread(p parser.Parser) error {
	data, err := p.Get(parser.Section(s.kind), s.name, "")
	if err != nil {
		return nil //nolint:nilerr // there are none
	}
	var problems []error
	for _, line := range data.([]types.UnProcessed) {
		words, err := wordsOf(line.Value)
		if err != nil || unknown(s.kind, directive(words)) == "" {
			problems = append(problems, fmt.Errorf("%s: the parser does not know %s", s.Title, line.Value))
		}
	}
	return errors.Join(problems...)
}
