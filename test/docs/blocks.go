// Package docs tests the pages of the project: what they tell a reader to type
// is typed.
package docs

import (
	"fmt"
	"regexp"
	"strings"
)

// block is a fenced block of a page.
type block struct {
	page string
	line int
	// language is the word behind the fence, such as "sh".
	language string
	// mark is the text of the comment on the line before the fence, which a
	// reader of the page does not see.
	mark string
	text string
}

// Marks of blocks of the language "sh". A block without one is run to its end.
const (
	// untilStopped ends with a router, which is stopped when it is ready.
	untilStopped = "until stopped"
	// notRun begins a mark that goes on with the reason.
	notRun = "not run: "
)

func (b *block) name() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

// reason is why the block is not run, "" where it is.
func (b *block) reason() string {
	reason, found := strings.CutPrefix(b.mark, notRun)
	if !found {
		return ""
	}
	return reason
}

var comment = regexp.MustCompile(`^<!-- (.*) -->$`)

// blocksOf finds the fenced blocks of a page.
func blocksOf(page, text string) ([]*block, error) {
	var blocks []*block
	var open *block
	var before string
	for i, line := range strings.Split(text, "\n") {
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case open != nil && line == "```":
			blocks = append(blocks, open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		case fence && language == "":
			return nil, fmt.Errorf("%s:%d: a block without a language", page, i+1)
		case fence:
			open = &block{page: page, line: i + 1, language: language}
			if m := comment.FindStringSubmatch(before); m != nil {
				open.mark = m[1]
			}
		case strings.HasPrefix(strings.TrimSpace(line), "```"), strings.HasPrefix(line, "    ") && strings.TrimSpace(before) == "":
			return nil, fmt.Errorf("%s:%d: a block without a fence at the margin", page, i+1)
		}
		before = line
	}
	if open != nil {
		return nil, fmt.Errorf("%s: the last block has no end", open.name())
	}
	return blocks, nil
}
