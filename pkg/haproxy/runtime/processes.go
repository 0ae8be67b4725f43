package runtime

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Info is some of what a worker says of itself.
type Info struct {
	PID int
	// Connections are the open ones, -1 where it does not say.
	Connections int
}

// ParseInfo reads the answer to "show info".
func ParseInfo(answer string) (Info, error) {
	info := Info{PID: -1, Connections: -1}
	for line := range strings.Lines(answer) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		n, err := strconv.Atoi(value)
		switch {
		case err != nil:
		case name == "Pid":
			info.PID = n
		case name == "CurrConns":
			info.Connections = n
		}
	}
	if info.PID < 0 {
		return info, errors.New("show info: no Pid")
	}
	return info, nil
}

// Worker is a worker process of the master.
type Worker struct {
	PID int
	// Reloads is how many reloads ago it was started.
	Reloads int
}

// Processes is what the master says of itself and its workers.
type Processes struct {
	// Master is the master's process.
	Master int
	// Reloads counts the master's reloads, Failed those in a row that failed.
	Reloads, Failed int
	// Current is the worker that accepts connections; zero if there is none.
	Current Worker
	// Old are former workers that finish their connections.
	Old []Worker
}

// AskProcesses asks the master for its processes.
func AskProcesses(ctx context.Context, masterSocket string) (Processes, error) {
	answer, err := QueryMaster(ctx, masterSocket, "show proc")
	if err != nil {
		return Processes{}, err
	}
	return parseProcesses(answer)
}

// parseProcesses reads the answer to "show proc". The current worker is the
// youngest one, in whichever list: since 3.1 a failed reload moves the serving
// worker to the list of old ones.
func parseProcesses(answer string) (Processes, error) {
	var p Processes
	for line := range strings.Lines(answer) {
		fields := strings.Fields(line)
		if len(fields) < 4 || strings.HasPrefix(line, "#") {
			continue
		}
		pid, err := strconv.Atoi(fields[0])
		if err != nil {
			continue
		}
		reloads, err := strconv.Atoi(fields[2])
		if err != nil {
			return p, fmt.Errorf("show proc: unexpected line %q", strings.TrimSpace(line))
		}
		switch fields[1] {
		case "master":
			p.Master, p.Reloads = pid, reloads
			if len(fields) > 4 && fields[3] == "[failed:" {
				p.Failed, _ = strconv.Atoi(strings.TrimSuffix(fields[4], "]"))
			}
		case "worker":
			p.add(Worker{PID: pid, Reloads: reloads})
		}
	}
	return p, nil
}

func (p *Processes) add(w Worker) {
	switch {
	case p.Current.PID == 0:
		p.Current = w
	case w.Reloads < p.Current.Reloads:
		p.Old = append(p.Old, p.Current)
		p.Current = w
	default:
		p.Old = append(p.Old, w)
	}
}

// ParseSessions are the identifiers in an answer to "show sess", but for that
// of the question itself.
func ParseSessions(answer string) []string {
	var ids []string
	for line := range strings.Lines(answer) {
		id, rest, found := strings.Cut(line, ":")
		if found && strings.HasPrefix(id, "0x") && !strings.Contains(rest, " fe=GLOBAL ") {
			ids = append(ids, id)
		}
	}
	return ids
}
