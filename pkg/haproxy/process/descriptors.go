package process

import (
	"log/slog"
	"runtime"
	"syscall"
)

// What HAProxy needs descriptors for. It says "FD limit too low" where there
// are fewer than this comes to, starts all the same, and then lets connections
// take the ones that its command socket needs.
const (
	// perConnection are the client's and the server's.
	perConnection = 2
	// perThread are an epoll instance and a pipe to wake the thread up; one is
	// to spare.
	perThread = 4
	// aside are for the rest: HAProxy counts some 40 for its listeners,
	// standard streams, the sockets of the log and of the master, and ten
	// sessions of the command socket.
	aside = 100
	// fewestConnections are tried however few descriptors there are.
	fewestConnections = 10
)

// descriptorsNeeded is for how many files HAProxy asks with so many connections.
func descriptorsNeeded(connections, threads int) uint64 {
	if threads == 0 {
		threads = runtime.NumCPU() // As HAProxy chooses.
	}
	return uint64(connections)*perConnection + uint64(threads)*perThread + aside //nolint:gosec // not negative
}

// connectionsWithin is how many of the wanted connections fit a limit of open
// files.
func connectionsWithin(limit uint64, wanted, threads int) int {
	reserve := descriptorsNeeded(0, threads)
	if limit >= descriptorsNeeded(wanted, threads) {
		return wanted
	}
	if limit < reserve+fewestConnections*perConnection {
		return min(wanted, fewestConnections)
	}
	return int((limit - reserve) / perConnection) //nolint:gosec // less than wanted
}

// openFiles is how many files a child of this process may open that asks for
// so many. HAProxy raises its soft limit itself, up to the hard one. That one is
// raised here, where this process has the right to.
func openFiles(needed uint64) uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return needed // HAProxy says if there are fewer.
	}
	if limit.Max >= needed {
		return limit.Max
	}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: needed, Max: needed}) == nil {
		return needed
	}
	return limit.Max
}

// FitConnections is how many of the wanted connections the system's limit of
// open files lets be. 0 leaves the choice to HAProxy, which looks at the limit
// itself.
func FitConnections(wanted, threads int, logger *slog.Logger) int {
	if wanted == 0 {
		return 0
	}
	limit := openFiles(descriptorsNeeded(wanted, threads))
	fit := connectionsWithin(limit, wanted, threads)
	if fit < wanted {
		logger.Warn("fewer connections than --max-connections says: the limit of open files (ulimit -Hn) is too low",
			"wanted", wanted, "connections", fit, "limit", limit, "needed", descriptorsNeeded(wanted, threads))
	}
	return fit
}
