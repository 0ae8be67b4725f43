// Package process runs HAProxy: a master with its workers, which is started,
// reloaded and stopped, and asked what it can do. It knows nothing of routes.
package process
