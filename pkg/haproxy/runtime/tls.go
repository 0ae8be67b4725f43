package runtime

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// Certificates are the names of the certificates that are loaded.
func (s *Session) Certificates(ctx context.Context) (map[string]bool, error) {
	return s.names(ctx, "show ssl cert")
}

// Backends are the names of the backends that there are.
func (s *Session) Backends(ctx context.Context) (map[string]bool, error) {
	return s.names(ctx, "show backend")
}

// names are the lines of an answer.
func (s *Session) names(ctx context.Context, command string) (map[string]bool, error) {
	answer, err := s.Do(ctx, command)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for line := range strings.Lines(answer) {
		names[strings.TrimSpace(line)] = true
	}
	return names, nil
}

// CertificateFingerprints are the SHA-1 fingerprints, in hexadecimal, of a
// loaded certificate file. Of a certificate with its chain HAProxy shows only
// the first. There are none where the file is not loaded.
func (s *Session) CertificateFingerprints(ctx context.Context, path string) ([]string, error) {
	return s.fingerprints(ctx, "show ssl cert "+path)
}

// CAFingerprints are those of a CA file.
func (s *Session) CAFingerprints(ctx context.Context, path string) ([]string, error) {
	return s.fingerprints(ctx, "show ssl ca-file "+path)
}

func (s *Session) fingerprints(ctx context.Context, command string) ([]string, error) {
	answer, err := s.Do(ctx, command)
	var refused *CommandError
	if errors.As(err, &refused) {
		return nil, nil // It is not loaded.
	}
	if err != nil {
		return nil, err
	}
	var prints []string
	for line := range strings.Lines(answer) {
		if print, found := strings.CutPrefix(line, "SHA1 FingerPrint: "); found {
			prints = append(prints, strings.TrimSpace(print))
		}
	}
	return prints, nil
}

// CrtLine is a line of a crt-list.
type CrtLine struct {
	// Path is the certificate's file. Where lines are numbered, it ends in the
	// number, behind a colon.
	Path string
	// Filters are the names of hosts that the certificate is for, and behind "!"
	// those that it is not for.
	Filters []string
}

// CrtList reads a crt-list; numbered tells lines with the same certificate
// apart.
func (s *Session) CrtList(ctx context.Context, list string, numbered bool) ([]CrtLine, error) {
	command := "show ssl crt-list "
	if numbered {
		command += "-n "
	}
	answer, err := s.Do(ctx, command+list)
	if err != nil {
		return nil, err
	}
	var lines []CrtLine
	for line := range strings.Lines(answer) {
		if fields := strings.Fields(line); len(fields) > 1 && !strings.HasPrefix(line, "#") {
			lines = append(lines, CrtLine{Path: fields[0], Filters: fields[1:]})
		}
	}
	return lines, nil
}

// ReplaceCrtLine replaces a line of a crt-list by another with the same
// certificate; either may be "", for none. The new one is there before the old
// one goes, so that no handshake meets neither.
func (s *Session) ReplaceCrtLine(ctx context.Context, list, path, old, now string) error {
	lines, err := s.CrtList(ctx, list, true)
	if err != nil {
		return err
	}
	if now != "" {
		if _, err := s.Do(ctx, Payload("add ssl crt-list "+list, now)); err != nil {
			return err
		}
	}
	was := strings.Fields(old)
	for _, line := range lines {
		number, ok := strings.CutPrefix(line.Path, path+":")
		if !ok || number == "" || len(was) == 0 || !slices.Equal(was[1:], line.Filters) {
			continue
		}
		if _, err := s.Do(ctx, "del ssl crt-list "+list+" "+line.Path); err != nil {
			return err
		}
	}
	return nil
}
