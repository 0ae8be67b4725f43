package model

import "time"

// Bounds of what routes, and the router's options, may ask for.
const (
	// MinCheckInterval is the least time between two health checks of a server.
	// A second notices a dead pod soon enough; at a millisecond, the servers of
	// one route keep a thread of HAProxy busy, and flood whatever address their
	// owner chose.
	MinCheckInterval = time.Second
	// MaxCookieName bounds the name of a session cookie, in bytes. It stands in
	// each entry of a lookup table that leads to the route, and in every request
	// and response; names in use have less than 64.
	MaxCookieName = 128
)
