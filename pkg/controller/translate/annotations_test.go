package translate

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	routev1 "github.com/openshift/api/route/v1"

	"router/pkg/model"
)

const (
	prefixHAProxy = "haproxy.router.openshift.io/"
	prefixRouter  = "router.openshift.io/"
)

// shown is what annotations change, as text.
func shown(r *model.Route) string {
	b := r.Backend
	text := fmt.Sprintf("balance=%s server=%s tunnel=%s check=%s max=%d forwarded=%s hsts=%q adjust=%v",
		b.Balance, b.ServerTimeout, b.TunnelTimeout, b.CheckInterval, b.MaxConnPerServer, b.Forwarded, b.HSTS, b.AdjustCase)
	if b.Cookie != nil {
		text += fmt.Sprintf(" cookie=%s/%s/%v", b.Cookie.Name, b.Cookie.SameSite, b.Cookie.Secure)
	}
	if b.Allowlist != nil {
		text += fmt.Sprintf(" allow=%v", b.Allowlist.Prefixes)
	}
	if b.RateLimit != nil {
		text += fmt.Sprintf(" limit=%+v", *b.RateLimit)
	}
	if b.Rewrite != nil {
		text += fmt.Sprintf(" rewrite=%+v", *b.Rewrite)
	}
	return text
}

// row is a value of an annotation and what becomes of it.
type row struct {
	value string
	// want is in what is shown of the route. For a value that is refused,
	// problem is in the message, and the route is as without the annotation
	// unless want says that it is closed.
	want, problem string
}

// annotationRows has the rows of each annotation. On terminations where an
// annotation does not act, every value is to be reported and change nothing.
var annotationRows = map[string][]row{
	prefixHAProxy + "balance": {
		{value: "roundrobin", want: "balance=roundrobin"}, {value: "leastconn", want: "balance=leastconn"}, {value: "source", want: "balance=source"}, {value: "random", want: "balance=random"},
		{value: "RANDOM", problem: "must be roundrobin"}, {value: "first", problem: "must be"}, {value: "random(2)", problem: "must be"},
	},
	prefixHAProxy + "ip_allowlist": {
		{value: "10.0.0.1, 10.1.0.0/16", want: "allow=[10.0.0.1/32 10.1.0.0/16]"}, {value: " ::1 ", want: "allow=[::1/128]"}, {value: "10.0.0.1\n10.0.0.1", want: "allow=[10.0.0.1/32]"},
		{value: "10.0.0.1 x", want: "allow=[10.0.0.1/32]", problem: `["x"] is not`},
		{value: "10.0.0.300", want: "allow=[]", problem: "every client is refused"}, {value: ",", want: "allow=[]", problem: "every client"},
		{value: "fe80::1%eth0", want: "allow=[]", problem: "every client"}, {value: "10.0.0.0/33", want: "allow=[]", problem: "every client"},
	},
	prefixHAProxy + "ip_whitelist": {
		{value: "10.0.0.1\t10.0.0.2", want: "allow=[10.0.0.1/32 10.0.0.2/32]"}, {value: "x", want: "allow=[]", problem: "every client"},
	},
	prefixHAProxy + "timeout": {
		{value: "5s", want: "5s"}, {value: "250us", want: "250µs"}, {value: "7", want: "7ms"}, {value: "100d", want: "596h31m23.647s"}, {value: "99999999999999999999s", want: "596h31m23.647s"},
		{value: "0", problem: "want a whole number"}, {value: "-5s", problem: "want"}, {value: "5 s", problem: "want"}, {value: "1.5h", problem: "want"}, {value: "1m30s", problem: "want"},
	},
	prefixHAProxy + "timeout-tunnel":        {{value: "2h", want: "tunnel=2h0m0s"}, {value: "1.5h", problem: "want a whole number"}},
	limits:                                  {{value: "true", want: "limit={Deny:false"}, {value: "T", want: "limit={Deny:false"}, {value: "false", want: "adjust=false"}, {value: "yes", want: "limit={Deny:true", problem: "connection is refused"}},
	limits + ".concurrent-tcp":              limitRows("ConcurrentTCP"),
	limits + ".rate-tcp":                    limitRows("RateTCP"),
	limits + ".rate-http":                   limitRows("RateHTTP"),
	prefixHAProxy + "set-forwarded-headers": {{value: "append", want: "forwarded=append"}, {value: "replace", want: "forwarded=replace"}, {value: "never", want: "forwarded=never"}, {value: "if-none", want: "forwarded=if-none"}, {value: "Append", problem: "must be append"}},
	prefixHAProxy + "rewrite-target":        {{value: "/a", want: "rewrite={Target:/a DropRest:false}"}, {value: "/a#b", want: "rewrite={Target:/a DropRest:true}"}, {value: "a", problem: "must begin"}, {value: "/a\nb", problem: "must"}, {value: "/" + long("a", 4095), want: "rewrite={Target:/aaa"}, {value: "/" + long("a", 4096), problem: "at most 4096"}},
	prefixHAProxy + "disable_cookies":       {{value: "true", want: "adjust=false"}, {value: "0", want: "cookie="}, {value: "no", problem: "must be true or false"}},
	prefixRouter + "cookie_name":            {{value: "a-b_1", want: "cookie=a-b_1/"}, {value: "a b", problem: "must have only"}, {value: "a;b", problem: "must"}, {value: long("c", 128), want: "cookie=" + long("c", 128) + "/"}, {value: long("c", 129), problem: "at most 128"}},
	prefixRouter + "cookie-same-site":       {{value: "Lax", want: "/Lax/true"}, {value: "Strict", want: "/Strict/true"}, {value: "None", want: "/None/true"}, {value: "lax", problem: "must be Lax"}},
	prefixHAProxy + "hsts_header":           hstsRows(),
	prefixHAProxy + "h1-adjust-case":        {{value: "false", want: "adjust=false"}, {value: "true", problem: "ROUTER_H1_CASE_ADJUST"}, {value: "on", problem: "must be true"}},
	prefixHAProxy + "pod-concurrent-connections": {
		{value: "7", want: "max=7"}, {value: "0", problem: "must be a whole number from 1"}, {value: "-1", problem: "must"}, {value: "+5", problem: "must"}, {value: "x", problem: "must"}, {value: "2147483648", problem: "must"},
	},
	prefixRouter + "haproxy.health.check.interval": {{value: "9s", want: "check=9s"}, {value: "1000", want: "check=1s"}, {value: "x", problem: "want a whole number"},
		{value: "999ms", want: "check=1s", problem: "is less than 1s"}, {value: "1us", want: "check=1s", problem: "is less than 1s"}},
	prefixRouter + "pool-size": {{value: "5", problem: "has no effect: servers are added"}},
}

func long(text string, n int) string { return strings.Repeat(text, n) }

// limitRows are those of a limit, on a route with limits.
func limitRows(field string) []row {
	const denied = "limit={Deny:true"
	rows := []row{{value: "5", want: field + ":5"}, {value: "2147483647", want: field + ":2147483647"}}
	for _, v := range []string{"x", "+5", "0", "-1", "5.0", " 5", "99999999999"} {
		rows = append(rows, row{value: v, want: denied, problem: "connection is refused"})
	}
	return rows
}

func hstsRows() []row {
	var rows []row
	for _, v := range []string{
		"max-age=31536000", "max-age=31536000;includeSubDomains;preload", `MAX-AGE = "1" ; includesubdomains`, "preload;includeSubDomains; max-age=0",
	} {
		rows = append(rows, row{value: v, want: fmt.Sprintf("hsts=%q", v)})
	}
	for _, v := range []string{"max-age=1;", "includeSubDomains", "max-age=x", "max-age=1 ", "max-age=1; x", "max-age=1\npreload", `max-age="1`, "max-age=" + long("1", 1017)} {
		rows = append(rows, row{value: v, problem: "must be max-age"})
	}
	return rows
}

// withoutAnnotations is what is shown of a route that has none.
var withoutAnnotations = map[model.Termination]string{
	model.TerminationNone:        `balance=random server=0s tunnel=0s check=5s max=0 forwarded=append hsts="" adjust=false cookie=KEY//false`,
	model.TerminationEdge:        `balance=random server=0s tunnel=0s check=5s max=0 forwarded=append hsts="" adjust=false cookie=KEY/None/true`,
	model.TerminationReencrypt:   `balance=random server=0s tunnel=0s check=5s max=0 forwarded=append hsts="" adjust=false cookie=KEY/None/true`,
	model.TerminationPassthrough: `balance=source server=0s tunnel=0s check=5s max=0 forwarded=append hsts="" adjust=false`,
}

func TestEveryAnnotation(t *testing.T) {
	for term, want := range withoutAnnotations {
		r, problems := translated(t, term, nil)
		if got := strings.Replace(shown(r), routingKey(r.Key), "KEY", 1); got != want || len(problems) != 0 {
			t.Errorf("without annotations, a route with termination %q is\n%s\nwant\n%s", term, got, want)
		}
	}
	for _, a := range annotationTable() {
		for _, name := range []string{a.Name, a.Alias} {
			if name == "" {
				continue
			}
			if len(annotationRows[name]) == 0 {
				t.Errorf("%s has no rows", name)
			}
			for term := range withoutAnnotations {
				for _, row := range annotationRows[name] {
					t.Run(fmt.Sprintf("%s=%s on %q", name, row.value, term), func(t *testing.T) { row.check(t, &a, name, term) })
				}
			}
		}
	}
	for name := range annotationRows {
		if !slices.ContainsFunc(annotationTable(), func(a annotation) bool { return a.Name == name || a.Alias == name }) {
			t.Errorf("%s has rows, and is no annotation", name)
		}
	}
}

func (row row) check(t *testing.T, a *annotation, name string, term model.Termination) {
	before := map[string]string{}
	if strings.HasPrefix(name, limits+".") {
		before[limits] = "true"
	}
	plain, _ := translated(t, term, before)
	before[name] = row.value
	r, problems := translated(t, term, before)

	acts := (term != model.TerminationPassthrough || a.Passthrough) && (!a.TLS || term != model.TerminationNone)
	want, problem := row.want, row.problem
	if !acts {
		want, problem = "", "has no effect on"
	}
	if want == "" && shown(r) != shown(plain) {
		t.Errorf("changes the route to %s", shown(r))
	}
	if !strings.Contains(shown(r), want) {
		t.Errorf("gives %s, want %q", shown(r), want)
	}
	if problem == "" {
		if len(problems) != 0 {
			t.Errorf("problems are %+v", problems)
		}
		return
	}
	if len(problems) != 1 || problems[0].Field != "metadata.annotations["+name+"]" || problems[0].Value != row.value || !strings.Contains(problems[0].Message, problem) {
		t.Fatalf("problems are %+v, want %q", problems, problem)
	}
	if closed := strings.Contains(want, "allow=[]") || strings.Contains(want, "Deny:true"); problems[0].Blocks != closed {
		t.Errorf("the problem is said to close the route: %v", problems[0].Blocks)
	}
}

// TestAnEmptyAnnotationIsNone: tools that fill in templates write an empty
// value where they mean none.
func TestAnEmptyAnnotationIsNone(t *testing.T) {
	for name := range annotationRows {
		for term := range withoutAnnotations {
			for _, value := range []string{"", " ", "\n", " \t "} {
				set := map[string]string{}
				if strings.HasPrefix(name, limits+".") {
					set[limits] = "true"
				}
				plain, _ := translated(t, term, set)
				set[name] = value
				if r, problems := translated(t, term, set); shown(r) != shown(plain) || len(problems) > 0 {
					t.Errorf("%s=%q on %q gives %s, problems %+v", name, value, term, shown(r), problems)
				}
			}
		}
	}
}

// TestTheReferencesAnnotations holds the table to the reference router's list.
func TestTheReferencesAnnotations(t *testing.T) {
	text, err := os.ReadFile("testdata/reference-annotations.txt")
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(text)) {
		inTable := slices.ContainsFunc(annotationTable(), func(a annotation) bool { return a.Name == name || a.Alias == name })
		if !inTable && name != idledAnnotation {
			t.Errorf("the reference's %s has no row", name)
		}
		if !strings.Contains(Document(), "`"+name+"`") {
			t.Errorf("the reference's %s is not in the document", name)
		}
	}
}

func TestAnnotationsThatCancelOthers(t *testing.T) {
	allow := func(r *routev1.Route) {
		r.Spec.TLS = &routev1.TLSConfig{Termination: routev1.TLSTerminationEdge, InsecureEdgeTerminationPolicy: routev1.InsecureEdgeTerminationPolicyAllow}
	}
	for _, tt := range []struct {
		name        string
		annotations map[string]string
		change      func(*routev1.Route)
		want        string // in what is shown
		problem     string
	}{
		{"the new name of an allowlist wins, unusable or not", map[string]string{prefixHAProxy + "ip_allowlist": "x,", prefixHAProxy + "ip_whitelist": "10.0.0.1"}, nil, "allow=[]", "has no effect beside"},
		{"an empty allowlist does not hide the one under the old name", map[string]string{prefixHAProxy + "ip_allowlist": " ", prefixHAProxy + "ip_whitelist": "10.0.0.1"}, nil, "allow=[10.0.0.1/32]", ""},
		{"an empty one under the old name is nothing to tell of", map[string]string{prefixHAProxy + "ip_allowlist": "10.0.0.1", prefixHAProxy + "ip_whitelist": ""}, nil, "allow=[10.0.0.1/32]", ""},
		{"two allowlists that are the same", map[string]string{prefixHAProxy + "ip_allowlist": "10.0.0.1 10.0.0.2", prefixHAProxy + "ip_whitelist": "10.0.0.2/32,10.0.0.1"}, nil, "allow=[10.0.0.1/32 10.0.0.2/32]", ""},
		{"two that differ in what cannot be read", map[string]string{prefixHAProxy + "ip_allowlist": "10.0.0.1", prefixHAProxy + "ip_whitelist": "10.0.0.1 x"}, nil, "allow=[10.0.0.1/32]", "has no effect beside"},
		{"two that nobody can read", map[string]string{prefixHAProxy + "ip_allowlist": "x", prefixHAProxy + "ip_whitelist": "y"}, nil, "allow=[]", "has no effect beside"},
		{"a switch that is empty asks for no limits", map[string]string{limits: "", limits + ".rate-tcp": "5"}, nil, "adjust=false cookie", "has no effect unless"},
		{"an empty limit beside another", map[string]string{limits: "true", limits + ".rate-tcp": "", limits + ".rate-http": "5"}, nil, "limit={Deny:false ConcurrentTCP:0 RateTCP:0 RateHTTP:5}", ""},
		{"a limit that is not switched on", map[string]string{limits + ".rate-tcp": "x"}, nil, "adjust=false cookie", "has no effect unless"},
		{"a limit that is switched off", map[string]string{limits: "false", limits + ".rate-tcp": "5"}, nil, "adjust=false cookie", "has no effect unless"},
		{"an unusable limit beside another", map[string]string{limits: "true", limits + ".rate-tcp": "+5", limits + ".rate-http": "5"}, nil, "limit={Deny:true ConcurrentTCP:0 RateTCP:0 RateHTTP:0}", "connection is refused"},
		{"SameSite where plain HTTP is allowed", map[string]string{sameSiteAnnotation: "Lax"}, allow, "//false", "where plain HTTP is allowed"},
		{"the name of a cookie that is off", map[string]string{prefixHAProxy + "disable_cookies": "true", prefixRouter + "cookie_name": "a"}, nil, "adjust=false", "while " + prefixHAProxy + "disable_cookies is true"},
		{"a time-out for tunnels beats that of passthrough", map[string]string{prefixHAProxy + "timeout": "5s", prefixHAProxy + "timeout-tunnel": "7s"}, passthroughRoute, "tunnel=7s", "has no effect beside"},
		{"unless it is unusable", map[string]string{prefixHAProxy + "timeout": "5s", prefixHAProxy + "timeout-tunnel": "x"}, passthroughRoute, "tunnel=5s", "want a whole number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, problems := translatedRoute(t, tt.annotations, tt.change)
			if !strings.Contains(shown(r), tt.want) || !strings.Contains(fmt.Sprint(problems), tt.problem) || tt.problem == "" && len(problems) > 0 {
				t.Errorf("gives %s, problems %v", shown(r), problems)
			}
		})
	}
}

func passthroughRoute(r *routev1.Route) {
	r.Spec.TLS = &routev1.TLSConfig{Termination: routev1.TLSTerminationPassthrough}
}

func TestUnknownAnnotationsNameTheNearest(t *testing.T) {
	for name, want := range map[string]string{
		prefixHAProxy + "ballance":                        prefixHAProxy + "balance?",
		prefixRouter + "balance":                          prefixHAProxy + "balance?",
		prefixHAProxy + "cookie_name":                     prefixRouter + "cookie_name?",
		prefixHAProxy + "rate-limit-connections.ratetcp":  limits + ".rate-tcp?",
		prefixHAProxy + "IP_ALLOWLIST":                    prefixHAProxy + "ip_allowlist?",
		prefixHAProxy + "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz": "",
	} {
		_, problems := translated(t, "", map[string]string{name: "x", "example.com/balance": "x"})
		if len(problems) != 1 || !strings.Contains(problems[0].Message, want) || strings.Contains(problems[0].Message, "mean") != (want != "") {
			t.Errorf("%s: problems are %+v, want %q", name, problems, want)
		}
	}
}

// The targets that the reference router's documentation lists, as the literal
// text that they stand for.
func TestRewriteTargets(t *testing.T) {
	for value, want := range map[string]model.Rewrite{
		`%foo`: {Target: `%foo`}, `%%%foo`: {Target: `%%%foo`}, `%%foo`: {Target: `%foo`}, `'foo'foo\'`: {Target: `foofoo'`}, `\foo\`: {Target: `foo`},
		`\\\foo\\\`: {Target: `\foo\`}, `# foo # foo`: {DropRest: true}, `\# foo # foo`: {Target: `#%20foo`, DropRest: true},
		`foo # foo`: {Target: `foo`, DropRest: true}, `/a b/ü`: {Target: `/a%20b/%C3%BC`}, `"foo"foo\"`: {Target: `foofoo"`},
		`\\foo\"foo"\#foo\foo'foo\'#foo`: {Target: `\foo"foo#foofoofoo'`, DropRest: true},
	} {
		if got := rewrite(value); got != want {
			t.Errorf("%s is %+v, want %+v", value, got, want)
		}
	}
}

func FuzzAnnotations(f *testing.F) {
	f.Add("10.0.0.1,x")
	f.Fuzz(func(t *testing.T, value string) {
		for _, a := range annotationTable() {
			translated(t, model.TerminationEdge, map[string]string{a.Name: value})
		}
	})
}
