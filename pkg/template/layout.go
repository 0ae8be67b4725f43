package template

import (
	"fmt"
	"path/filepath"
)

// maxSocketPath is what fits a unix socket's address (108 bytes) beside the
// temporary ending that HAProxy adds while it binds.
const maxSocketPath = 90

// Layout is where files live below the working directory.
type Layout struct {
	// Config is the configuration's main file.
	Config Path
	// RuntimeSocket is the running worker's command socket, MasterSocket that
	// of the master process, StatsSocket serves HAProxy's statistics page,
	// SNISocket and, for clients that name no host, NoSNISocket are the ways
	// from public_ssl to fe_sni, PeersSocket that from a worker to the one that
	// replaces it.
	RuntimeSocket, MasterSocket, StatsSocket, SNISocket, NoSNISocket, PeersSocket Path
	DefaultCertificate, CrtList                                                   Path
	// ClientCA and ClientCRL are what clients' certificates are checked
	// against, DestinationCA servers' where a route has no CA of its own.
	ClientCA, ClientCRL, DestinationCA Path
	ErrorPage503, ErrorPage404         Path
	// Certificates, CAs and Lists are directories with files per route.
	Certificates, CAs, Lists Path
	// Maps are the lookup tables.
	Maps Maps
}

// Maps are the files of the lookup tables.
type Maps struct {
	HTTP, HTTPWildcard, HTTPS, HTTPSWildcard, SNI, SNIWildcard Path
	// HTTPAny and HTTPSAny have the paths of model.CatchAllHost. Hosts has the
	// hosts that are somebody's, as long as anybody asks for any host.
	HTTPAny, HTTPSAny, Hosts Path
	// Slots has the names of endpoints for the access log, see lognames.go.
	Slots Path
}

// All returns the maps that hosts have entries in, in a fixed order.
func (m Maps) All() []Path {
	return []Path{m.HTTP, m.HTTPWildcard, m.HTTPS, m.HTTPSWildcard, m.SNI, m.SNIWildcard, m.HTTPAny, m.HTTPSAny, m.Hosts}
}

// NewLayout lays files out below the absolute directory dir. It refuses a
// directory whose name cannot stand in the configuration or is too long for
// a unix socket.
func NewLayout(dir string) (Layout, error) {
	if !filepath.IsAbs(dir) {
		return Layout{}, fmt.Errorf("working directory %q is not an absolute path", dir)
	}
	if _, err := NewPath(dir); err != nil {
		return Layout{}, fmt.Errorf("working directory: %w", err)
	}
	at := func(parts ...string) Path { return Path{filepath.Join(append([]string{dir}, parts...)...)} }
	l := Layout{
		Config:             at("conf", "haproxy.config"),
		RuntimeSocket:      at("run", "haproxy.sock"),
		MasterSocket:       at("run", "master.sock"),
		StatsSocket:        at("run", "stats.sock"),
		SNISocket:          at("run", "sni.sock"),
		NoSNISocket:        at("run", "no-sni.sock"),
		PeersSocket:        at("run", "peers.sock"),
		DefaultCertificate: at("router", "certs", "default.pem"),
		ClientCA:           at("router", "client-ca.pem"),
		ClientCRL:          at("router", "client-crl.pem"),
		DestinationCA:      at("router", "destination-ca.pem"),
		CrtList:            at("conf", "certs.list"),
		ErrorPage503:       at("conf", "error-page-503.http"),
		ErrorPage404:       at("conf", "error-page-404.http"),
		Certificates:       at("router", "certs"),
		CAs:                at("router", "cacerts"),
		Lists:              at("router", "allowlists"),
		Maps: Maps{
			HTTP:          at("conf", "http.map"),
			HTTPWildcard:  at("conf", "http-wildcard.map"),
			HTTPS:         at("conf", "https.map"),
			HTTPSWildcard: at("conf", "https-wildcard.map"),
			SNI:           at("conf", "sni.map"),
			SNIWildcard:   at("conf", "sni-wildcard.map"),
			HTTPAny:       at("conf", "http-any.map"),
			HTTPSAny:      at("conf", "https-any.map"),
			Hosts:         at("conf", "hosts.map"),
			Slots:         at("conf", "slots.map"),
		},
	}
	for _, socket := range []Path{l.RuntimeSocket, l.MasterSocket, l.StatsSocket, l.SNISocket, l.NoSNISocket, l.PeersSocket} {
		if n := len(socket.text); n > maxSocketPath {
			return Layout{}, fmt.Errorf("working directory %q is %d bytes too long for the unix sockets in it", dir, n-maxSocketPath)
		}
	}
	return l, nil
}

// In returns the path of a file in a directory of the layout. The name must
// be representable, as route keys that passed NewName are.
func in(dir Path, name string) (Path, error) { return NewPath(filepath.Join(dir.text, name)) }
