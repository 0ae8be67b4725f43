// Package given is about texts that an administrator gives: the values of flags
// and variables, and the files that they name. A secret in the wrong place, such
// as a key where the path of its file belongs, must never be shown, in no error,
// log line or page.
package given

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"router/pkg/pki"
)

const (
	// maxShown is how many bytes of a value an error shows: more than any
	// name, address or path takes that somebody types, less than a token of a
	// service account or an RSA key.
	maxShown = 256
	// fewestOfKey is less than what the shortest private key takes in base64.
	fewestOfKey = 40
)

// IsKey reports whether a text holds a private key: in PEM form, or the base64
// of that or of DER.
func IsKey(text string) bool {
	if strings.Contains(text, pki.KeyBlock) {
		return true
	}
	if len(text) < fewestOfKey {
		return false
	}
	dense := strings.Join(strings.Fields(text), "")
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if der, err := encoding.DecodeString(dense); err == nil {
			_, err := pki.ParseKey(der)
			return err == nil || strings.Contains(string(der), pki.KeyBlock)
		}
	}
	return false
}

// Shown is a value for an error, in quotes. What may be a secret is described
// instead: several lines, very long ones, keys, and URLs with a password.
func Shown(value string) string {
	if !harmless(value) {
		return hidden(value)
	}
	return fmt.Sprintf("%q", value)
}

// Hides reports whether Shown describes a value instead of showing it.
func Hides(value string) bool { return !harmless(value) }

func harmless(value string) bool {
	_, authority, isURL := strings.Cut(value, "://")
	return len(value) <= maxShown && utf8.ValidString(value) && !strings.ContainsFunc(strings.ReplaceAll(value, "\t", " "), unicode.IsControl) &&
		!(isURL && strings.Contains(authority, "@")) && !IsKey(value)
}

func hidden(value string) string { return fmt.Sprintf("[not shown: %d bytes]", len(value)) }
