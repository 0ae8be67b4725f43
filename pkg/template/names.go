package template

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"router/pkg/model"
)

// BackendName is the name of a route's backend, with the reference router's
// prefixes, from which dashboards and log parsers know it.
func BackendName(r *model.Route) string {
	return backendPrefix(r.Termination) + ":" + r.Key.Namespace + ":" + r.Key.UniqueName()
}

const passthroughPrefix = "be_tcp"

func backendPrefix(t model.Termination) string {
	switch t {
	case model.TerminationEdge:
		return "be_edge_http"
	case model.TerminationReencrypt:
		return "be_secure"
	case model.TerminationPassthrough:
		return passthroughPrefix
	}
	return "be_http"
}

// fileSeparator stands between namespace and name in a file's name: a
// character that neither can have, and not the colon, behind which commands
// such as "del ssl crt-list" expect a number.
const fileSeparator = "+"

// A file's name has at most 255 bytes on Linux, a namespace 63 and a route's
// name 253. maxStem leaves room for the ending, and for what is added to the
// name of the temporary file that the file is before it is complete.
const (
	maxStem     = 220
	digestBytes = 16
)

// FileStem is the name, without directory and ending, of the files that belong
// to one route. One that would be too long is cut and ends in a digest of the
// whole, behind a second separator, so that no two routes have the same.
func FileStem(k model.RouteKey) string {
	stem := k.Namespace + fileSeparator + k.UniqueName()
	if len(stem) <= maxStem {
		return stem
	}
	sum := sha256.Sum256([]byte(stem))
	digest := fileSeparator + hex.EncodeToString(sum[:digestBytes])
	return stem[:maxStem-len(digest)] + digest
}

// IsOfRoute reports whether a file's name is one that only a route's has.
func IsOfRoute(name string) bool { return strings.Contains(name, fileSeparator) }
