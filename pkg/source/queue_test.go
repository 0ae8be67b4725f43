package source_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/source"
)

func serviceKey(name string) source.Key { return source.Key{Kind: source.KindService, Name: name} }

func isReady(q *source.Queue) bool {
	select {
	case <-q.Ready():
		return true
	default:
		return false
	}
}

func TestQueueKeepsTheLatestChangeInTheOrderOfTheFirst(t *testing.T) {
	at := time.Unix(100, 0)
	q := source.NewQueue(func() time.Time { return at })
	a, b := serviceKey("a"), serviceKey("b")
	q.Push(source.Change{Key: a}, source.Change{Key: b})
	at = time.Unix(200, 0)
	q.Push(source.Change{Key: a, Object: &corev1.Service{}})
	if !isReady(q) {
		t.Error("a queue with changes is not ready")
	}
	batch := q.Drain()
	if len(batch.Changes) != 2 || batch.Changes[0].Key != a || batch.Changes[0].Object == nil || batch.Changes[1].Key != b {
		t.Errorf("changes are %+v", batch.Changes)
	}
	if !batch.First.Equal(time.Unix(100, 0)) || batch.Synced {
		t.Errorf("batch is %+v", batch)
	}
	q.Push(source.Change{Key: a})
	if batch = q.Drain(); !batch.First.Equal(time.Unix(200, 0)) || len(batch.Changes) != 1 {
		t.Errorf("second batch is %+v", batch)
	}
	if batch = q.Drain(); len(batch.Changes) != 0 || !batch.First.IsZero() {
		t.Errorf("an empty queue gives %+v", batch)
	}
}

func TestQueueIsReadyOnlyWithSomethingToDrain(t *testing.T) {
	q := source.NewQueue(time.Now)
	q.Push()
	if isReady(q) {
		t.Error("no changes make the queue ready")
	}
	q.Push(source.Change{Key: serviceKey("a")})
	q.Drain()
	if isReady(q) {
		t.Error("a drained queue is ready")
	}
}

func TestQueueSaysOnceThatItIsSynced(t *testing.T) {
	q := source.NewQueue(time.Now)
	if q.Synced() || q.Drain().Synced {
		t.Error("a new queue is synced")
	}
	q.Push(source.Change{Key: serviceKey("a")})
	q.MarkSynced()
	if batch := q.Drain(); !batch.Synced || len(batch.Changes) != 1 || !q.Synced() {
		t.Errorf("batch is %+v", batch)
	}
	q.MarkSynced()
	if isReady(q) {
		t.Error("a second mark makes the queue ready")
	}
	if !q.Drain().Synced {
		t.Error("a synced queue becomes unsynced")
	}
	q = source.NewQueue(time.Now)
	q.MarkSynced()
	if !isReady(q) {
		t.Error("the mark alone does not make the queue ready")
	}
}

func TestQueueLosesNothingBetweenProducersAndConsumer(t *testing.T) {
	const producers, each = 8, 500
	q := source.NewQueue(time.Now)
	var group sync.WaitGroup
	for p := range producers {
		group.Go(func() {
			for i := range each {
				// Producers share keys, so that changes are also coalesced.
				name := strconv.Itoa(i % 50)
				if i >= each-50 {
					name = strconv.Itoa(p) + "-" + name
				}
				q.Push(source.Change{Key: serviceKey(name), Object: &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}}})
			}
		})
	}
	go func() {
		group.Wait()
		q.MarkSynced()
	}()
	seen := map[string]bool{}
	for synced := false; !synced; {
		<-q.Ready()
		batch := q.Drain()
		for _, c := range batch.Changes {
			seen[c.Object.GetName()] = true
		}
		synced = batch.Synced
	}
	if want := 50 + producers*50; len(seen) != want {
		t.Errorf("%d objects arrived, want %d", len(seen), want)
	}
}
