package source_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/source"
)

func TestQueueKeepsTheLatestChangeInTheOrderOfTheFirst(t *testing.T) {
	at := time.Unix(100, 0)
	q := source.NewQueue(func() time.Time { return at })
	a, b := source.Key{Kind: source.KindService, Name: "a"}, source.Key{Kind: source.KindService, Name: "b"}
	q.Push(source.Change{Key: a}, source.Change{Key: b})
	at = time.Unix(200, 0)
	q.Push(source.Change{Key: a, Object: &corev1.Service{}})
	select {
	case <-q.Ready():
	default:
		t.Fatal("a queue with changes is not ready")
	}
	batch := q.Drain()
	if len(batch.Changes) != 2 || batch.Changes[0].Key != a || batch.Changes[0].Object == nil || batch.Changes[1].Key != b {
		t.Errorf("changes are %+v", batch.Changes)
	}
	if !batch.First.Equal(time.Unix(100, 0)) || batch.Synced {
		t.Errorf("batch is %+v", batch)
	}
	q.MarkSynced()
	if batch = q.Drain(); !batch.Synced || len(batch.Changes) != 0 {
		t.Errorf("batch after the sync is %+v", batch)
	}
}

// affectedByBruteForce looks at every route.
func affectedByBruteForce(objects map[source.Key]metav1.Object, changed source.Key, old, now metav1.Object) []source.Key {
	services := map[string]bool{}
	for _, o := range []metav1.Object{old, now} {
		switch o := o.(type) {
		case *discoveryv1.EndpointSlice:
			services[o.Labels[discoveryv1.LabelServiceName]] = true
		case *corev1.Service:
			services[o.Name] = true
		}
	}
	var keys []source.Key
	for k, o := range objects {
		if r, ok := o.(*routev1.Route); ok {
			uses := services[r.Spec.To.Name]
			for _, b := range r.Spec.AlternateBackends {
				uses = uses || services[b.Name]
			}
			if uses || k == changed {
				keys = append(keys, k)
			}
		}
	}
	if _, gone := old.(*routev1.Route); gone && now == nil {
		keys = append(keys, changed)
	}
	slices.SortFunc(keys, func(a, b source.Key) int { return slices.Compare([]string{a.Name}, []string{b.Name}) })
	return keys
}

func TestStoreFindsWhatAChangeAffects(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	s := source.NewStore()
	objects := map[source.Key]metav1.Object{}
	pick := func(prefix string) string { return fmt.Sprint(prefix, rnd.IntN(6)) }
	for i := range 5000 {
		var c source.Change
		switch rnd.IntN(3) {
		case 0:
			r := &routev1.Route{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: pick("r")}}
			r.Spec.To.Name = pick("s")
			r.Spec.AlternateBackends = []routev1.RouteTargetReference{{Name: pick("s")}}
			c = source.Change{Key: source.Key{Kind: source.KindRoute, Namespace: "n", Name: r.Name}, Object: r}
		case 1:
			e := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: pick("e"), Labels: map[string]string{discoveryv1.LabelServiceName: pick("s")}}}
			c = source.Change{Key: source.Key{Kind: source.KindEndpointSlice, Namespace: "n", Name: e.Name}, Object: e}
		case 2:
			v := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: pick("s")}}
			c = source.Change{Key: source.Key{Kind: source.KindService, Namespace: "n", Name: v.Name}, Object: v}
		}
		if rnd.IntN(4) == 0 {
			c.Object = nil
		}
		old := objects[c.Key]
		if c.Object == nil {
			delete(objects, c.Key)
		} else {
			objects[c.Key] = c.Object
		}
		got := s.Apply(c)
		if want := affectedByBruteForce(objects, c.Key, old, c.Object); !slices.Equal(got, want) {
			t.Fatalf("step %d, %v: affects %v, want %v", i, c.Key, got, want)
		}
	}
}
