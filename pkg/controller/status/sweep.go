package status

import (
	"context"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Lister lists routes page by page. ClusterClient is one.
type Lister interface {
	List(ctx context.Context, namespace string, o metav1.ListOptions) (*routev1.RouteList, error)
}

// SweepOptions say where entries may have been left behind.
type SweepOptions struct {
	Lister Lister
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

// Sweep removes this router's entries from routes that it does not watch: those
// that left the selection while it was not running. Where the API server
// selects, nobody would tell of them. It lists all routes once, and returns
// when that is done or ctx ends.
//
// Entries with another canonical host name are left alone: they are those of
// another router that was given the same name.
func (w *Writer) Sweep(ctx context.Context, o SweepOptions) {
	found := 0
	for next := ""; ctx.Err() == nil; {
		listing, cancel := context.WithTimeout(ctx, w.o.Timeout)
		list, err := o.Lister.List(listing, o.Namespace, metav1.ListOptions{Limit: page, Continue: next})
		cancel()
		if err != nil {
			if apierrors.IsResourceExpired(err) {
				next = "" // The pages are of a state that is too old.
			}
			w.o.Logger.Debug("Cannot list the routes that are not selected; trying again", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(sweepRetry):
			}
			continue
		}
		for i := range list.Items {
			r := &list.Items[i]
			if e, n := w.id.entries(r); n > 0 && e.RouterCanonicalHostname == w.id.canonicalHostname && !o.Selected(r) {
				found++
				w.setUndecided(keyOf(r), w.removal(keyOf(r)))
			}
		}
		if next = list.Continue; next == "" {
			break
		}
	}
	if found > 0 {
		w.o.Logger.Info("Routes that are not selected any longer lose their entries in the status", "routes", found)
	}
}
