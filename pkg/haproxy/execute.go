package haproxy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// execute sends commands in their order over one connection, and notes the
// effect of each that HAProxy accepted. A refused command does not keep the
// others back; a broken connection does. Certificates' transactions that
// went wrong are closed, since an open one would block the next.
func (d *DataPlane) execute(ctx context.Context, commands []Command) error {
	if len(commands) == 0 {
		return nil
	}
	s, err := d.openSession(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	var failed []error
	for _, c := range commands {
		switch {
		case c.swap != nil:
			err = c.swap.run(ctx, s)
		case c.line != nil:
			err = c.line.run(ctx, s)
		default:
			_, err = s.do(ctx, c.Text)
		}
		var refused *CommandError
		switch {
		case err == nil:
		case !errors.As(err, &refused):
			return errors.Join(append(failed, err)...)
		case c.benign != "" && strings.Contains(strings.ToLower(refused.Answer), c.benign):
		default:
			failed = append(failed, err)
			for _, kind := range []string{" ssl cert ", " ssl ca-file ", " ssl crl-file "} {
				if verb, path, ok := strings.Cut(firstLine(c.Text), kind); ok && verb != "del" {
					_, _ = s.do(ctx, "abort"+kind+strings.TrimSuffix(path, " <<"))
				}
			}
			d.opts.Metrics.command(c.Kind, false)
			if c.vital {
				return errors.Join(failed...)
			}
			continue
		}
		d.opts.Metrics.command(c.Kind, true)
		if c.effect != nil {
			c.effect(d.applied)
		}
		if c.leaves != "" {
			d.leaving[c.leaves] = true
		}
	}
	return errors.Join(failed...)
}

// run replaces the list in one step.
func (w *swap) run(ctx context.Context, s *session) error {
	answer, err := s.do(ctx, "prepare "+w.kind+" "+w.path)
	if err != nil {
		return err
	}
	var version int
	if _, err := fmt.Sscanf(answer, "New version created: %d", &version); err != nil {
		return &CommandError{Command: "prepare " + w.kind + " " + w.path, Answer: answer}
	}
	add := fmt.Sprintf("add %s @%d %s", w.kind, version, w.path)
	if w.kind == "map" {
		for lines := w.lines; len(lines) > 0; {
			n, size := 0, 0
			for n < len(lines) && (n == 0 || size+len(lines[n])+1 <= maxPayload) {
				size += len(lines[n]) + 1
				n++
			}
			if _, err := s.do(ctx, payload(add, strings.Join(lines[:n], "\n"))); err != nil {
				return err
			}
			lines = lines[n:]
		}
	} else {
		for _, line := range w.lines {
			if _, err := s.do(ctx, add+" "+escapeWord(line)); err != nil {
				return err
			}
		}
	}
	_, err = s.do(ctx, fmt.Sprintf("commit %s @%d %s", w.kind, version, w.path))
	return err
}

// reapInterval is the time between looks at servers whose last connections
// are awaited.
const reapInterval = 500 * time.Millisecond

// reap deletes servers, or frees slots, whose last connection has ended, and
// the backends that nobody wants.
func (d *DataPlane) reap(ctx context.Context) {
	if len(d.leaving)+len(d.unwanted) == 0 {
		return
	}
	s, err := d.openSession(ctx)
	if err != nil {
		return
	}
	defer s.close()
	for name := range d.leaving {
		if d.applied.Backends[name] == nil || d.reapServers(ctx, s, name) {
			delete(d.leaving, name)
		}
	}
	for name := range d.unwanted {
		if d.release(ctx, s, name) {
			delete(d.unwanted, name)
		}
	}
}

// reapServers reports whether none is left of a backend's leaving servers.
func (d *DataPlane) reapServers(ctx context.Context, s *session, name string) bool {
	backend, live := d.applied.Backends[name], d.applied.live(name)
	var busy map[string]bool
	if !d.features.DynamicServers {
		var err error
		if busy, err = busyServers(ctx, s, live); err != nil {
			return false
		}
	}
	done := true
	for _, server := range backend.Servers {
		switch {
		case !server.Leaving:
		case d.features.DynamicServers:
			id := live + "/" + server.Name
			// Idle connections are not purged by a deletion from 3.3 on.
			_, _ = s.do(ctx, "wait 1ms srv-removable "+id)
			if _, err := s.do(ctx, "del server "+id); err != nil && !strings.Contains(err.Error(), "No such server") {
				done = false
				continue
			}
			dropServer(name, server.Name)(d.applied)
		case busy[server.Name]:
			done = false
		default:
			server.Leaving = false
			putServer(name, server)(d.applied)
		}
	}
	return done
}

// release lets go of a backend that nobody wants: it is deleted where that is
// possible, and a spare one is free again. It reports whether there is nothing
// more to do; a backend of the file's own stays, empty, until the next reload.
func (d *DataPlane) release(ctx context.Context, s *session, name string) bool {
	b := d.applied.Backends[name]
	switch {
	case b == nil || d.desired.Backends[name] != nil:
		return true
	case b.Live == "" && !d.features.AddBackend:
		return true
	case d.pending.backends[name] || slices.ContainsFunc(b.Servers, func(s Server) bool { return s.Ready || s.Leaving }):
		return false // Requests may still be led to it.
	case d.features.AddBackend:
		proxy := d.applied.live(name)
		for _, command := range []string{"unpublish backend " + proxy, "del backend " + proxy} {
			if _, err := s.do(ctx, command); err != nil && !strings.Contains(err.Error(), "No such backend") {
				return false
			}
			changeBackend(name, func(b *Backend) { b.Unpublished = true })(d.applied)
		}
		d.applied.Ready.forget(proxy)
	case isSpare(b.Live):
		d.applied.Ready.give(b.settings(d.features), spare{b.Live, b.Servers})
	}
	delete(d.applied.Backends, name)
	return true
}

// busyServers are the servers of a backend with connections in use.
func busyServers(ctx context.Context, s *session, backend string) (map[string]bool, error) {
	answer, err := s.do(ctx, "show servers conn "+backend)
	if err != nil {
		return nil, err
	}
	busy := map[string]bool{}
	column := -1
	for line := range strings.Lines(answer) {
		fields := strings.Fields(strings.TrimPrefix(line, "# "))
		if strings.HasPrefix(line, "#") {
			for i, f := range fields {
				if f == "used_cur" {
					column = i
				}
			}
			continue
		}
		if column < 0 || column >= len(fields) {
			continue
		}
		_, server, _ := strings.Cut(fields[0], "/")
		busy[server] = fields[column] != "0"
	}
	if column < 0 {
		return nil, fmt.Errorf("show servers conn: no column used_cur")
	}
	return busy, nil
}
