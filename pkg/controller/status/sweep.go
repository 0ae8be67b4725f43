package status

import (
	"context"
	"sync"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/pager"

	"router/pkg/model"
)

// Sweep says where entries may have been left behind: on routes that left the
// selection while no replica was running. Where the API server selects, nobody
// would tell of them, so whoever begins to write lists all routes once.
type Sweep struct {
	// List lists a page of routes. ClusterClient has one.
	List func(ctx context.Context, namespace string, o metav1.ListOptions) (*routev1.RouteList, error)
	// Namespace is the only one to look into, "" for all.
	Namespace string
	// Selected reports whether a route is among those that the router watches.
	Selected func(*routev1.Route) bool
}

const (
	// page is how many routes are listed at a time; it bounds the memory.
	page = 500
	// sweepRetry is the time between attempts.
	sweepRetry = 5 * time.Second
)

// Run writes until the context ends, and returns when no request is under way
// any longer.
func (w *Writer) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { w.writer.Run(ctx) })
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-w.gained:
			w.removeLeftBehind(ctx)
		}
	}
	running.Wait()
}

// removeLeftBehind removes this router's entries from routes that it does not
// watch. Entries with another canonical host name are left alone: they are those
// of another router that was given the same name.
func (w *Writer) removeLeftBehind(ctx context.Context) {
	if w.sweep == nil {
		return
	}
	found := map[model.RouteKey]bool{}
	routes := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return w.sweep.List(ctx, w.sweep.Namespace, o)
	})
	routes.PageSize, routes.PageBufferSize, routes.FullListIfExpired = page, 1, false
	err := wait.PollUntilContextCancel(ctx, sweepRetry, true, func(ctx context.Context) (done bool, _ error) {
		err := routes.EachListItem(ctx, metav1.ListOptions{}, func(o runtime.Object) error {
			r := o.(*routev1.Route)
			if e := w.id.entry(r); e != nil && e.RouterCanonicalHostname == w.id.canonicalHostname && !w.sweep.Selected(r) {
				found[keyOf(r)] = true
				w.removeUnless(keyOf(r), func(decided bool) bool { return decided })
			}
			return nil
		})
		if err != nil {
			w.logger.Debug("Cannot list the routes that are not selected; trying again", "error", err)
		}
		return err == nil, nil
	})
	if err == nil && len(found) > 0 {
		w.logger.Info("Routes that are not selected any longer lose their entries in the status", "routes", len(found))
	}
}
