package live

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"router/pkg/haproxy/diff"
	"router/pkg/haproxy/runtime"
)

// Execute sends commands in their order over one connection, and notes what
// each that HAProxy accepted has changed. A refused command does not keep the
// others back, unless it says so; a broken connection does.
func (w *Worker) Execute(ctx context.Context, commands []diff.Command) error {
	if len(commands) == 0 {
		return nil
	}
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	var failed []error
	for i := range commands {
		c := &commands[i]
		err := send(ctx, s, c)
		var refused *runtime.CommandError
		switch {
		case err == nil:
		case !errors.As(err, &refused):
			return errors.Join(append(failed, err)...)
		case c.OKAnswer != "" && strings.Contains(strings.ToLower(refused.Answer), c.OKAnswer):
		default:
			failed = append(failed, err)
			abort(ctx, s, c)
			w.o.Sent(c.Kind, false)
			if c.StopOnError {
				return errors.Join(failed...)
			}
			continue
		}
		if c.Kind != "" {
			w.o.Sent(c.Kind, true)
		}
		w.apply(c)
	}
	return errors.Join(failed...)
}

func send(ctx context.Context, s *runtime.Session, c *diff.Command) (err error) {
	switch r := c.Replace.(type) {
	case diff.ReplaceMap:
		return s.ReplaceMap(ctx, r.Path, r.Lines)
	case diff.ReplaceACL:
		return s.ReplaceACL(ctx, r.Path, r.Entries)
	case diff.ReplaceCrtLine:
		return s.ReplaceCrtLine(ctx, r.List, r.Path, r.Old, r.Now)
	case nil:
		if c.Kind != "" {
			_, err = s.Do(ctx, c.Text)
		}
		return err
	}
	return fmt.Errorf("no such replacement: %T", c.Replace)
}

// abort closes the transaction of a file that went wrong, since an open one
// would block the next.
func abort(ctx context.Context, s *runtime.Session, c *diff.Command) {
	for _, kind := range []string{" ssl cert ", " ssl ca-file ", " ssl crl-file "} {
		if verb, path, ok := strings.Cut(runtime.FirstLine(c.Text), kind); ok && verb != "del" {
			_, _ = s.Do(ctx, "abort"+kind+strings.TrimSuffix(path, " <<")) // There may be none.
		}
	}
}
