package controller

import (
	"maps"
	"slices"

	"router/pkg/model"
	"router/pkg/source"
)

// ObjectWatcher reads single objects: secrets, or names. Neither method waits;
// after Watch, and with every change, the queue gets a change of the object.
type ObjectWatcher interface {
	// Watch says that an object is needed from now on.
	Watch(source.Key)
	// Forget says that it is not needed any longer.
	Forget(source.Key)
}

// watchSet are the objects that are watched one by one, as long as something
// leads to them.
type watchSet struct {
	// by are the watchers, by kind of object; the objects of other kinds come
	// unasked.
	by map[source.Kind]ObjectWatcher
	// watched have been asked for. pending are secrets of which nothing has been
	// seen since; no route waits for the answer of name servers.
	watched, pending map[source.Key]bool
}

func newWatchSet(by map[source.Kind]ObjectWatcher) *watchSet {
	maps.DeleteFunc(by, func(_ source.Kind, w ObjectWatcher) bool { return w == nil })
	return &watchSet{by: by, watched: map[source.Key]bool{}, pending: map[source.Key]bool{}}
}

// isPending reports whether a secret is still to be read.
func (w *watchSet) isPending(namespace, name string) bool {
	return w.pending[source.Key{Kind: source.KindSecret, Namespace: namespace, Name: name}]
}

// seen takes in that something is known of an object.
func (w *watchSet) seen(change source.Change) {
	if change.Absence != source.Forgotten {
		delete(w.pending, change.Key)
	}
}

// want says whether an object is needed.
func (w *watchSet) want(k source.Key, needed bool) {
	by := w.by[k.Kind]
	switch {
	case by == nil || needed == w.watched[k]:
	case needed:
		w.watched[k] = true
		if k.Kind == source.KindSecret {
			w.pending[k] = true
		}
		by.Watch(k)
	default:
		delete(w.watched, k)
		delete(w.pending, k)
		by.Forget(k)
	}
}

// watch watches those objects of a set that something of this router leads to,
// and the others no longer.
func (c *Controller) watch(set map[source.Key]bool) {
	for _, k := range slices.SortedFunc(maps.Keys(set), source.Key.Compare) {
		needed, byIngress := false, false
		for _, user := range c.store.UsersOf(k) {
			object, kind := c.objectOf(user)
			if kind != nil && kind.needs(object, k.Kind) {
				needed, byIngress = true, byIngress || object.Kind == model.KindIngress
			}
		}
		c.watched.want(k, needed)
		if !byIngress {
			c.certificates.Forget(k)
		}
	}
}
