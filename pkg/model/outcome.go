package model

import "time"

// Outcome is what became of a change.
type Outcome struct {
	// Rejected are routes that the proxy cannot serve, with the reason: a value
	// that cannot be represented, or the proxy's own words. They are left out.
	Rejected map[RouteKey]string
	// Pending are routes that are served as they were, or not yet, until the
	// next reload.
	Pending []RouteKey
	// Next is when the proxy is to be looked at again; zero for not before the
	// next change.
	Next time.Time
}
