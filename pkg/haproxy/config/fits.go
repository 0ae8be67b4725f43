package config

import (
	"fmt"

	"router/pkg/haproxy/runtime"
	"router/pkg/model"
	"router/pkg/template"
)

// Bounds of what one route may put into a command for HAProxy's socket, in
// bytes. A command has to fit HAProxy's buffer, --buf-size, of which 16384 is
// the least; HAProxy cuts the connection where it does not. Answers repeat an
// entry or a server with some words beside, and have to fit as well.
const (
	maxLine = 14000
	// maxEntryKey is how long keys may be for HAProxy's prefix trees to tell them
	// apart: of two that are the same in so many bytes, one is not found (2.6 to
	// 3.4). In a command, each byte may have a backslash before it.
	maxEntryKey = 2048
	// maxEntryValue is twice what the longest names and times are together.
	maxEntryValue = 1024
	// lineWords is what a command has beside names, addresses and settings.
	lineWords = 100
)

// fits refuses a route with a text that is too long to be sent or read back
// while HAProxy runs: no repair would ever succeed.
func fits(r *model.Route, text *template.RouteText) error {
	key, value := template.LongestEntry(r)
	if n := len(key); n > maxEntryKey {
		return fmt.Errorf("its host and path have %d bytes in a lookup table; at most %d are possible", n, maxEntryKey)
	}
	if n := len(runtime.EscapeWord(value)); n > maxEntryValue {
		return fmt.Errorf("its name and that of its cookie have %d bytes in a lookup table; at most %d are possible", n, maxEntryValue)
	}
	for i := range text.Servers {
		s := &text.Servers[i]
		if n := len(text.Backend) + len(s.ID) + len(s.Address) + len(s.Options) + lineWords; n > maxLine {
			return fmt.Errorf("its server %.100s... has %d bytes with its settings; at most %d are possible", s.ID, n, maxLine)
		}
	}
	return nil
}
