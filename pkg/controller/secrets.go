package controller

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"router/pkg/source"
)

// Follower reads single objects: secrets, or names. Neither method waits;
// after Follow, and with every change, the queue gets a change of the object.
type Follower interface {
	// Follow says that an object is needed from now on.
	Follow(source.Key)
	// Forget says that it is not needed any longer.
	Forget(source.Key)
}

// followed are the objects that have been asked for; awaited are those of
// them of which nothing has been heard since.
type followed struct {
	by      Follower
	asked   map[source.Key]bool
	awaited map[source.Key]bool
}

func (f *followed) awaits(namespace, name string) bool {
	return f.awaited[source.Key{Kind: source.KindSecret, Namespace: namespace, Name: name}]
}

// heard takes in that something is known of an object.
func (f *followed) heard(change source.Change) {
	if change.Absence != source.Forgotten {
		delete(f.awaited, change.Key)
	}
}

func newFollowed(by Follower) followed {
	return followed{by: by, asked: map[source.Key]bool{}, awaited: map[source.Key]bool{}}
}

// want says whether an object is needed.
func (f *followed) want(k source.Key, needed bool) {
	switch {
	case needed == f.asked[k]:
	case needed:
		f.asked[k], f.awaited[k] = true, true
		f.by.Follow(k)
	default:
		delete(f.asked, k)
		delete(f.awaited, k)
		f.by.Forget(k)
	}
}

// noteSecrets adds the secrets that an object refers to.
func noteSecrets(o metav1.Object, to map[source.Key]bool) {
	for _, k := range source.SecretsOf(o) {
		to[k] = true
	}
}

// noteSecretsOf adds the secrets that the object with a key refers to.
func (c *Controller) noteSecretsOf(k source.Key, to map[source.Key]bool) {
	if r := c.store.Route(k.Namespace, k.Name); r != nil && k.Kind == source.KindRoute {
		noteSecrets(r, to)
	}
	if i := c.store.Ingress(k.Namespace, k.Name); i != nil && k.Kind == source.KindIngress {
		noteSecrets(i, to)
	}
}

// followSecrets asks for those secrets of a set that something refers to, and
// for the others no longer.
func (c *Controller) followSecrets(set map[source.Key]bool) {
	if c.followed.by == nil {
		return
	}
	for _, k := range slices.SortedFunc(maps.Keys(set), source.Key.Compare) {
		needed := false
		for _, user := range c.store.UsersOfSecret(k.Namespace, k.Name) {
			needed = needed || c.readsSecretsOf(user)
		}
		c.followed.want(k, needed)
	}
}

// readsSecretsOf reports whether the router needs the secrets of a route or
// Ingress. Those of other routers' Ingresses are none of its business.
func (c *Controller) readsSecretsOf(user source.Key) bool {
	if user.Kind == source.KindIngress {
		return c.serves(user)
	}
	return c.external != nil
}

// awaitsSecret reports whether what is known of a route or Ingress is not
// final, because a secret is still to be read.
func (c *Controller) awaitsSecret(o metav1.Object) bool {
	for _, k := range source.SecretsOf(o) {
		if c.followed.awaited[k] {
			return true
		}
	}
	return false
}
