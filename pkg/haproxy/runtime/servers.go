package runtime

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Server is a server as "show servers state" has it.
type Server struct {
	Address string
	Port    int
	Weight  int
	// Ready is whether it takes requests: neither in maintenance nor draining.
	Ready, Draining bool
	// Checked is whether HAProxy checks it itself, as the administrator's own
	// template may say, Down whether it is taken for dead.
	Checked, Down bool
}

// Servers are servers by name, by backend.
type Servers map[string]map[string]Server

// Bits of the columns srv_admin_state and srv_check_state, as in HAProxy's
// management guide, section "show servers state".
const (
	adminForcedMaint = 0x01
	adminForcedDrain = 0x08
	checkEnabled     = 0x04
)

// Servers reads the servers of a backend, or of all for "".
func (s *Session) Servers(ctx context.Context, backend string) (Servers, error) {
	answer, err := s.Do(ctx, strings.TrimSpace("show servers state "+backend))
	if err != nil {
		return nil, err
	}
	return parseServers(answer)
}

func parseServers(answer string) (Servers, error) {
	live := Servers{}
	err := eachRow(answer, func(r row) error {
		backend, server, admin := r.get("be_name"), r.get("srv_name"), r.number("srv_admin_state")
		if backend == "" || server == "" || admin < 0 {
			return fmt.Errorf("show servers state: unexpected line %q", strings.Join(r.fields, " "))
		}
		if live[backend] == nil {
			live[backend] = map[string]Server{}
		}
		live[backend][server] = Server{
			Address: r.get("srv_addr"), Port: r.number("srv_port"), Weight: r.number("srv_uweight"),
			Ready: admin&(adminForcedMaint|adminForcedDrain) == 0, Draining: admin&adminForcedDrain != 0,
			Checked: r.number("srv_check_state")&checkEnabled != 0, Down: r.number("srv_op_state") == 0,
		}
		return nil
	})
	return live, err
}

// BusyServers are the servers of a backend with connections in use.
func (s *Session) BusyServers(ctx context.Context, backend string) (map[string]bool, error) {
	answer, err := s.Do(ctx, "show servers conn "+backend)
	if err != nil {
		return nil, err
	}
	busy, known := map[string]bool{}, false
	err = eachRow(answer, func(r row) error {
		if used := r.number("used_cur"); used >= 0 {
			_, server, _ := strings.Cut(r.fields[0], "/")
			busy[server], known = used > 0, true
		}
		return nil
	})
	if err == nil && !known {
		err = errors.New("show servers conn: no column used_cur")
	}
	return busy, err
}

// row is a line of a table that begins with the names of its columns.
type row struct {
	columns map[string]int
	fields  []string
}

// eachRow calls do for each line of such a table.
func eachRow(answer string, do func(row) error) error {
	columns := map[string]int{}
	for line := range strings.Lines(answer) {
		if header, found := strings.CutPrefix(line, "# "); found {
			for i, name := range strings.Fields(header) {
				columns[name] = i
			}
			continue
		}
		if fields := strings.Fields(line); len(fields) > 1 {
			if err := do(row{columns, fields}); err != nil {
				return err
			}
		}
	}
	return nil
}

// get is a column's text, "" where the line has none.
func (r row) get(name string) string {
	if i, ok := r.columns[name]; ok && i < len(r.fields) {
		return r.fields[i]
	}
	return ""
}

// number is a column's number, -1 where there is none.
func (r row) number(name string) int {
	n, err := strconv.Atoi(r.get(name))
	if err != nil {
		return -1
	}
	return n
}
