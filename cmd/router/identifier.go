package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
)

// identifier is what the file has, or is made and kept there: after a restart
// the router knows its requests of before.
func identifier(path string) (string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // in our own directory
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("--working-dir: %w", err)
	}
	if known := strings.TrimSpace(string(text)); isIdentifier(known) {
		return known, nil
	}
	made := rand.Text()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return "", fmt.Errorf("--working-dir: %w", err)
	}
	if err := renameio.WriteFile(path, []byte(made+"\n"), 0o600, renameio.WithStaticPermissions(0o600)); err != nil {
		return "", fmt.Errorf("--working-dir: %w", err)
	}
	return made, nil
}

// isIdentifier reports whether rand.Text could have made the text.
func isIdentifier(text string) bool {
	return len(text) >= len(rand.Text()) && len(text) <= maxIdentifier &&
		!strings.ContainsFunc(text, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '2' || r > '7') })
}

// maxIdentifier is more than it will ever have.
const maxIdentifier = 64
