package model

// Change is what the controller asks the data plane to make true. A key appears
// once in it.
type Change struct {
	// Upsert holds new and changed routes.
	Upsert []*Route
	// Delete holds the keys of routes that are served no longer.
	Delete []RouteKey
	// Reserve has routes that are not served but keep their host, so that requests
	// for it do not go to a route for any host.
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
