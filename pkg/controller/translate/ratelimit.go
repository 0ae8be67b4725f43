package translate

import (
	"strconv"

	"router/pkg/controller/routes"
	"router/pkg/model"
)

// limits is the annotation that switches limits on; those of the limits
// themselves begin with it.
const limits = routes.PrefixHAProxy + "rate-limit-connections"

func limit(name, effect string, passthrough bool, field func(*model.RateLimit) *int) annotation {
	return annotation{
		Name: limits + "." + name, Passthrough: passthrough, protects: true, limit: true,
		Accepts: "a whole number above 0", Effect: effect, Default: "no such limit",
		set: func(t *translation, v string) error { return setCount(field(&t.limits), v) },
	}
}

// limitsOn reports whether limits are asked for. A value that cannot be read
// asks for them.
func (t *translation) limitsOn() bool {
	v := t.value(limits)
	b, err := strconv.ParseBool(v)
	return v != "" && (b || err != nil)
}

// rateLimit puts the limits together. One that cannot be read refuses all
// connections.
func (t *translation) rateLimit(unusable bool) {
	switch {
	case !t.limitsOn():
	case unusable:
		t.route.Backend.RateLimit = &model.RateLimit{Deny: true}
	default:
		l := t.limits
		t.route.Backend.RateLimit = &l
	}
}
