// Package status writes what became of each route into the route's status,
// where oc and the console show it: one entry of status.ingress for each
// router name, with the conditions and reasons of the reference router. For
// Ingresses it writes where they are reached.
//
// All replicas of a router watch and decide the same, and one of them writes:
// the holder of a Lease, which Elect competes for. The others keep what the
// statuses should be and what the watch shows of them, so that the next leader
// knows at once what is missing. Where there is no Lease, every replica writes,
// a moment apart, and mostly finds that it has been done.
//
// A write is read, change, compare, write: it starts from the object that the
// watch has shown, takes no request where nothing would change, and names the
// object's version, so that the API server refuses it if there is a newer one.
// So a write needs no permission but to list and watch the objects and to
// update their statuses, and two replicas that write at once do no harm. What
// the watch does not show, such as a route that left the selection, is listed
// by its name.
//
// A status that somebody else overwrites is written again, but ever more
// slowly: routers of one name and different configuration would go on for ever.
package status
