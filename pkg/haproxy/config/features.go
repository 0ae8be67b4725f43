package config

// Features are what the HAProxy can do that is written for, and what its
// administrator has chosen for it.
type Features struct {
	// DynamicServers: servers are added and deleted while running. Needs
	// HAProxy 3.0, see AssignSlots.
	DynamicServers bool
	// AddBackend: backends are added and deleted while running (3.4).
	AddBackend bool
	// NamedSlots: the access log finds the names of slots' endpoints in a table.
	// It is so where servers are slots and an access log is configured.
	NamedSlots bool
	// Spares is how many spare backends a file has for each kind of settings,
	// where AddBackend is not possible.
	Spares int
}
