// Package translate turns a Route, with its services and their endpoints,
// into a model.Route. It is a pure function of those objects: it reads
// nothing else and keeps nothing.
//
// What a route says but does not get, exactly as written, comes back as a
// problem, for the route's status and for people.
package translate
