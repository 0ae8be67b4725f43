package model

// Change is what the controller asks the data plane to make true: routes to
// add or replace, and routes that are no more. Keys appear once.
type Change struct {
	// Upsert holds new and changed routes.
	Upsert []*Route
	// Delete holds the keys of routes that are not served any longer.
	Delete []RouteKey
}

// IsEmpty reports whether there is nothing to do.
func (c Change) IsEmpty() bool { return len(c.Upsert) == 0 && len(c.Delete) == 0 }
