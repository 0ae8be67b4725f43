package runtime

import (
	"context"
	"fmt"
	"strings"
)

// Map reads a map: by key.
func (s *Session) Map(ctx context.Context, path string) (map[string]string, error) {
	answer, err := s.Do(ctx, "show map "+path)
	if err != nil {
		return nil, err
	}
	entries := map[string]string{}
	for line := range strings.Lines(answer) {
		if fields := strings.Fields(line); len(fields) == 3 {
			entries[fields[1]] = fields[2]
		}
	}
	return entries, nil
}

// MapEntry looks up what a map has for exactly this key. HAProxy searches
// by the longest prefix, so that the answer may be about a shorter key.
func (s *Session) MapEntry(ctx context.Context, path, key string) (value string, found bool, err error) {
	answer, err := s.Do(ctx, "get map "+path+" "+EscapeWord(key))
	if err != nil {
		return "", false, err
	}
	_, rest, found := strings.Cut(answer, ` key="`+key+`", value="`)
	if !found {
		return "", false, nil
	}
	value, _, found = strings.Cut(rest, `"`)
	return value, found, nil
}

// ReplaceMap replaces the content of a map in one step by lines of a key and
// a value.
func (s *Session) ReplaceMap(ctx context.Context, path string, lines []string) error {
	return s.replace(ctx, "map", path, func(add string) error {
		for len(lines) > 0 {
			n, size := 0, 0
			for n < len(lines) && (n == 0 || size+len(lines[n])+1 <= MaxPayload) {
				size += len(lines[n]) + 1
				n++
			}
			if _, err := s.Do(ctx, Payload(add, strings.Join(lines[:n], "\n"))); err != nil {
				return err
			}
			lines = lines[n:]
		}
		return nil
	})
}

// ACL reads the entries of an ACL's file.
func (s *Session) ACL(ctx context.Context, path string) ([]string, error) {
	answer, err := s.Do(ctx, "show acl "+path)
	if err != nil {
		return nil, err
	}
	var entries []string
	for line := range strings.Lines(answer) {
		if fields := strings.Fields(line); len(fields) == 2 {
			entries = append(entries, fields[1])
		}
	}
	return entries, nil
}

// ReplaceACL replaces the entries of an ACL's file in one step.
func (s *Session) ReplaceACL(ctx context.Context, path string, entries []string) error {
	return s.replace(ctx, "acl", path, func(add string) error {
		for _, entry := range entries {
			if _, err := s.Do(ctx, add+" "+EscapeWord(entry)); err != nil {
				return err
			}
		}
		return nil
	})
}

// replace prepares a new version of a list, has it filled, and makes it the
// current one.
func (s *Session) replace(ctx context.Context, kind, path string, fill func(add string) error) error {
	prepare := "prepare " + kind + " " + path
	answer, err := s.Do(ctx, prepare)
	if err != nil {
		return err
	}
	var version int
	if _, err := fmt.Sscanf(answer, "New version created: %d", &version); err != nil {
		return &CommandError{Command: prepare, Answer: answer}
	}
	if err := fill(fmt.Sprintf("add %s @%d %s", kind, version, path)); err != nil {
		return err
	}
	_, err = s.Do(ctx, fmt.Sprintf("commit %s @%d %s", kind, version, path))
	return err
}
