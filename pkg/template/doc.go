// Package template turns the routing table into what HAProxy reads: the
// configuration's text, map entries, the crt-list and the files beside them.
// The text comes from the text/template parts in conf; this package owns
// quoting, so that no value of a tenant is ever concatenated into a line.
//
// Everything is rendered per route and kept by the caller: the cost of a
// change is that of the routes that changed.
package template
