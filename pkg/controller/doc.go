// Package controller turns objects into a routing table and keeps the data
// plane at it.
//
// One goroutine owns all state, from the first event to the last command. A
// turn of its loop collects what changed, decides who owns which host and
// path, translates the routes that are touched, hands them to the data plane,
// and reports what became of them. The cost of a turn follows the number of
// routes that it touches.
package controller
