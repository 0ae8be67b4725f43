// Package ingress turns networking.k8s.io/v1 Ingresses into routes, so that
// they go the same way as Routes: claims, validation, annotations, servers,
// HAProxy.
//
// Each path of an Ingress becomes one route, with the age and UID of the
// Ingress: of a Route and an Ingress that want the same, the older wins. The
// route's name is "ingress_NAME_DIGEST". No Route can have such a name, since
// object names have no underscore, and the digest is that of the host, the
// kind of path and the path: a path keeps its backend, and its counters, when
// others come and go or its service changes.
//
// Translation is a pure function of the Ingress and of what a small lookup
// finds. What is remembered, which paths an Ingress had and which certificate
// was the last good one, is in Set and Certificates.
package ingress
