package translate

import (
	"cmp"
	"slices"
	"strconv"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"

	"router/pkg/model"
)

// target is one service that a route sends requests to.
type target struct {
	service string
	// field is where the route refers to it, such as "spec.to".
	field string
	// weight is the service's share, 0 to 256.
	weight  int
	servers []model.Server
	// count is how many servers the service has; servers may be fewer.
	count int
}

// maxWeight is the largest weight of a service in the Route API.
const maxWeight = 256

// targets are the services of the route; a name that is given twice counts as
// it is given last, as in the reference router.
func (t *translation) targets() []target {
	spec := t.in.Candidate.Spec
	refs := append([]routev1.RouteTargetReference{spec.To}, spec.AlternateBackends...)
	var list []target
	for i, ref := range refs {
		field := cmp.Or(t.in.Candidate.Backend, "spec.to")
		if i > 0 {
			field = "spec.alternateBackends[" + strconv.Itoa(i-1) + "]"
		}
		if ref.Kind != "" && ref.Kind != "Service" {
			t.problem(model.Problem{Field: field + ".kind", Value: ref.Kind, Message: "must be Service"})
			continue
		}
		weight := 1
		if ref.Weight != nil {
			weight = int(*ref.Weight)
		}
		if weight < 0 || weight > maxWeight {
			t.problem(model.Problem{Field: field + ".weight", Value: strconv.Itoa(weight), Message: "must be from 0 to 256; the nearest of these is used"})
			weight = min(max(weight, 0), maxWeight)
		}
		next := target{service: ref.Name, field: field, weight: weight}
		if j := slices.IndexFunc(list, func(o target) bool { return o.service == ref.Name }); j >= 0 {
			t.problem(model.Problem{Field: field + ".name", Value: ref.Name, Message: "is given twice; the last weight counts"})
			list[j] = next
			continue
		}
		list = append(list, next)
	}
	return list
}

// activeServices counts the services that have a share.
func (t *translation) activeServices() int {
	seen := map[string]bool{}
	spec := t.in.Candidate.Spec
	for _, ref := range append([]routev1.RouteTargetReference{spec.To}, spec.AlternateBackends...) {
		seen[ref.Name] = ref.Weight == nil || *ref.Weight > 0
	}
	n := 0
	for _, active := range seen {
		if active {
			n++
		}
	}
	return n
}

// servers finds the endpoints of every service and gives them weights.
func (t *translation) servers() {
	targets := t.targets()
	settings := len(t.problems)
	t.find(targets)
	t.bound(targets)
	active := 0
	for i := range targets {
		if targets[i].weight > 0 {
			for _, s := range targets[i].servers {
				if !s.Idled {
					active++
				}
			}
		}
	}
	share(targets)
	b := &t.route.Backend
	for _, target := range targets {
		for _, s := range target.servers {
			s.Check = active > 1 && !s.Idled
			if b.TLS != nil && b.TLS.CA == "" && b.TLS.CAFile != "" {
				s.VerifyHost = target.service + "." + t.route.Key.Namespace + ".svc"
			}
			b.Servers = append(b.Servers, s)
		}
	}
	slices.SortStableFunc(b.Servers, func(a, o model.Server) int { return cmp.Compare(a.ID, o.ID) })
	for i := range t.problems[settings:] {
		t.problems[settings+i].Blocks = len(b.Servers) == 0
	}
}

// find finds the servers of each service.
func (t *translation) find(targets []target) {
	for i := range targets {
		to := &targets[i]
		f := t.once(to, func() []model.Server { return t.serversOf(to) })
		if to.weight == 0 && t.passthrough() {
			continue // Without cookies nobody would ever reach one.
		}
		// Weights are written into it.
		to.servers, to.count = slices.Clone(f.servers), f.count
	}
}

// serversOf finds the servers of one service, or tells why there are none.
func (t *translation) serversOf(to *target) (servers []model.Server) {
	before := len(t.problems)
	if svc := t.in.Lookup.Service(t.route.Key.Namespace, to.service); svc != nil && svc.Spec.Type == corev1.ServiceTypeExternalName {
		servers = t.externalName(to, svc)
	} else {
		servers = t.endpoints(to, svc)
	}
	if to.weight == 0 {
		// Nobody is sent there, so that only what is a mistake in any case is told.
		mistakes := slices.DeleteFunc(t.problems[before:], func(p model.Problem) bool { return p.Cause != model.ServiceNotFound })
		t.problems = t.problems[:before+len(mistakes)]
	}
	return servers
}
