package given

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Path is the path of a file that holds a secret, as it was given. In its place
// may be the secret itself, by mistake; so every formatting verb and encoder
// shows only what is plainly a path. string(p) is the path to open.
type Path string

// maxPath is the longest path that is taken for one, in bytes.
const maxPath = 1024

// CheckPath is an error for what is no path, but probably the content of a file.
func CheckPath(text string) error {
	switch {
	case IsKey(text):
		return errors.New("has a private key in it; it must be the path of a file")
	case strings.ContainsAny(text, "\r\n\x00"):
		return errors.New("has several lines; it must be the path of a file")
	case len(text) > maxPath:
		return fmt.Errorf("has more than %d bytes; it must be the path of a file", maxPath)
	}
	return nil
}

// file is a name with an ending, and directories before it. Base64 has no dots.
var file = regexp.MustCompile(`^([\w.-]+/)*[^/]*\.[A-Za-z][A-Za-z0-9]{1,4}$`)

// plain reports whether the text is a path beyond doubt: one that begins with
// a directory, or a name with an ending. Nobody's password looks like that.
func (p Path) plain() bool {
	text := string(p)
	if text == "" {
		return true
	}
	for _, start := range []string{"/", "./", "../", "~/"} {
		if strings.HasPrefix(text, start) {
			return harmless(text)
		}
	}
	return harmless(text) && file.MatchString(text)
}

// String implements fmt.Stringer.
func (p Path) String() string {
	if !p.plain() {
		return hidden(string(p))
	}
	return string(p)
}

// GoString implements fmt.GoStringer.
func (p Path) GoString() string { return fmt.Sprintf("%q", p.String()) }

// MarshalText implements encoding.TextMarshaler.
func (p Path) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// LogValue implements slog.LogValuer.
func (p Path) LogValue() slog.Value { return slog.StringValue(p.String()) }

// Join is a file in a directory.
func (p Path) Join(name string) Path { return Path(filepath.Join(string(p), name)) }

// Read reads the file. Its error has the path as String shows it.
func (p Path) Read() ([]byte, error) {
	content, err := os.ReadFile(string(p))
	return content, p.wrap(err)
}

// Check is an error unless the file can be opened for reading.
func (p Path) Check() error {
	file, err := os.Open(string(p))
	if err != nil {
		return p.wrap(err)
	}
	return file.Close()
}

// wrap takes the path that the system was given out of its error.
func (p Path) wrap(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return fmt.Errorf("%s: %w", p, at.Err)
	}
	return err
}
