// Package model is the routing table as plain values: which host and path
// lead to which servers, under which settings, with which certificates.
//
// It knows neither Kubernetes nor HAProxy. Translation fills it from cluster
// objects, rendering reads it; nothing here is a pointer into somebody else's
// state. Every value that a tenant wrote has been parsed into a type (a
// duration, an address, a prefix) or checked before it gets here.
package model
