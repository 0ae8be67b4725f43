package translate

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"router/pkg/model"
	"router/pkg/spelling"
	"router/pkg/timespec"
)

// The prefixes under which annotations belong to the router.
const (
	prefixHAProxy = "haproxy.router.openshift.io/"
	prefixRouter  = "router.openshift.io/"
)

// annotation is one annotation of a route, the source of its parsing and of
// its line in docs/annotations.md.
type annotation struct {
	Name string
	// Alias is an older name, which counts where the other is absent.
	Alias string
	// Accepts, Effect and Default are for people.
	Accepts, Effect, Default string
	// HTTP, Passthrough: on which routes it acts. TLS: only with TLS.
	HTTP, Passthrough, TLS bool
	// protects means that an unusable value must not leave the route open.
	protects bool
	// set takes a value that is not empty. The error says what to write.
	set func(t *translation, value string) error
}

// Annotations is the table of all annotations, by name.
func Annotations() []annotation {
	return []annotation{
		{
			Name: prefixHAProxy + "balance", HTTP: true, Passthrough: true,
			Accepts: "`roundrobin`, `leastconn`, `source`, `random`", Effect: "How a server is chosen.",
			Default: "`roundrobin` with several services, else the router's default",
			set: func(t *translation, v string) error {
				switch b := model.Balance(v); b {
				case model.BalanceRoundRobin, model.BalanceLeastConn, model.BalanceSource, model.BalanceRandom:
					t.chosenBalance = b
					return nil
				}
				return fmt.Errorf("must be roundrobin, leastconn, source or random")
			},
		},
		{
			Name: prefixHAProxy + "ip_allowlist", Alias: prefixHAProxy + "ip_whitelist", HTTP: true, Passthrough: true, protects: true,
			Accepts: "addresses and CIDRs, separated by blanks or commas", Effect: "Only these clients may connect. If none of the entries can be read, nobody may.",
			Default: "everybody may connect",
			set:     func(t *translation, v string) error { return t.allowlist(v) },
		},
		{
			Name: prefixHAProxy + "timeout", HTTP: true, Passthrough: true,
			Accepts: "a time, such as `30s`", Effect: "How long to wait for the server; for passthrough, how long a connection may be idle.",
			Default: "the router's default",
			set: func(t *translation, v string) error {
				d, err := timespec.Parse(v)
				if err != nil {
					return err
				}
				if t.passthrough() {
					if t.route.Backend.TunnelTimeout == 0 {
						t.route.Backend.TunnelTimeout = d
					}
					return nil
				}
				t.route.Backend.ServerTimeout = d
				return nil
			},
		},
		{
			Name: prefixHAProxy + "timeout-tunnel", HTTP: true, Passthrough: true,
			Accepts: "a time, such as `1h`", Effect: "How long a WebSocket or passthrough connection may be idle.",
			Default: "the router's default",
			set: func(t *translation, v string) error {
				d, err := timespec.Parse(v)
				if err == nil {
					t.route.Backend.TunnelTimeout = d
				}
				return err
			},
		},
		{
			Name: prefixHAProxy + "rate-limit-connections", HTTP: true, Passthrough: true, protects: true,
			Accepts: "`true` or `false`", Effect: "Switches the limits below on. If a limit cannot be read, all connections are refused.", Default: "`false`",
			set: func(t *translation, v string) error { return setBool(&t.limit, v) },
		},
		limit("concurrent-tcp", "Open connections of one client.", true, func(l *model.RateLimit) *int { return &l.ConcurrentTCP }),
		limit("rate-tcp", "New connections of one client in 3 s.", true, func(l *model.RateLimit) *int { return &l.RateTCP }),
		limit("rate-http", "Requests of one client in 10 s.", false, func(l *model.RateLimit) *int { return &l.RateHTTP }),
		{
			Name: prefixHAProxy + "set-forwarded-headers", HTTP: true,
			Accepts: "`append`, `replace`, `if-none`, `never`", Effect: "What becomes of X-Forwarded-* and Forwarded.", Default: "the router's default",
			set: func(t *translation, v string) error {
				switch p := model.ForwardedPolicy(v); p {
				case model.ForwardedAppend, model.ForwardedReplace, model.ForwardedIfNone, model.ForwardedNever:
					t.route.Backend.Forwarded = p
					return nil
				}
				return fmt.Errorf("must be append, replace, if-none or never")
			},
		},
		{
			Name: prefixHAProxy + "rewrite-target", HTTP: true,
			Accepts: "a path", Effect: "Replaces the route's path in what the server gets.", Default: "the path as it came",
			set: func(t *translation, v string) error {
				if !strings.HasPrefix(v, "/") || strings.ContainsFunc(v, unicode.IsControl) {
					return fmt.Errorf(`must begin with "/" and have no control characters`)
				}
				rw := rewrite(v)
				t.route.Backend.Rewrite = &rw
				return nil
			},
		},
		{
			Name: prefixHAProxy + "disable_cookies", HTTP: true,
			Accepts: "`true` or `false`", Effect: "No session affinity.", Default: "`false`",
			set: func(t *translation, v string) error { return setBool(&t.noCookie, v) },
		},
		{
			Name: prefixRouter + "cookie_name", HTTP: true,
			Accepts: "letters, digits, `_` and `-`", Effect: "Name of the session cookie.", Default: "a name of the route's own",
			set: func(t *translation, v string) error {
				if !cookieName.MatchString(v) {
					return fmt.Errorf("must have only letters, digits, _ and -")
				}
				t.cookieName = v
				return nil
			},
		},
		{
			Name: prefixRouter + "cookie-same-site", HTTP: true, TLS: true,
			Accepts: "`Lax`, `Strict`, `None`", Effect: "The cookie's SameSite attribute, unless plain HTTP is allowed.", Default: "`None`",
			set: func(t *translation, v string) error {
				if v != "Lax" && v != "Strict" && v != "None" {
					return fmt.Errorf("must be Lax, Strict or None")
				}
				t.sameSite = v
				return nil
			},
		},
		{
			Name: prefixHAProxy + "hsts_header", HTTP: true, TLS: true,
			Accepts: "`max-age=N`, and `includeSubDomains`, `preload`, separated by `;`", Effect: "Sets Strict-Transport-Security.", Default: "no header",
			set: func(t *translation, v string) error {
				if !hsts.MatchString(v) {
					return fmt.Errorf(`must be max-age=SECONDS with includeSubDomains and preload as wanted, separated by ";", and no ";" at the end`)
				}
				t.route.Backend.HSTS = v
				return nil
			},
		},
		{
			Name: prefixHAProxy + "h1-adjust-case", HTTP: true,
			Accepts: "`true` or `false`", Effect: "Sends the configured header names to the server in their configured case.", Default: "`false`",
			set: func(t *translation, v string) error {
				var on bool
				if err := setBool(&on, v); err != nil {
					return err
				}
				if on && !t.options.CaseAdjust {
					return fmt.Errorf("has no effect: the router has no header names to adjust (ROUTER_H1_CASE_ADJUST)")
				}
				t.route.Backend.AdjustCase = on
				return nil
			},
		},
		{
			Name: prefixHAProxy + "pod-concurrent-connections", HTTP: true, Passthrough: true,
			Accepts: "a whole number above 0", Effect: "Connections to one server at a time; more wait.", Default: "no bound",
			set: func(t *translation, v string) error { return setCount(&t.route.Backend.MaxConnPerServer, v) },
		},
		{
			Name: prefixRouter + "haproxy.health.check.interval", HTTP: true, Passthrough: true,
			Accepts: "a time, such as `5s`", Effect: "Time between health checks of a server.", Default: "the router's default",
			set: func(t *translation, v string) error {
				d, err := timespec.Parse(v)
				if err == nil {
					t.route.Backend.CheckInterval = d
				}
				return err
			},
		},
	}
}

func limit(name, effect string, passthrough bool, field func(*model.RateLimit) *int) annotation {
	return annotation{
		Name: prefixHAProxy + "rate-limit-connections." + name, HTTP: true, Passthrough: passthrough, protects: true,
		Accepts: "a whole number above 0", Effect: effect, Default: "no such limit",
		set: func(t *translation, v string) error { return setCount(field(&t.limits), v) },
	}
}

var (
	cookieName = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
	// hsts is the grammar of the reference router.
	hsts = regexp.MustCompile(`^(?i)(?:(?:includeSubDomains|preload) *; *)*max-age *= *(?:[0-9]+|"[0-9]+")(?: *; *(?:includeSubDomains|preload))*$`)
)

func setBool(to *bool, v string) error {
	b, err := strconv.ParseBool(v)
	if err != nil {
		return fmt.Errorf("must be true or false")
	}
	*to = b
	return nil
}

// maxCount is the largest number that HAProxy's counters compare with.
const maxCount = 1<<31 - 1

func setCount(to *int, v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxCount || v[0] == '+' {
		return fmt.Errorf("must be a whole number from 1 to %d", maxCount)
	}
	*to = n
	return nil
}

// allowlist reads addresses and CIDRs. What cannot be read lets nobody in.
func (t *translation) allowlist(v string) error {
	list := &model.Allowlist{}
	t.route.Backend.Allowlist = list
	var bad []string
	for _, item := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		prefix, err := netip.ParsePrefix(item)
		if err != nil {
			addr, err := netip.ParseAddr(item)
			if err != nil || addr.Zone() != "" {
				bad = append(bad, item)
				continue
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		if !slices.Contains(list.Prefixes, prefix) {
			list.Prefixes = append(list.Prefixes, prefix)
		}
	}
	switch {
	case len(list.Prefixes) == 0:
		return fmt.Errorf("has no address or CIDR that can be read, so every client is refused")
	case len(bad) > 0:
		return fmt.Errorf("%q is not an address or CIDR and is left out; the other entries count", bad)
	}
	return nil
}

func annotationField(name string) string { return "metadata.annotations[" + name + "]" }

// annotations takes the annotations of the route.
func (t *translation) annotations() {
	have := t.in.Route.Annotations
	known := map[string]bool{}
	table := Annotations()
	unusableLimit := false
	for i := range table {
		a := &table[i]
		known[a.Name] = true
		name, value, exists := a.Name, "", false
		if value, exists = have[a.Name]; a.Alias != "" {
			known[a.Alias] = true
			if old, ok := have[a.Alias]; ok && !exists {
				name, value, exists = a.Alias, old, true
			}
		}
		if !exists || value == "" && !a.protects {
			continue
		}
		if why := t.inapplicable(a); why != "" {
			t.problem(model.Problem{Field: annotationField(name), Value: value, Message: why})
			continue
		}
		if err := a.set(t, value); err != nil {
			isLimit := strings.HasPrefix(a.Name, prefixHAProxy+"rate-limit-connections")
			unusableLimit = unusableLimit || isLimit
			blocks := isLimit || a.protects && t.route.Backend.Allowlist != nil && len(t.route.Backend.Allowlist.Prefixes) == 0
			message := err.Error()
			if isLimit {
				message += "; until then every connection is refused"
			}
			t.problem(model.Problem{Field: annotationField(name), Value: value, Message: message, Blocks: blocks})
		}
	}
	t.rateLimit(unusableLimit)
	t.cookie()
	t.unknown(have, known)
}

// rateLimit puts the limits together. One that cannot be read refuses all
// connections, if limits are on or it cannot be told whether they are.
func (t *translation) rateLimit(unusable bool) {
	_, asked := t.in.Route.Annotations[prefixHAProxy+"rate-limit-connections"]
	switch {
	case unusable && asked && (t.limit || !isFalse(t.in.Route.Annotations[prefixHAProxy+"rate-limit-connections"])):
		t.route.Backend.RateLimit = &model.RateLimit{Deny: true}
	case t.limit:
		l := t.limits
		t.route.Backend.RateLimit = &l
	}
}

func isFalse(v string) bool {
	b, err := strconv.ParseBool(v)
	return err == nil && !b
}

// inapplicable says why an annotation has no effect on this kind of route.
func (t *translation) inapplicable(a *annotation) string {
	switch {
	case t.passthrough() && !a.Passthrough:
		return "has no effect on a passthrough route, whose requests the router cannot read"
	case a.TLS && t.route.Termination == model.TerminationNone:
		return "has no effect on a route without TLS"
	}
	return ""
}

// unknown reports annotations under the router's prefixes that mean nothing.
func (t *translation) unknown(have map[string]string, known map[string]bool) {
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if known[name] || !strings.HasPrefix(name, prefixHAProxy) && !strings.HasPrefix(name, prefixRouter) {
			continue
		}
		message := "is not an annotation that the router knows"
		if near := spelling.Nearest(name, slices.Collect(maps.Keys(known))); near != "" {
			message += "; did you mean " + near + "?"
		}
		t.problem(model.Problem{Field: annotationField(name), Value: have[name], Message: message})
	}
}

// rewrite reads the annotation's notation: a backslash keeps the meaning of
// the next quote, "#" or backslash away; quotes that are left vanish; "#"
// begins a comment, with which the rest of the request's path is dropped; an
// even number of "%" is half as many, as in a log format. What no path
// contains, blanks and characters that are not ASCII, is percent-encoded.
func rewrite(v string) model.Rewrite {
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		switch c := v[i]; c {
		case '\\':
			if i+1 < len(v) && strings.IndexByte(`\#"'`, v[i+1]) >= 0 {
				i++
				b.WriteByte(v[i])
			}
		case '"', '\'':
		case '#':
			// The blanks before a comment belong to it.
			return model.Rewrite{Target: pathText(strings.TrimRight(b.String(), " ")), DropRest: true}
		case '%':
			n := 1
			for i+n < len(v) && v[i+n] == '%' {
				n++
			}
			i += n - 1
			if n%2 == 0 {
				n /= 2
			}
			b.WriteString(strings.Repeat("%", n))
		default:
			b.WriteByte(c)
		}
	}
	return model.Rewrite{Target: pathText(b.String())}
}

// pathText encodes the bytes of a path that may not stand in one.
func pathText(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func itoa(i int) string     { return strconv.Itoa(i) }
func lower(s string) string { return strings.ToLower(s) }
