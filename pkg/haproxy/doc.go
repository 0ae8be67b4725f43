// Package haproxy is the running data plane: it keeps one HAProxy exactly at
// what the routing table says.
//
// A State is what HAProxy is to have, in HAProxy's terms: backends with their
// servers, lookup tables, certificates. Diff compares two of them and answers
// with commands for the runtime socket, or with the reasons why only a reload
// will do. The same comparison repairs drift: what was read back from the
// running process takes the place of what was believed to be there.
//
// A DataPlane is owned by one goroutine, the controller's; nothing in this
// package starts another, but for watching the process.
package haproxy
