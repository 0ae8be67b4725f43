package haproxy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"router/pkg/pki"
)

// liveServer is a server as "show servers state" has it.
type liveServer struct {
	address string
	port    int
	weight  int
	ready   bool
	check   bool // by HAProxy, as the administrator's own template may say
	down    bool
	drain   bool
}

// Bits of the columns srv_admin_state and srv_check_state, as in HAProxy's
// management guide, section "show servers state".
const (
	adminForcedMaint = 0x01
	adminForcedDrain = 0x08
	checkEnabled     = 0x04
)

// parseServers reads "show servers state": by backend, by server.
func parseServers(answer string) (map[string]map[string]liveServer, error) {
	live := map[string]map[string]liveServer{}
	columns := map[string]int{}
	for line := range strings.Lines(answer) {
		if header, found := strings.CutPrefix(line, "# "); found {
			for i, name := range strings.Fields(header) {
				columns[name] = i
			}
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		get := func(name string) string {
			if i, ok := columns[name]; ok && i < len(fields) {
				return fields[i]
			}
			return ""
		}
		number := func(name string) int {
			n, err := strconv.Atoi(get(name))
			if err != nil {
				return -1
			}
			return n
		}
		backend, server := get("be_name"), get("srv_name")
		admin := number("srv_admin_state")
		if backend == "" || server == "" || admin < 0 {
			return nil, fmt.Errorf("show servers state: unexpected line %q", strings.TrimSpace(line))
		}
		if live[backend] == nil {
			live[backend] = map[string]liveServer{}
		}
		live[backend][server] = liveServer{
			address: get("srv_addr"), port: number("srv_port"), weight: number("srv_uweight"),
			ready: admin&(adminForcedMaint|adminForcedDrain) == 0, drain: admin&adminForcedDrain != 0,
			check: number("srv_check_state")&checkEnabled != 0, down: number("srv_op_state") == 0,
		}
	}
	return live, nil
}

// errDrift is the error of a read-back that found a difference.
var errDrift = errors.New("haproxy differs from what was sent")

// readBack compares what is live with what is believed to be, for what is in
// scope: each backend's servers, and each entry.
func (d *DataPlane) readBack(ctx context.Context, in *scope) error {
	s, err := d.openSession(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	for name := range in.backends {
		have := d.applied.Backends[name]
		if have == nil {
			continue
		}
		answer, err := s.do(ctx, "show servers state "+d.applied.live(name))
		if err != nil {
			return err
		}
		live, err := parseServers(answer)
		if err != nil {
			return err
		}
		if now := withLive(have, live[d.applied.live(name)]); !slices.Equal(now.Servers, have.Servers) {
			return fmt.Errorf("%w: servers of %s", errDrift, name)
		}
	}
	for path := range in.certs {
		if want := d.applied.Certificates[path]; want != nil {
			if same, err := holds(ctx, s, "show ssl cert "+path, want.PEM.Reveal()); err != nil || !same {
				return errors.Join(err, fmt.Errorf("%w: certificate %s", errDrift, path))
			}
		}
	}
	for path := range in.cas {
		if want, ok := d.applied.CAs[path]; ok {
			if same, err := holds(ctx, s, "show ssl ca-file "+path, want); err != nil || !same {
				return errors.Join(err, fmt.Errorf("%w: CA %s", errDrift, path))
			}
		}
	}
	if err := d.readBackSlotNames(ctx, s, in.slots); err != nil {
		return err
	}
	return d.readBackEntries(ctx, s, in)
}

// readBackEntries looks each entry up in the live table. The tables are
// searched by the longest prefix, so the answer names the key that was found.
func (d *DataPlane) readBackEntries(ctx context.Context, s *session, in *scope) error {
	if len(in.entries) > swapEntries {
		return d.compareTables(ctx, s)
	}
	for k := range in.entries {
		answer, err := s.do(ctx, "get map "+k.table+" "+escapeWord(k.key))
		if err != nil {
			return err
		}
		value, wanted := d.applied.Tables[k.table][k.key]
		value = d.applied.outward(value)
		found := strings.Contains(answer, `key="`+k.key+`"`)
		if found != wanted || wanted && !strings.Contains(answer, `value="`+value+`"`) {
			return fmt.Errorf("%w: entry %s of %s", errDrift, k.key, k.table)
		}
	}
	return nil
}

func (d *DataPlane) compareTables(ctx context.Context, s *session) error {
	for table, entries := range d.applied.Tables {
		live, err := showTable(ctx, s, table)
		if err != nil {
			return err
		}
		if len(live) != len(entries) {
			return fmt.Errorf("%w: %s has %d entries instead of %d", errDrift, table, len(live), len(entries))
		}
		for key, value := range entries {
			if live[key] != d.applied.outward(value) {
				return fmt.Errorf("%w: entry %s of %s", errDrift, key, table)
			}
		}
	}
	return nil
}

// withLive is a backend with its servers as they are live.
func withLive(b *Backend, live map[string]liveServer) *Backend {
	now := *b
	now.Servers = nil
	known := map[string]bool{}
	for _, s := range b.Servers {
		known[s.Name] = true
		l, exists := live[s.Name]
		if !exists {
			continue
		}
		s.Address, s.Port = l.address, l.port
		s.Weight, s.Ready = l.weight, l.ready
		if !l.check {
			s.Down = l.down && l.ready
		}
		now.Servers = append(now.Servers, s)
	}
	for _, name := range slices.Sorted(maps.Keys(live)) {
		if l := live[name]; !known[name] {
			now.Servers = append(now.Servers, Server{Name: name, Address: l.address, Port: l.port, Weight: l.weight, Ready: l.ready, Leaving: !l.ready})
		}
	}
	return &now
}

// refresh reads all of the live state into the applied one.
func (d *DataPlane) refresh(ctx context.Context) error {
	s, err := d.openSession(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	answer, err := s.do(ctx, "show servers state")
	if err != nil {
		return err
	}
	servers, err := parseServers(answer)
	if err != nil {
		return err
	}
	live := d.applied.clone()
	if err := d.refreshBackends(ctx, s, live); err != nil {
		return err
	}
	for name, b := range live.Backends {
		live.Backends[name] = withLive(b, servers[live.live(name)])
		if slices.ContainsFunc(live.Backends[name].Servers, func(s Server) bool { return s.Leaving }) {
			d.leaving[name] = true
		}
	}
	for table := range live.Tables {
		shown, err := showTable(ctx, s, table)
		if err != nil {
			return err
		}
		for key, value := range shown {
			shown[key] = live.inward(value)
		}
		live.Tables[table] = shown
	}
	if err := d.refreshSlotNames(ctx, s, live); err != nil {
		return err
	}
	if live.Hosts, err = showHosts(ctx, s, d.files.CrtList.String()); err != nil {
		return err
	}
	if err := d.refreshCertificates(ctx, s, live); err != nil {
		return err
	}
	if err := d.refreshLists(ctx, s, live); err != nil {
		return err
	}
	d.applied, d.doubt = live, false
	return nil
}

// refreshBackends notes which backends there are, where they come and go.
func (d *DataPlane) refreshBackends(ctx context.Context, s *session, live *State) error {
	if !d.features.AddBackend {
		return nil
	}
	answer, err := s.do(ctx, "show backend")
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for line := range strings.Lines(answer) {
		there[strings.TrimSpace(line)] = true
	}
	for name := range live.Backends {
		if proxy := live.live(name); there[proxy] {
			delete(there, proxy)
		} else {
			delete(live.Backends, name)
		}
	}
	for proxy := range there {
		if prefix, _, ok := strings.Cut(proxy, ":"); ok && strings.HasPrefix(prefix, "be_") {
			// Added by a command whose answer was lost: what it is made from is not
			// known, so nobody may have it.
			live.Backends[formerName(proxy)] = &Backend{Live: proxy, Unpublished: true}
			d.unwanted[formerName(proxy)] = true
		}
	}
	return nil
}

// contentsPerRefresh is how many certificates and CAs a refresh looks into: to
// look into all of 50,000 would keep HAProxy busy for seconds each time.
const contentsPerRefresh = 200

// refreshCertificates notes the certificates and CAs that are not loaded or
// have another content. All are looked for; into some of them it looks, each
// time the next ones.
func (d *DataPlane) refreshCertificates(ctx context.Context, s *session, live *State) error {
	answer, err := s.do(ctx, "show ssl cert")
	if err != nil {
		return err
	}
	loaded := map[string]bool{}
	for line := range strings.Lines(answer) {
		loaded[strings.TrimSpace(line)] = true
	}
	paths := make([]string, 0, len(live.Certificates)+len(live.CAs))
	for path := range live.Certificates {
		if loaded[path] {
			paths = append(paths, path)
		} else {
			delete(live.Certificates, path)
		}
	}
	paths = slices.AppendSeq(paths, maps.Keys(live.CAs))
	slices.Sort(paths)
	next, _ := slices.BinarySearch(paths, d.lookedInto)
	for i := range min(len(paths), contentsPerRefresh) {
		path := paths[(next+i)%len(paths)]
		d.lookedInto = path + "\x00" // Behind this one the next begins.
		if want, ok := live.CAs[path]; ok {
			if same, err := holds(ctx, s, "show ssl ca-file "+path, want); err != nil {
				return err
			} else if !same {
				delete(live.CAs, path)
			}
			continue
		}
		if same, err := holds(ctx, s, "show ssl cert "+path, live.Certificates[path].PEM.Reveal()); err != nil {
			return err
		} else if !same {
			delete(live.Certificates, path)
		}
	}
	return nil
}

// holds reports whether what a command shows are the certificates of a PEM
// text. Of a certificate with its chain only the first is shown.
func holds(ctx context.Context, s *session, command, text string) (bool, error) {
	answer, err := s.do(ctx, command)
	var refused *CommandError
	if errors.As(err, &refused) {
		return false, nil // It is not loaded.
	}
	if err != nil {
		return false, err
	}
	wanted := map[string]bool{}
	for _, print := range pki.Fingerprints(text) {
		wanted[print] = true
	}
	shown := 0
	for line := range strings.Lines(answer) {
		if print, found := strings.CutPrefix(line, "SHA1 FingerPrint: "); found {
			shown++
			if !wanted[strings.TrimSpace(print)] {
				return false, nil
			}
		}
	}
	return shown > 0, nil
}

// refreshLists reads the allowlists.
func (d *DataPlane) refreshLists(ctx context.Context, s *session, live *State) error {
	for path, entries := range live.Lists {
		answer, err := s.do(ctx, "show acl "+path)
		if err != nil {
			return err
		}
		var now []string
		for line := range strings.Lines(answer) {
			if fields := strings.Fields(line); len(fields) == 2 {
				now = append(now, fields[1])
			}
		}
		slices.Sort(now)
		if sorted := slices.Sorted(slices.Values(entries)); !slices.Equal(now, sorted) {
			live.Lists[path] = now
		}
	}
	return nil
}

// showTable reads a lookup table: by key.
func showTable(ctx context.Context, s *session, table string) (map[string]string, error) {
	answer, err := s.do(ctx, "show map "+table)
	if err != nil {
		return nil, err
	}
	entries := map[string]string{}
	for line := range strings.Lines(answer) {
		if fields := strings.Fields(line); len(fields) == 3 {
			entries[fields[1]] = fields[2]
		}
	}
	return entries, nil
}
