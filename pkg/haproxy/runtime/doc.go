// Package runtime speaks with HAProxy's command sockets: that of the running
// worker and that of the master. Each answer is read into a type here, once for
// all who ask. It knows nothing of routes.
package runtime
