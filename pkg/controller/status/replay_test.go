package status_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/controller/admission"
	"router/test/admissiontest"
)

// TestTheAdmissionTableOnARealAPIServer replays the cases: routes are made,
// changed and deleted in a cluster, their ages and UIDs are the API server's,
// and the verdicts are read from their status.
func TestTheAdmissionTableOnARealAPIServer(t *testing.T) {
	m, err := admissiontest.NewMaterial()
	if err != nil {
		t.Fatal(err)
	}
	table, err := admissiontest.Load(m)
	if err != nil {
		t.Fatal(err)
	}
	l := newLab(t)
	var cases []*admissiontest.Case
	var indexes []*admission.Index
	for _, c := range table {
		if c.Replayable() {
			placed := c.In(fmt.Sprintf("case-%d", len(cases)))
			cases, indexes = append(cases, placed), append(indexes, admission.NewIndex(c.AdmissionOptions()))
			for _, name := range placed.Namespaces() {
				l.namespace(name)
			}
		}
	}
	if len(cases) < 80 {
		t.Errorf("%d cases can be replayed, want at least 80", len(cases))
	}
	none := admission.NewIndex(admission.Options{Now: time.Now})
	r := start(t, l.Cluster, setup{alone: true, user: bareUser, indexFor: func(namespace string) *admission.Index {
		var i int
		if n, _ := fmt.Sscanf(namespace, "case-%d-", &i); n == 1 {
			return indexes[i]
		}
		return none
	}})
	refused := map[string]bool{}
	for step, more := 0, true; more; step++ {
		// Objects have ages in seconds: each step makes those of one.
		l.nextSecond()
		more = false
		for _, c := range cases {
			more = l.step(c, step, refused) || more
		}
	}
	total := 0
	for i, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			l := *l
			l.t = t
			for name, want := range c.Verdicts {
				if refused[name] {
					continue
				}
				total++
				l.eventually("the status of "+name, 30*time.Second, func() string { return l.differs(name, want) })
				k := (&admissiontest.Route{Name: name}).Key()
				r.mu.Lock()
				v, _ := indexes[i].Verdict(k)
				r.mu.Unlock()
				if d := want.Difference(v); d != "" {
					t.Errorf("%s: %s", name, d)
				}
			}
		})
	}
	t.Logf("%d cases with %d verdicts; the API server refused %d routes", len(cases), total, len(refused))
}

// step carries out one step of a case, and reports whether there was one.
func (l *lab) step(c *admissiontest.Case, step int, refused map[string]bool) bool {
	l.t.Helper()
	var change admissiontest.Change
	switch i := step - len(c.Routes); {
	case i < 0:
		change.Create = &c.Routes[step]
	case i < len(c.Then):
		change = c.Then[i]
	default:
		return false
	}
	switch {
	case change.Create != nil:
		_, err := l.create(change.Create.Key(), change.Create.Spec)
		switch {
		case change.Create.RefusedByAPI && apierrors.IsInvalid(err):
			refused[change.Create.Name] = true
		case change.Create.RefusedByAPI:
			l.t.Errorf("%s: the API server does not refuse %s: %v", c.Name, change.Create.Name, err)
		case err != nil:
			l.t.Errorf("%s: %v", c.Name, err)
		}
	case change.Edit != nil:
		l.edit(change.Edit.Key(), func(r *routev1.Route) {
			to := r.Spec.To
			r.Spec = *change.Edit.Spec.DeepCopy()
			r.Spec.To = to
		})
	default:
		l.remove((&admissiontest.Route{Name: change.Delete}).Key())
	}
	return true
}

// differs says in what a route's status is not as expected.
func (l *lab) differs(name string, want admissiontest.Verdict) string {
	k := (&admissiontest.Route{Name: name}).Key()
	r, err := l.routes.RouteV1().Routes(k.Namespace).Get(l.t.Context(), k.Name, metav1.GetOptions{})
	if err != nil {
		return err.Error()
	}
	e, admitted := entry(r, l.router)
	switch {
	case admitted == nil:
		return "there is no entry"
	case (admitted.Status == corev1.ConditionTrue) != want.Admitted || admitted.Reason != string(want.Reason):
		return fmt.Sprintf("condition is %+v, want %v, %q", admitted, want.Admitted, want.Reason)
	case want.Contains == "" && admitted.Message != want.Message || !strings.Contains(admitted.Message, want.Contains):
		return fmt.Sprintf("message is %q, want %q%q", admitted.Message, want.Message, want.Contains)
	case want.Host != "" && e.Host != want.Host:
		return fmt.Sprintf("host is %q, want %q", e.Host, want.Host)
	}
	return ""
}
