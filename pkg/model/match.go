package model

// CatchAllHost is the host of routes for requests whose host nobody else has. It
// is no wildcard: those have a domain.
const CatchAllHost = "*"

// Match says which requests are meant: those for a host and for a path of it.
type Match struct {
	// Host is lower-case. With Wildcard it is the domain below which exactly one
	// label matches: "*.w.example.org" has Host "w.example.org". CatchAllHost is
	// for requests whose host no other route has.
	Host string `json:"host"`
	// Path is "" for the whole host; otherwise it begins with "/" and is not
	// "/" alone. A trailing slash is kept: "/a/" does not match "/a".
	Path string `json:"path"`
	// Exact means that Path, which may be "/" alone then, matches itself and
	// nothing below it.
	Exact    bool `json:"exact,omitempty"`
	Wildcard bool `json:"wildcard,omitempty"`
}

// HostKey is the host of a match, all its paths.
func (m Match) HostKey() HostKey { return HostKey{m.Host, m.Wildcard} }

// HostKey identifies a host or, where Wildcard, the hosts one label below it.
type HostKey struct {
	Host     string
	Wildcard bool
}
