package controller

import (
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/model"
	"router/pkg/source"
)

// A change that touches no route must not take back what HAProxy has refused.
func TestARejectedRouteStaysRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, settle := run(t, source.Selection{})
		k := model.RouteKey{Namespace: "n", Name: "r"}
		n.outcome = model.Outcome{Rejected: map[model.RouteKey]string{k: "no"}}
		n.queue.Push(routeTo("r", "hello", nil))
		n.queue.MarkSynced()
		settle()
		n.outcome = model.Outcome{}
		n.queue.Push(change(source.KindService, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "hello"}}))
		settle()
		if d := n.desired[k]; d.Admitted || d.Reason != string(RejectedByProxy) {
			t.Errorf("the status is to be %+v", d)
		}
		n.queue.Push(routeTo("s", "hello", nil))
		settle()
		if d := n.desired[k]; !d.Admitted {
			t.Errorf("once HAProxy takes it, the status is to be %+v", d)
		}
	})
}
