package status

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// The times of the Lease. A follower asks every retryPeriod to 2.2 times that,
// so a leader that is gone is replaced within leaseDuration and 4.4 retry
// periods, 19 s.
const (
	leaseDuration = 10 * time.Second
	renewDeadline = 7 * time.Second
	retryPeriod   = 2 * time.Second
	// permissionRetry is how often a replica that may not use the Lease tries
	// whether it may by now.
	permissionRetry = 10 * time.Minute
)

// Election is what a replica needs to compete with its siblings.
type Election struct {
	// Client must not share a rate limit with those that write statuses: many
	// writes would cost the Lease.
	Client coordinationclient.LeasesGetter
	// Namespace is that of the Lease, the router's own. RouterName makes its
	// name.
	Namespace, RouterName string
	// Replica is what this one is called in the Lease, such as its pod's name.
	Replica string
	Logger  *slog.Logger
	// Changed is told of each change of this replica's role, which is to be
	// Following at first.
	Changed func(Role)
}

// LeaseName is the name of the Lease of a router. Names that the API does not
// allow are replaced by their digest.
func LeaseName(router string) string {
	const prefix = "router-status-"
	if len(validation.IsDNS1123Subdomain(prefix+router)) > 0 {
		digest := sha256.Sum256([]byte(router))
		router = hex.EncodeToString(digest[:10])
	}
	return prefix + router
}

// Run competes until the context ends; then it gives the Lease up, if it has it.
// Without the permission for Leases the replica is Alone.
func (e Election) Run(ctx context.Context) {
	e.Replica += "_" + rand.Text() // Pods on a node's network are all called as the node.
	for told := false; ctx.Err() == nil; {
		refusal := e.compete(ctx)
		if refusal == nil {
			continue
		}
		e.Changed(Alone)
		if !told {
			told = true
			e.Logger.Warn("No leader for writing statuses can be elected: all replicas write them, each after a look at what the others have written. "+
				"Let the service account use leases of the API group coordination.k8s.io with the verbs get, create and update in its namespace (deploy/rbac.yaml)",
				"namespace", e.Namespace, "lease", LeaseName(e.RouterName), "error", refusal)
		}
		select {
		case <-ctx.Done():
		case <-time.After(permissionRetry):
		}
	}
}

// lease is a lock that ends the competition when it may not be used.
type lease struct {
	resourcelock.Interface
	end context.CancelCauseFunc
}

// refusal is an error that says that this router cannot use the Lease.
type refusal struct{ error }

func (l lease) endIf(refused bool, err error) error {
	if refused {
		l.end(refusal{err})
	}
	return err
}

// Get implements resourcelock.Interface.
func (l lease) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	return record, raw, l.endIf(apierrors.IsForbidden(err), err)
}

// Create implements resourcelock.Interface. What is not found is the namespace.
func (l lease) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	err := l.Interface.Create(ctx, r)
	return l.endIf(apierrors.IsForbidden(err) || apierrors.IsNotFound(err), err)
}

// Update implements resourcelock.Interface.
func (l lease) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	err := l.Interface.Update(ctx, r)
	return l.endIf(apierrors.IsForbidden(err), err)
}

// compete tries to get the Lease and keeps it as long as possible. It returns
// the error if the Lease cannot be used, nil if it was lost or the context ended.
func (e Election) compete(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	lock := lease{&resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: LeaseName(e.RouterName)}, Client: e.Client,
		LockConfig: resourcelock.ResourceLockConfig{Identity: e.Replica},
	}, cancel}
	// The library would log each refusal as an error of its own.
	if _, _, err := lock.Get(ctx); apierrors.IsForbidden(err) {
		return err
	}
	e.Changed(Following)
	// The library calls from goroutines of its own, in any order.
	var mu sync.Mutex
	over := false
	end := func() {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			over = true
			e.Changed(Following)
		}
	}
	begin := func(leading context.Context) {
		mu.Lock()
		defer mu.Unlock()
		if !over && leading.Err() == nil {
			context.AfterFunc(leading, end) // It ceases to write before it gives the Lease up.
			e.Logger.Info("This replica writes the statuses", "lease", lock.Describe())
			e.Changed(Leading)
		}
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: begin, OnStoppedLeading: end},
	})
	if err != nil {
		return err
	}
	elector.Run(ctx)
	if err := context.Cause(ctx); errors.As(err, &refusal{}) {
		return err
	}
	return nil
}
