// Package diff says how to get from the state that a running HAProxy has to the
// one that it is to have: the commands to send now, and the reasons, if any, why
// a reload has to follow. It is pure: what a command does when it has succeeded
// is part of the plan, as data.
package diff
