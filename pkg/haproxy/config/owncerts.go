package config

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"strings"

	"router/pkg/haproxy/runtime"
	"router/pkg/pki"
	"router/pkg/template"
)

// keyKind is the kind of a certificate's key, in the order in which HAProxy
// prefers them among all that fit a name, the exact name or a wildcard.
type keyKind int

const (
	keyOther keyKind = iota
	keyRSA
	keyECDSA
)

func keyKindOf(cert *x509.Certificate) keyKind {
	if cert == nil {
		return keyOther
	}
	switch cert.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return keyECDSA
	case *rsa.PublicKey:
		return keyRSA
	}
	return keyOther
}

// namesOf are the names that HAProxy takes from a certificate, as far as they
// are names of hosts.
func namesOf(cert *x509.Certificate) []string {
	if cert == nil {
		return nil
	}
	var names []string
	for _, name := range append(slices.Clone(cert.DNSNames), cert.Subject.CommonName) {
		name = strings.ToLower(name)
		host := strings.TrimPrefix(name, "*.")
		strange := func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_')
		}
		if host != "" && !strings.ContainsFunc(host, strange) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ownCertificates are the names for which routes have certificates.
type ownCertificates struct {
	kinds map[string]keyKind
	// below has the exact names by what is behind their first label.
	below map[string]map[string]bool
	// left is how many hosts found no room in the lines of wildcards, as logged.
	left map[string]int
	// defaultNames are those in the default certificate's line of names, "" without
	// one.
	defaultNames string
}

func newOwnCertificates() *ownCertificates {
	return &ownCertificates{kinds: map[string]keyKind{}, below: map[string]map[string]bool{}, left: map[string]int{}}
}

const wildcardLabel = "*"

func (o *ownCertificates) set(name string, kind keyKind) {
	o.kinds[name] = kind
	if label, domain, _ := strings.Cut(name, "."); label != wildcardLabel {
		if o.below[domain] == nil {
			o.below[domain] = map[string]bool{}
		}
		o.below[domain][name] = true
	}
}

func (o *ownCertificates) remove(name string) {
	delete(o.kinds, name)
	_, domain, _ := strings.Cut(name, ".")
	if delete(o.below[domain], name); len(o.below[domain]) == 0 {
		delete(o.below, domain)
	}
}

// Bounds of a line of the crt-list. HAProxy takes 2,048 words, and its command
// socket 14,000 bytes, which is some 500 hosts.
const (
	maxLineWords = 2000
	maxLineBytes = runtime.MaxPayload
)

// except are the hosts that a certificate for names must leave to their own
// one, because HAProxy would prefer this key; left are those that do not fit
// the line, for which that happens.
func (o *ownCertificates) except(line CrtLine, names string, kind keyKind) (CrtLine, int) {
	var hosts []string
	for name := range strings.FieldsSeq(names) {
		if label, domain, _ := strings.Cut(name, "."); label == wildcardLabel {
			for host := range o.below[domain] {
				if o.kinds[host] < kind {
					hosts = append(hosts, host)
				}
			}
		}
	}
	slices.Sort(hosts)
	hosts = slices.Compact(hosts)
	var b strings.Builder
	room := maxLineBytes - len(line.Text(names))
	for i, host := range hosts {
		if b.Len()+len(host)+2 > room || i+len(strings.Fields(names)) >= maxLineWords {
			return CrtLine{line.Path, b.String()}, len(hosts) - i
		}
		b.WriteString(" !" + host)
	}
	return CrtLine{line.Path, b.String()}, 0
}

// updateNames takes note of names whose certificates have come, gone or
// changed, and leaves the hosts among them out of the lines of wildcards that
// HAProxy would prefer.
func (d *Desired) updateNames(names map[string]bool) {
	if len(names) == 0 {
		return
	}
	wildcards := map[string]bool{}
	for name := range names {
		if line, ok := d.State.Hosts[name]; ok {
			d.certs.set(name, d.kindOfFile(line.Path))
		} else {
			d.certs.remove(name)
		}
		_, domain, _ := strings.Cut(name, ".")
		wildcards[wildcardLabel+"."+domain] = true
	}
	for name := range wildcards {
		old, ok := d.State.Hosts[name]
		if !ok || old.Path == d.opts.Layout.DefaultCertificate.String() {
			continue
		}
		now, left := d.certs.except(CrtLine{Path: old.Path}, name, d.certs.kinds[name])
		if now != old {
			d.State.Hosts[name], d.Changes.Hosts[name] = now, true
			d.noticeLeft(name, left)
		}
	}
	d.setDefaultNames()
}

// noticeLeft tells how many hosts found no room in a line, when that has changed.
func (d *Desired) noticeLeft(names string, left int) {
	if d.certs.left[names] == left {
		return
	}
	if d.certs.left[names] = left; left == 0 {
		delete(d.certs.left, names)
	} else {
		d.notice("too many hosts below a wildcard have certificates with keys that HAProxy prefers less; the others get the wildcard's certificate", "wildcard", names, "others", left)
	}
}

func (d *Desired) notice(message string, args ...any) {
	d.Notices = append(d.Notices, Notice{message, args})
}

// kindOfFile is the kind of key of a certificate that is wanted.
func (d *Desired) kindOfFile(path string) keyKind {
	cert := d.State.Certificates[path]
	if cert == nil {
		return keyOther
	}
	return keyKindOf(pki.Leaf(cert.PEM.Reveal()))
}

// setDefaultNames gives the default certificate a second line, with its own
// names, where clients that ask for other names are refused. A name for which
// a route has a certificate is the route's.
func (d *Desired) setDefaultNames() {
	if old := d.certs.defaultNames; old != "" {
		delete(d.State.Hosts, old)
		d.Changes.Hosts[old] = true
	}
	d.certs.defaultNames = ""
	tls := &d.opts.Global.TLS
	if !tls.StrictSNI {
		return
	}
	cert, path := pki.Leaf(tls.DefaultCertificate.Chain), d.opts.Layout.DefaultCertificate.String()
	var names []string
	room := maxLineBytes - len(path)
	for _, name := range namesOf(cert) {
		if _, taken := d.certs.kinds[name]; taken {
			continue
		}
		if room -= len(name) + 1; room < 0 || len(names) >= maxLineWords {
			d.notice("the default certificate has more names than HAProxy takes; clients that ask for the others are refused", "names", len(names))
			break
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return
	}
	now := strings.Join(names, " ")
	line, left := d.certs.except(CrtLine{Path: path}, now, keyKindOf(cert))
	d.noticeLeft(now, left)
	d.certs.defaultNames = now
	d.State.Hosts[now], d.Changes.Hosts[now] = line, true
}

// setDefaultCertificate takes the default certificate into the state.
func (d *Desired) setDefaultCertificate() {
	cert := template.NewCertificate(d.opts.Layout.DefaultCertificate.String(), d.opts.Global.TLS.DefaultCertificate)
	d.State.Certificates[cert.Path], d.Changes.Certificates[cert.Path] = &cert, true
	d.setDefaultNames()
}
