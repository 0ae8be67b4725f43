package haproxy

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"strings"

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

func (o *ownCertificates) drop(name string) {
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
	maxLineBytes = maxPayload
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
	room := maxLineBytes - len(line.text(names))
	for i, host := range hosts {
		if b.Len()+len(host)+2 > room || i+len(strings.Fields(names)) >= maxLineWords {
			return CrtLine{line.Path, b.String()}, len(hosts) - i
		}
		b.WriteString(" !" + host)
	}
	return CrtLine{line.Path, b.String()}, 0
}

// wantOwn takes note of names whose certificates have come, gone or changed,
// and leaves the hosts among them out of the lines of wildcards that HAProxy
// would prefer.
func (d *DataPlane) wantOwn(names map[string]bool) {
	if len(names) == 0 {
		return
	}
	wildcards := map[string]bool{}
	for name := range names {
		if line, ok := d.desired.Hosts[name]; ok {
			d.own.set(name, d.kindOfFile(line.Path))
		} else {
			d.own.drop(name)
		}
		_, domain, _ := strings.Cut(name, ".")
		wildcards[wildcardLabel+"."+domain] = true
	}
	for name := range wildcards {
		old, ok := d.desired.Hosts[name]
		if !ok || old.Path == d.files.DefaultCertificate.String() {
			continue
		}
		now, left := d.own.except(CrtLine{Path: old.Path}, name, d.own.kinds[name])
		if now != old {
			d.desired.Hosts[name], d.pending.hosts[name] = now, true
			d.tellLeft(name, left)
		}
	}
	d.wantDefaultNames()
}

// tellLeft logs how many hosts found no room in a line, when that has changed.
func (d *DataPlane) tellLeft(names string, left int) {
	if d.own.left[names] == left {
		return
	}
	if d.own.left[names] = left; left == 0 {
		delete(d.own.left, names)
	} else {
		d.opts.Logger.Warn("too many hosts below a wildcard have certificates with keys that HAProxy prefers less; the others get the wildcard's certificate", "wildcard", names, "others", left)
	}
}

// kindOfFile is the kind of key of a certificate that is wanted.
func (d *DataPlane) kindOfFile(path string) keyKind {
	cert := d.desired.Certificates[path]
	if cert == nil {
		return keyOther
	}
	return keyKindOf(pki.Leaf(cert.PEM.Reveal()))
}

// wantDefaultNames gives the default certificate a second line, with its own
// names, where clients that ask for other names are refused. A name for which
// a route has a certificate is the route's.
func (d *DataPlane) wantDefaultNames() {
	if d.defaultNames != "" {
		delete(d.desired.Hosts, d.defaultNames)
		d.pending.hosts[d.defaultNames] = true
	}
	d.defaultNames = ""
	tls := &d.opts.Global.TLS
	if !tls.StrictSNI {
		return
	}
	cert, path := pki.Leaf(tls.DefaultCertificate.Chain), d.files.DefaultCertificate.String()
	var names []string
	room := maxLineBytes - len(path)
	for _, name := range namesOf(cert) {
		if _, taken := d.own.kinds[name]; taken {
			continue
		}
		if room -= len(name) + 1; room < 0 || len(names) >= maxLineWords {
			d.opts.Logger.Warn("the default certificate has more names than HAProxy takes; clients that ask for the others are refused", "names", len(names))
			break
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return
	}
	d.defaultNames = strings.Join(names, " ")
	line, left := d.own.except(CrtLine{Path: path}, d.defaultNames, keyKindOf(cert))
	d.tellLeft(d.defaultNames, left)
	d.desired.Hosts[d.defaultNames], d.pending.hosts[d.defaultNames] = line, true
}

// wantDefaultCertificate takes the default certificate into what is wanted.
func (d *DataPlane) wantDefaultCertificate() {
	cert := template.NewCertificate(d.files.DefaultCertificate.String(), d.opts.Global.TLS.DefaultCertificate)
	d.desired.Certificates[cert.Path], d.pending.certs[cert.Path] = &cert, true
	d.wantDefaultNames()
}
