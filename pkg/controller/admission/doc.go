// Package admission decides who owns which host and path, and whether each
// route is valid.
//
// Its answer is a pure function of the routes that exist: Decide computes it
// afresh, an Index keeps it up to date at the cost of the routes that share a
// host, or a wildcard's domain, with the change. The order of events has no
// influence. docs/admission.md has the rule in the words of a user.
//
// The rule, in one sentence: of the routes that want the same thing the oldest
// gets it, and the namespace of a host's oldest route owns the host.
package admission
