package diff

import (
	"slices"
	"strings"

	"router/pkg/haproxy/config"
	"router/pkg/haproxy/runtime"
)

// ca compares a CA file. A listener takes a new content over. A server keeps
// the one that it was made with, as long as it has no certificate of its own
// (HAProxy up to 3.2 at least, whatever "commit ssl ca-file" says); those to
// come would get the new one.
func (d *differ) ca(path string) {
	have, exists := d.applied.CAs[path]
	want, wanted := d.desired.CAs[path]
	if !wanted || exists && have == want {
		return
	}
	if exists && d.trustedByServers(path) {
		d.reload(ReasonServerCA, path)
		return
	}
	if len(want) > runtime.MaxPayload {
		// No worker loads what no server names: there would be no end of reloads.
		// The first server that does asks for one.
		if exists || !d.features.DynamicServers || path == d.files.ClientCA.String() || d.trustedByServers(path) {
			d.reload(ReasonPayloadTooLarge, path)
		}
		return
	}
	if !exists {
		d.send(Command{Kind: "new ssl ca-file", Text: "new ssl ca-file " + path, OKAnswer: "already exists"})
	}
	d.send(Command{Kind: "set ssl ca-file", Text: runtime.Payload("set ssl ca-file "+path, compactPEM(want))})
	d.send(Command{Kind: "commit ssl ca-file", Text: "commit ssl ca-file " + path, OnSuccess: PutCA{path, want}})
}

// lacksCA reports whether a server would be verified by a file that can only
// come by a reload.
func (d *differ) lacksCA(s *config.Server) (path string, lacks bool) {
	if path = s.CAFile(); path == "" {
		return "", false
	}
	_, exists := d.applied.CAs[path]
	return path, !exists && len(d.desired.CAs[path]) > runtime.MaxPayload
}

// trustedByServers reports whether running servers are verified by the file.
func (d *differ) trustedByServers(path string) bool {
	for _, b := range d.applied.Backends {
		if slices.ContainsFunc(b.Servers, func(s config.Server) bool { return s.CAFile() == path }) {
			return true
		}
	}
	return false
}

// crl compares a file of revoked certificates. One that the process did not
// load yet comes with the frame that names it.
func (d *differ) crl(path string) {
	have, exists := d.applied.CRLs[path]
	want, wanted := d.desired.CRLs[path]
	if !wanted || !exists || have == want {
		return
	}
	if len(want) > runtime.MaxPayload {
		d.reload(ReasonPayloadTooLarge, path)
		return
	}
	d.send(Command{Kind: "set ssl crl-file", Text: runtime.Payload("set ssl crl-file "+path, compactPEM(want))})
	d.send(Command{Kind: "commit ssl crl-file", Text: "commit ssl crl-file " + path, OnSuccess: PutCRL{path, want}})
}

// list compares an allowlist. Its entries are replaced in one step, so that
// no client is let in or kept out by a list that is half there.
func (d *differ) list(path string) {
	have, exists := d.applied.Lists[path]
	want, wanted := d.desired.Lists[path]
	if !exists || !wanted || slices.Equal(have, want) {
		return
	}
	d.send(Command{Kind: "replace acl", Replace: ReplaceACL{path, want}, OnSuccess: PutList{path, want}})
}

// certificate compares a certificate file.
func (d *differ) certificate(path string) {
	have, want := d.applied.Certificates[path], d.desired.Certificates[path]
	switch {
	case want == nil && have == nil, want != nil && have != nil && have.ID == want.ID:
	case want == nil:
		d.remove(Command{Kind: "del ssl cert", Text: "del ssl cert " + path, OnSuccess: PutCertificate{path, nil}})
	case len(want.PEM.Reveal()) > runtime.MaxPayload:
		d.reload(ReasonPayloadTooLarge, path)
	default:
		if have == nil {
			d.send(Command{Kind: "new ssl cert", Text: "new ssl cert " + path, OKAnswer: "already exists"})
		}
		d.send(Command{Kind: "set ssl cert", Text: runtime.Payload("set ssl cert "+path, compactPEM(want.PEM.Reveal()))})
		d.send(Command{Kind: "commit ssl cert", Text: "commit ssl cert " + path, OnSuccess: PutCertificate{path, want}})
	}
}

// compactPEM removes empty lines, which would end a payload.
func compactPEM(pem string) string {
	var b strings.Builder
	for line := range strings.Lines(pem) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(strings.TrimRight(line, "\r\n") + "\n")
		}
	}
	return b.String()
}
