package manifests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

// document is a part of a file that is decoded by itself, so that a mistake in
// one does not take the others along.
type document struct {
	text []byte
	// line is the line of the file that the text begins on.
	line int
	json bool
}

// splitFile splits a file. The problem is for a JSON file that ends in
// something that is not JSON, nil otherwise.
func splitFile(name string, content []byte) ([]document, *Problem) {
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")) // The byte order mark of some editors.
	if filepath.Ext(name) == ".json" {
		return splitJSON(content)
	}
	return splitYAML(content), nil
}

// splitYAML splits at the lines that end a document. No such line can be
// inside a value: whatever a top-level object holds is indented, or in quotes,
// where YAML forbids these markers at the beginning of a line.
func splitYAML(content []byte) []document {
	var docs []document
	current := document{line: 1}
	line := 0
	for text := range bytes.Lines(content) {
		line++
		if marker(text, "...") {
			docs = append(docs, current)
			current = document{line: line + 1}
			continue
		}
		if marker(text, "---") {
			docs = append(docs, current)
			current = document{line: line + 1}
			if rest := bytes.TrimSpace(text[3:]); len(rest) > 0 {
				current = document{text: append(bytes.Clone(rest), '\n'), line: line}
			}
			continue
		}
		if text[0] == '%' && len(bytes.TrimSpace(current.text)) == 0 {
			text = []byte("\n") // A directive, such as %YAML 1.1.
		}
		current.text = append(current.text, text...)
	}
	docs = append(docs, current)
	for i, d := range docs {
		trimmed := bytes.TrimSpace(d.text)
		docs[i].json = len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(trimmed)
	}
	return docs
}

// marker reports whether a line is the marker, alone or before a blank.
func marker(line []byte, marker string) bool {
	rest, found := bytes.CutPrefix(line, []byte(marker))
	return found && (len(rest) == 0 || bytes.ContainsRune([]byte(" \t\r\n"), rune(rest[0])))
}

// splitJSON takes one value after the other.
func splitJSON(content []byte) ([]document, *Problem) {
	var docs []document
	decoder := json.NewDecoder(bytes.NewReader(content))
	for {
		start := decoder.InputOffset()
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			at := start + int64(len(content[start:])-len(bytes.TrimLeft(content[start:], " \t\r\n")))
			var syntax *json.SyntaxError
			if errors.As(err, &syntax) {
				at = max(syntax.Offset-1, 0)
			} else if errors.Is(err, io.ErrUnexpectedEOF) {
				at = int64(len(bytes.TrimRight(content, " \t\r\n")))
			}
			at = min(at, int64(len(content)))
			return docs, &Problem{Line: 1 + bytes.Count(content[:at], []byte("\n")), Message: fmt.Sprintf("not valid JSON: %v", err)}
		}
		// The text of the document begins where the value does.
		begin := decoder.InputOffset() - int64(len(raw))
		docs = append(docs, document{text: raw, line: 1 + bytes.Count(content[:begin], []byte("\n")), json: true})
	}
}
