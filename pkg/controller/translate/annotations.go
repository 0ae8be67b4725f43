package translate

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"router/pkg/controller/routes"
	"router/pkg/model"
	"router/pkg/spelling"
	"router/pkg/timespec"
)

// Annotations whose effect depends on others.
const (
	tunnelAnnotation         = routes.PrefixHAProxy + "timeout-tunnel"
	disableCookiesAnnotation = routes.PrefixHAProxy + "disable_cookies"
	cookieNameAnnotation     = routes.PrefixRouter + "cookie_name"
	sameSiteAnnotation       = routes.PrefixRouter + "cookie-same-site"
)

// annotation is one annotation of a route, the source of its parsing and of
// its line in docs/annotations.md.
type annotation struct {
	Name string
	// Alias is an older name, which counts where the other is absent. Same says
	// whether a value means the same under both; it is set where Alias is.
	Alias string
	Same  func(a, b string) bool
	// Accepts, Effect and Default are for people.
	Accepts, Effect, Default string
	// Passthrough: it acts on passthrough routes, too. TLS: only with TLS.
	Passthrough, TLS bool
	// protects means that an unusable value must not leave the route open,
	// limit that this goes for all connections.
	protects, limit bool
	// Obsolete is why an annotation of the reference router does nothing here.
	Obsolete string
	// set takes a value that is not blank. The error says what to write.
	set func(t *translation, value string) error
}

// annotationTable is the table of all annotations. It is made once, since each
// route is compared with it.
var annotationTable = sync.OnceValue(func() []annotation {
	return []annotation{
		choice(annotation{
			Name: routes.PrefixHAProxy + "balance", Passthrough: true,
			Effect: "How a server is chosen.", Default: "`roundrobin` with several services, else the router's default",
		}, func(t *translation) *model.Balance { return &t.chosenBalance },
			model.BalanceRoundRobin, model.BalanceLeastConn, model.BalanceSource, model.BalanceRandom),
		{
			Name: routes.PrefixHAProxy + "ip_allowlist", Alias: routes.PrefixHAProxy + "ip_whitelist", Same: sameAllowlist, Passthrough: true, protects: true,
			Accepts: "addresses and CIDRs, separated by blanks or commas", Effect: "Only these clients may connect. If none of the entries can be read, nobody may.",
			Default: "everybody may connect",
			set:     func(t *translation, v string) error { return t.allowlist(v) },
		},
		{
			Name: routes.PrefixHAProxy + "timeout", Passthrough: true,
			Accepts: "a time, such as `30s`", Effect: "How long to wait for the server; for passthrough, how long a connection may be idle.",
			Default: "the router's default",
			set: func(t *translation, v string) error {
				d, err := timespec.Parse(v)
				if err != nil {
					return err
				}
				if t.passthrough() {
					t.route.Backend.TunnelTimeout = d
					if _, err := timespec.Parse(t.in.Candidate.Annotations[tunnelAnnotation]); err == nil {
						return fmt.Errorf("has no effect beside %s on a passthrough route", tunnelAnnotation)
					}
					return nil
				}
				t.route.Backend.ServerTimeout = d
				return nil
			},
		},
		{
			Name: tunnelAnnotation, Passthrough: true,
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
			Name: limits, Passthrough: true, protects: true, limit: true,
			Accepts: "`true` or `false`", Effect: "Switches the limits below on. If a limit cannot be read, all connections are refused.", Default: "`false`",
			set: func(_ *translation, v string) error { return setBool(new(bool), v) },
		},
		limit("concurrent-tcp", "Open connections of one client. Those that an old process keeps open after a reload are not counted.", true, func(l *model.RateLimit) *int { return &l.ConcurrentTCP }),
		limit("rate-tcp", "New connections of one client in 3 s. An IPv6 client is a network of 64 bits.", true, func(l *model.RateLimit) *int { return &l.RateTCP }),
		limit("rate-http", "Requests of one client in 10 s.", false, func(l *model.RateLimit) *int { return &l.RateHTTP }),
		choice(annotation{
			Name: routes.PrefixHAProxy + "set-forwarded-headers", Effect: "What becomes of X-Forwarded-* and Forwarded.", Default: "the router's default",
		}, func(t *translation) *model.ForwardedPolicy { return &t.route.Backend.Forwarded },
			model.ForwardedAppend, model.ForwardedReplace, model.ForwardedIfNone, model.ForwardedNever),
		{
			Name:    routes.PrefixHAProxy + "rewrite-target",
			Accepts: "a path", Effect: "Replaces the route's path in what the server gets.", Default: "the path as it came",
			set: func(t *translation, v string) error {
				if !strings.HasPrefix(v, "/") || strings.ContainsFunc(v, unicode.IsControl) || len(v) > maxRewrite {
					return fmt.Errorf(`must begin with "/" and have no control characters, and at most %d bytes`, maxRewrite)
				}
				rw := rewrite(v)
				t.route.Backend.Rewrite = &rw
				return nil
			},
		},
		{
			Name:    disableCookiesAnnotation,
			Accepts: "`true` or `false`", Effect: "No session affinity.", Default: "`false`",
			set: func(t *translation, v string) error { return setBool(&t.noCookie, v) },
		},
		{
			Name:    cookieNameAnnotation,
			Accepts: fmt.Sprintf("letters, digits, `_` and `-`, at most %d", model.MaxCookieName), Effect: "Name of the session cookie.", Default: "a name of the route's own",
			set: func(t *translation, v string) error {
				if !cookieName.MatchString(v) || len(v) > model.MaxCookieName {
					return fmt.Errorf("must have only letters, digits, _ and -, at most %d of them", model.MaxCookieName)
				}
				t.cookieName = v
				return nil
			},
		},
		choice(annotation{
			Name: sameSiteAnnotation, TLS: true, Effect: "The cookie's SameSite attribute, unless plain HTTP is allowed.", Default: "`None`",
		}, func(t *translation) *string { return &t.sameSite }, "Lax", "Strict", "None"),
		{
			Name: routes.PrefixHAProxy + "hsts_header", TLS: true,
			Accepts: "`max-age=N`, and `includeSubDomains`, `preload`, separated by `;`", Effect: "Sets Strict-Transport-Security.", Default: "no header",
			set: func(t *translation, v string) error {
				if !hsts.MatchString(v) || len(v) > maxHSTS {
					return fmt.Errorf(`must be max-age=SECONDS with includeSubDomains and preload as wanted, separated by ";", no ";" at the end, and at most %d bytes`, maxHSTS)
				}
				t.route.Backend.HSTS = v
				return nil
			},
		},
		{
			Name:    routes.PrefixHAProxy + "h1-adjust-case",
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
			Name: routes.PrefixHAProxy + "pod-concurrent-connections", Passthrough: true,
			Accepts: "a whole number above 0", Effect: "Connections to one server at a time; more wait.", Default: "no bound",
			set: func(t *translation, v string) error { return setCount(&t.route.Backend.MaxConnPerServer, v) },
		},
		{
			Name: routes.PrefixRouter + "haproxy.health.check.interval", Passthrough: true,
			Accepts: fmt.Sprintf("a time, such as `5s`; less than %s counts as %[1]s", model.MinCheckInterval), Effect: "Time between health checks of a server, if the rate of all checks allows it.", Default: "the router's default",
			set: func(t *translation, v string) error {
				d, err := timespec.Parse(v)
				if err != nil {
					return err
				}
				t.route.Backend.CheckInterval = max(d, model.MinCheckInterval)
				if d < model.MinCheckInterval {
					return fmt.Errorf("is less than %s, the least there is, which is used", model.MinCheckInterval)
				}
				return nil
			},
		},
		{
			Name: routes.PrefixRouter + "pool-size", Passthrough: true,
			Obsolete: "servers are added while HAProxy runs, as many as there are endpoints",
		},
	}
})

// annotationNames are the names of all annotations, by what is behind their
// prefix.
var annotationNames = sync.OnceValue(func() map[string]string {
	names := map[string]string{}
	for _, a := range annotationTable() {
		for _, name := range []string{a.Name, cmp.Or(a.Alias, a.Name)} {
			names[stem(name)] = name
		}
	}
	return names
})

// stem is what is behind the prefix of the router's annotations; the name itself
// for others.
func stem(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, routes.PrefixHAProxy), routes.PrefixRouter)
}

// Bounds of texts that stand in the configuration, in bytes.
const (
	// maxRewrite is more than servers take for a path.
	maxRewrite = 4096
	// maxHSTS is many times what a header with all directives has.
	maxHSTS = 1024
)

var (
	cookieName = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
	// hsts is the grammar of the reference router.
	hsts = regexp.MustCompile(`^(?i)(?:(?:includeSubDomains|preload) *; *)*max-age *= *(?:[0-9]+|"[0-9]+")(?: *; *(?:includeSubDomains|preload))*$`)
)

// choice completes an annotation whose value is one of some words.
func choice[T ~string](a annotation, field func(*translation) *T, words ...T) annotation {
	var accepts []string
	for _, w := range words {
		accepts = append(accepts, string(w))
	}
	a.Accepts = "`" + strings.Join(accepts, "`, `") + "`"
	last := len(words) - 1
	message := fmt.Sprintf("must be %s or %s", strings.Join(accepts[:last], ", "), accepts[last])
	a.set = func(t *translation, v string) error {
		if !slices.Contains(words, T(v)) {
			return errors.New(message)
		}
		*field(t) = T(v)
		return nil
	}
	return a
}

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

func annotationField(name string) string { return "metadata.annotations[" + name + "]" }

// annotations takes the annotations of the route.
func (t *translation) annotations() {
	unusableLimit := false
	table := annotationTable()
	for i := range table {
		a := &table[i]
		name, value := t.annotation(a)
		if value == "" {
			continue
		}
		if why := t.inapplicable(a); why != "" {
			t.problem(model.Problem{Field: annotationField(name), Value: value, Message: why})
			continue
		}
		if err := a.set(t, value); err != nil {
			p := model.Problem{Field: annotationField(name), Value: value, Message: err.Error()}
			switch {
			case a.limit && t.limitsOn():
				p.Message += "; until then every connection is refused"
				p.Blocks, unusableLimit = true, true
			case a.protects && t.route.Backend.Allowlist != nil:
				p.Blocks = len(t.route.Backend.Allowlist.Prefixes) == 0
			}
			t.problem(p)
		}
	}
	t.rateLimit(unusableLimit)
	t.cookie()
	t.unknown()
}

// value is the value of an annotation. One that is blank is as good as absent,
// "": that is how tools which fill in templates write none.
func (t *translation) value(name string) string {
	v := t.in.Candidate.Annotations[name]
	if strings.TrimSpace(v) == "" {
		return ""
	}
	return v
}

// annotation finds the value of an annotation, under its name or its alias; it
// is "" where there is none.
func (t *translation) annotation(a *annotation) (name, value string) {
	value = t.value(a.Name)
	if a.Alias == "" {
		return a.Name, value
	}
	old := t.value(a.Alias)
	switch {
	case old == "":
	case value == "":
		return a.Alias, old
	case !a.Same(value, old):
		t.problem(model.Problem{Field: annotationField(a.Alias), Value: old, Message: "has no effect beside " + a.Name})
	}
	return a.Name, value
}

// inapplicable says why an annotation has no effect on this route.
func (t *translation) inapplicable(a *annotation) string {
	switch {
	case a.Obsolete != "":
		return "has no effect: " + a.Obsolete
	case t.passthrough() && !a.Passthrough:
		return "has no effect on a passthrough route, whose requests the router cannot read"
	case a.TLS && t.route.Termination == model.TerminationNone:
		return "has no effect on a route without TLS"
	case a.limit && a.Name != limits && !t.limitsOn():
		return "has no effect unless " + limits + " is true"
	case t.noCookie && (a.Name == cookieNameAnnotation || a.Name == sameSiteAnnotation):
		return "has no effect while " + disableCookiesAnnotation + " is true"
	case a.Name == sameSiteAnnotation && t.route.Insecure == model.InsecureAllow:
		return "has no effect where plain HTTP is allowed"
	}
	return ""
}

// unknown reports annotations under the router's prefixes that mean nothing.
// People mix the two prefixes up, so that only what is behind them is
// compared.
func (t *translation) unknown() {
	known := annotationNames()
	for _, name := range slices.Sorted(maps.Keys(t.in.Candidate.Annotations)) {
		if stem(name) == name || known[stem(name)] == name {
			continue
		}
		message := "is not an annotation that the router knows"
		if near := spelling.Nearest(strings.ToLower(stem(name)), slices.Collect(maps.Keys(known))); near != "" {
			message += "; did you mean " + known[near] + "?"
		}
		t.problem(model.Problem{Field: annotationField(name), Value: t.in.Candidate.Annotations[name], Message: message})
	}
}
