package status

import (
	"cmp"
	"context"
	"errors"
	"net"

	routev1 "github.com/openshift/api/route/v1"
	routeclient "github.com/openshift/client-go/route/clientset/versioned/typed/route/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"router/pkg/model"
)

// Client reaches the routes of a cluster. Its errors are those of the
// Kubernetes API.
type Client interface {
	// Read reads a route as it is now.
	Read(context.Context, model.RouteKey) (*routev1.Route, error)
	// UpdateStatus writes the status of a route whose version is that of the
	// argument, and returns the route as it then is.
	UpdateStatus(context.Context, *routev1.Route) (*routev1.Route, error)
}

// ClusterClient is a Client of a real cluster.
type ClusterClient struct{ Routes routeclient.RoutesGetter }

// Read implements Client. It lists the routes of that name: who may watch
// routes may list them, and needs no other permission.
func (c ClusterClient) Read(ctx context.Context, k model.RouteKey) (*routev1.Route, error) {
	list, err := c.Routes.Routes(k.Namespace).List(ctx, named(k.Name))
	if err != nil {
		return nil, err
	}
	if len(list.Items) == 0 {
		return nil, apierrors.NewNotFound(routev1.Resource("routes"), k.Name)
	}
	return &list.Items[0], nil
}

// named selects the object of a name.
func named(name string) metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name).String(), Limit: 1}
}

// UpdateStatus implements Client.
func (c ClusterClient) UpdateStatus(ctx context.Context, r *routev1.Route) (*routev1.Route, error) {
	return c.Routes.Routes(r.Namespace).UpdateStatus(ctx, r, metav1.UpdateOptions{})
}

// List returns a page of the routes of a namespace, of all where it is "".
func (c ClusterClient) List(ctx context.Context, namespace string, o metav1.ListOptions) (*routev1.RouteList, error) {
	return c.Routes.Routes(namespace).List(ctx, o)
}

// class names the kind of an error, for metrics and logs.
func class(err error) string {
	var network net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout() {
		return "timeout"
	}
	return cmp.Or(map[metav1.StatusReason]string{
		metav1.StatusReasonConflict: "conflict", metav1.StatusReasonNotFound: "not_found",
		metav1.StatusReasonForbidden: "forbidden", metav1.StatusReasonUnauthorized: "forbidden",
		metav1.StatusReasonInvalid: "invalid", metav1.StatusReasonBadRequest: "invalid",
		metav1.StatusReasonTooManyRequests: "too_many_requests",
		metav1.StatusReasonTimeout:         "timeout", metav1.StatusReasonServerTimeout: "timeout",
	}[apierrors.ReasonForError(err)], "other")
}
