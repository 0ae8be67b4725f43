package model

import (
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is text that must never be printed: a private key, a password, a
// cookie key. Every formatting verb, the JSON and text encoders and log/slog
// show a placeholder; Reveal is the only way to the content.
type Secret struct{ text string }

// NewSecret wraps text.
func NewSecret(text string) Secret { return Secret{text: text} }

// Reveal returns the content. Call it only where the content is used.
func (s Secret) Reveal() string { return s.text }

// IsEmpty reports whether there is no content.
func (s Secret) IsEmpty() bool { return s.text == "" }

// String implements fmt.Stringer with a placeholder.
func (s Secret) String() string { return redacted }

// GoString implements fmt.GoStringer with a placeholder.
func (s Secret) GoString() string { return redacted }

// Format implements fmt.Formatter with a placeholder for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText implements encoding.TextMarshaler with a placeholder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer with a placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
