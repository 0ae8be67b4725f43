package model

// Change is what the controller asks the data plane to make true: routes to
// add or replace, and routes that are no more; keys appear once. And what the
// router's own TLS files hold.
type Change struct {
	// Upsert holds new and changed routes.
	Upsert []*Route
	// Delete holds the keys of routes that are not served any longer.
	Delete []RouteKey
	// Reserve has routes that are not served, or not any longer, but keep their
	// host: nobody gets it meanwhile, whoever asks for any host included.
	Reserve []Reservation
	// Files replaces what was known of the TLS files; nil for no change.
	Files *TLSFiles
	// Health is what has changed of the health of endpoints.
	Health []Health
}

// Reservation is the host of a route that is not served and keeps it.
type Reservation struct {
	Key RouteKey
	HostKey
}

// IsEmpty reports whether there is nothing to do.
func (c Change) IsEmpty() bool {
	return len(c.Upsert)+len(c.Delete)+len(c.Reserve)+len(c.Health) == 0 && c.Files == nil
}
