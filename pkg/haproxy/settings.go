package haproxy

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"router/pkg/haproxy/process"
)

// SettingsError is the error of router-wide settings that HAProxy refuses.
type SettingsError struct {
	Complaints []Complaint
	// log is all that HAProxy said.
	log string
}

// Complaint is a line of the configuration and what HAProxy says of it.
type Complaint struct{ Line, Message string }

// Error implements error.
func (e *SettingsError) Error() string { return (&process.Refusal{Log: e.log}).Error() }

// Unwrap implements error.
func (e *SettingsError) Unwrap() error { return process.ErrRefused }

// lineNumber finds the line that a message of HAProxy is about.
var lineNumber = regexp.MustCompile(`(?i)\s*(?:parsing|at) \[[^\]]+:(\d+)\]\s*:?\s*`)

// checkSettings lets HAProxy read the configuration without any route, so that
// a mistake in the router's own settings is told at once, and is never taken
// for a route's.
func (d *DataPlane) checkSettings(ctx context.Context) error {
	if err := d.write(); err != nil {
		return err
	}
	err := d.master.Check(ctx)
	var refused *process.Refusal
	if !errors.As(err, &refused) {
		return err
	}
	text, _ := d.files.image.ConfigText(d.Features())
	lines := strings.Split(text, "\n")
	settings := &SettingsError{log: refused.Log}
	for message := range strings.Lines(refused.Log) {
		at := lineNumber.FindStringSubmatchIndex(message)
		if at == nil || !strings.Contains(message, "[ALERT]") {
			continue
		}
		n, err := strconv.Atoi(message[at[2]:at[3]])
		if err != nil || n < 1 || n > len(lines) {
			continue
		}
		said := message[at[1]:]
		if strings.Trim(said, " .\n") == "" {
			// "Proxy 'a': what is wrong at [file:9]."
			said = message[:at[0]]
			if _, after, found := strings.Cut(said, " : "); found {
				said = after
			}
		}
		settings.Complaints = append(settings.Complaints, Complaint{Line: strings.TrimSpace(lines[n-1]), Message: strings.TrimSpace(said)})
	}
	return settings
}
