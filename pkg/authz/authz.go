// Package authz asks the cluster who may use the statistics port: a
// TokenReview says whose token it is, a SubjectAccessReview whether that user
// may get the subresource of this router. Prometheus of OpenShift comes in so.
package authz

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"router/pkg/stats"
)

// How long answers hold: those of the reference router.
const (
	tokenAge   = 10 * time.Second
	allowedAge = 2 * time.Minute
	deniedAge  = 5 * time.Second
)

// Bounds of what is asked: strangers can make the router ask.
const (
	timeout        = 10 * time.Second
	qps            = 20
	burst          = 40
	maxTokenLength = 64 << 10
	cacheSize      = 1000
)

// The resource that access is about.
const (
	group    = "route.openshift.io"
	resource = "routers"
)

// Options are what a Reviewer needs.
type Options struct {
	// Config says where the API server is, and who asks it: that user must be
	// allowed to create both kinds of reviews.
	Config *rest.Config
	// RouterName is the name of the resource that access is about.
	RouterName string
	// Now tells the time; nil means time.Now.
	Now func() time.Time
}

// Reviewer asks the API server, and remembers its answers for a while. Its
// methods may be called from any goroutine.
type Reviewer struct {
	client kubernetes.Interface
	router string
	// users are by the digest of their token, nil for a token of nobody's;
	// decisions by request.
	users, decisions *cache.LRUExpireCache
}

// clock implements cache.Clock.
type clock func() time.Time

func (c clock) Now() time.Time { return c() }

// request is what an answer of a SubjectAccessReview is about. The user is a
// digest of all that is known of it.
type request struct {
	user              [sha256.Size]byte
	verb, subresource string
}

// New prepares a Reviewer; nothing is asked yet.
func New(o Options) (*Reviewer, error) {
	config := rest.CopyConfig(o.Config)
	config.QPS, config.Burst, config.Timeout = qps, burst, timeout
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("client for access reviews: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Reviewer{
		client: client, router: o.RouterName,
		users: cache.NewLRUExpireCacheWithClock(cacheSize, clock(o.Now)), decisions: cache.NewLRUExpireCacheWithClock(cacheSize, clock(o.Now)),
	}, nil
}

// Review implements stats.Reviewer. An error means that the API server could
// not be asked, or may not be.
func (r *Reviewer) Review(ctx context.Context, token, verb, subresource string) (stats.Decision, error) {
	user, err := r.userOf(ctx, token)
	if err != nil {
		return stats.Decision{}, err
	}
	if user == nil {
		return stats.Decision{}, nil
	}
	key := request{user: digest(user), verb: verb, subresource: subresource}
	if known, ok := r.decisions.Get(key); ok {
		return known.(stats.Decision), nil
	}
	review, err := r.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Group: group, Resource: resource, Name: r.router, Subresource: subresource, Verb: verb,
			},
			User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra(user),
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return stats.Decision{}, fmt.Errorf("subject access review: %w", err)
	}
	decision := stats.Decision{Authenticated: true, Allowed: review.Status.Allowed && !review.Status.Denied, Reason: review.Status.Reason}
	age := deniedAge
	if decision.Allowed {
		age = allowedAge
	}
	r.decisions.Add(key, decision, age)
	return decision, nil
}

// userOf is whose token it is, nil if nobody's. Without a token it is the
// anonymous user.
func (r *Reviewer) userOf(ctx context.Context, token string) (*authenticationv1.UserInfo, error) {
	switch {
	case token == "":
		return &authenticationv1.UserInfo{Username: "system:anonymous", Groups: []string{"system:unauthenticated"}}, nil
	case len(token) > maxTokenLength:
		return nil, nil //nolint:nilnil // nobody's
	}
	key := sha256.Sum256([]byte(token))
	if known, ok := r.users.Get(key); ok {
		return known.(*authenticationv1.UserInfo), nil
	}
	review, err := r.client.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("token review: %w", err)
	}
	var user *authenticationv1.UserInfo
	if review.Status.Authenticated {
		user = &review.Status.User
	}
	r.users.Add(key, user, tokenAge)
	return user, nil
}

func extra(user *authenticationv1.UserInfo) map[string]authorizationv1.ExtraValue {
	values := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for name, v := range user.Extra {
		values[name] = authorizationv1.ExtraValue(v)
	}
	return values
}

// digest tells users apart by everything that may decide about their access.
func digest(user *authenticationv1.UserInfo) [sha256.Size]byte {
	text, err := user.Marshal() // Its maps are sorted.
	if err != nil {
		text = []byte(user.String())
	}
	return sha256.Sum256(text)
}
