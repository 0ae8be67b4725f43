// Package status writes what became of each route into the route's status,
// where oc and the console show it: one entry of status.ingress for each
// router name, with the conditions and reasons of the reference router.
//
// Many replicas of a router, all with the same opinion, share the work without
// talking to each other. Three things make one write of each real change:
//
//   - A write names the version that the watch has shown: who comes late has
//     mostly seen that the work is done and leaves it, and of two replicas that
//     write at once one is refused by the API server and looks again. So a
//     write takes one request, and no permission but to list, watch and update
//     the status; what the watch does not show, such as a route that left the
//     selection, is listed by its name.
//   - A replica learns its turn. One whose writes succeed goes first from then
//     on; one that sees its work done by another waits between one and three
//     turns before it writes, and finds that there is nothing left to write.
//     If the first is gone, the wait is all that is lost.
//   - A replica that sees its own opinion overwritten waits as well before it
//     contradicts: mostly the other has only seen a change earlier.
//
// Routers of one name and different configuration would overwrite each other
// for ever. That is noticed, told in the log and a counter, and stopped: see
// contention.go.
package status
