package template

import (
	"strings"
)

// The access log names namespace, route, service and pod, also where a running
// HAProxy has other names for them:
//
//   - A route that came later may have a backend with the name of a spare. What
//     the lookup of its requests found ends with the route's own name then (see
//     RenamedTarget), and a rule of the frontend puts the right one into
//     txn.backend, see "log-names".
//   - Where servers are slots, a table has the name of each slot's endpoint. A
//     rule notes it in txn.server when the response comes, since a slot may
//     stand for another endpoint before the last byte of it has been sent and
//     the line is written; the line looks it up where no response came.
//
// Lines that HAProxy writes without having seen a request know no variables:
// the expressions hold for those, too, and print what HAProxy's own names do.

// The formats of HAProxy's own "option httplog" and "option tcplog".
const (
	httpLogFormat = `%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r`
	tcpLogFormat  = `%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq`
)

// logBackend is the backend's name, or the frontend's while there is none, as
// %b prints it: the last of the two that is not empty.
const logBackend = "fe_name,concat(|,txn.backend),rtrim(|),field(-1,|)"

// logNames are the expressions for the names in a log-format.
type logNames struct {
	// lookup is the variable with what the lookup found, slots the table of the
	// slots' names, "" where servers have names of their own.
	lookup, slots string
}

// slotName turns the name of a slot into that of its endpoint. The key is
// "SLOT@BACKEND".
func (n logNames) slotName() string {
	return "concat(@," + n.lookup + "),field(1,|),map_str(" + n.slots + ")"
}

// note is an item that prints nothing, and notes the slot and its name.
func (n logNames) note() string {
	return "%{-M,-Q}[srv_name,set-var(txn.slot)," + n.slotName() + ",set-var(txn.server,ifnotset),field(2,@)]"
}

// alias is what stands for %b or %s in a format; before has the name and the
// flags that are given with it. It is "" for anything else.
func (n logNames) alias(name, before string) string {
	switch {
	case name == "b":
		return "%" + before + "[" + logBackend + "]"
	case name == "s" && n.slots != "":
		return n.note() + "%" + before + "[str(<NOSRV>),concat(|,txn.slot),concat(|,txn.server),rtrim(|),field(-1,|)]"
	}
	return ""
}

// sample is alias for an expression that begins with be_name or srv_name.
func (n logNames) sample(expression, before string) string {
	fetch, _, _ := strings.Cut(expression, ",")
	rest := expression[len(fetch):]
	switch {
	case fetch == "be_name":
		return "%" + before + "[" + logBackend + rest + "]"
	case fetch == "srv_name" && n.slots != "":
		return n.note() + "%" + before + "[srv_name,concat(|,txn.server),rtrim(|),field(-1,|)" + rest + "]"
	}
	return ""
}

// in puts the names into a log-format. An item is "%", then a name in
// parentheses and flags in braces, either of which may be missing, then an
// alias of letters and digits or an expression in brackets. What is not read
// is left to HAProxy to judge.
func (n logNames) in(format string) string {
	var b strings.Builder
	for rest := format; rest != ""; {
		i := strings.IndexByte(rest, '%')
		if i < 0 || i+1 == len(rest) {
			b.WriteString(rest)
			break
		}
		b.WriteString(rest[:i])
		before := enclosed(rest[i+1:], '(', ')')
		before += enclosed(rest[i+1+len(before):], '{', '}')
		item := rest[i+1+len(before):]
		var end int
		var named string
		if strings.HasPrefix(item, "[") {
			if end = expressionEnd(item); end > 0 {
				named = n.sample(item[1:end-1], before)
			}
		} else {
			for end < len(item) && isAlphanumeric(item[end]) {
				end++
			}
			named = n.alias(item[:end], before)
		}
		if named == "" {
			if end == 0 && before == "" {
				end = 1 // "%%", or a sign that HAProxy does not know.
			}
			named = "%" + before + item[:end]
		}
		b.WriteString(named)
		rest = item[end:]
	}
	return b.String()
}

// enclosed is the beginning of text that stands between the two signs, with
// them; "" if there is none.
func enclosed(text string, from, to byte) string {
	if text == "" || text[0] != from {
		return ""
	}
	return text[:strings.IndexByte(text, to)+1]
}

// expressionEnd is how long an expression in brackets is, with them; 0 if it
// has no end. Arguments stand in parentheses, and may be quoted.
func expressionEnd(text string) int {
	depth, quote := 0, byte(0)
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case depth > 0 && c == '\\' && quote != '\'':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case depth > 0 && (c == '"' || c == '\''):
			quote = c
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ']' && depth <= 0:
			return i + 1
		}
	}
	return 0
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}
