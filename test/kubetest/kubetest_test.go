package kubetest

import (
	"context"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	routeclient "github.com/openshift/client-go/route/clientset/versioned"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

func TestTheControlPlaneIsReal(t *testing.T) {
	c := Start(t, Options{Controllers: true})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := kubernetes.NewForConfigOrDie(c.Config)
	labels := map[string]string{"app": "a"}
	if _, err := client.CoreV1().Services("default").Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "a"},
		Spec:       corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.MakePod(ctx, "default", "a-1", labels, "198.18.0.9"); err != nil {
		t.Fatal(err)
	}
	watch, err := client.DiscoveryV1().EndpointSlices("default").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	found := false
	for e := range watch.ResultChan() {
		if s, ok := e.Object.(*discoveryv1.EndpointSlice); ok && len(s.Endpoints) == 1 && s.Endpoints[0].Addresses[0] == "198.18.0.9" {
			found = true
			break
		}
	}
	if !found {
		t.Fatal("the controllers make no endpoint slice")
	}

	routes := routeclient.NewForConfigOrDie(c.Config).RouteV1().Routes("default")
	route, err := routes.Create(ctx, &routev1.Route{
		ObjectMeta: metav1.ObjectMeta{Name: "a"},
		Spec:       routev1.RouteSpec{Host: "a.test", To: routev1.RouteTargetReference{Kind: "Service", Name: "a"}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.StopAPIServer()
	if _, err := routes.Get(ctx, "a", metav1.GetOptions{}); err == nil {
		t.Error("a stopped API server answers")
	}
	c.StartAPIServer()
	route.Status.Ingress = []routev1.RouteIngress{{RouterName: "r", Host: "a.test"}}
	if route, err = routes.UpdateStatus(ctx, route, metav1.UpdateOptions{}); err != nil || len(route.Status.Ingress) != 1 {
		t.Errorf("status is %+v, %v", route, err)
	}
}
