package translate

import "math"

// share gives each server a weight, so that together they get their
// services' shares. A service without endpoints leaves its share to the
// others. HAProxy's weights are whole numbers from 0 to 256.
//
// The scale is the largest at which no server's weight passes 256. Rounding
// then moves a share by at most half a point in 256. Where a service has so
// many endpoints for so small a share that a weight of 1 for each would be too
// much, only as many of them as give the right share take new sessions.
func share(targets []target) {
	scale := math.Inf(1)
	active := 0
	for _, t := range targets {
		if t.weight > 0 && len(t.servers) > 0 {
			active++
			scale = min(scale, maxWeight*float64(len(t.servers))/float64(t.weight))
		}
	}
	for i := range targets {
		t := &targets[i]
		switch {
		case t.weight == 0:
			spread(t, 0)
		case active == 1:
			// The memory of some algorithms grows with weights.
			spread(t, len(t.servers))
		default:
			spread(t, max(1, int(math.Round(float64(t.weight)*scale))))
		}
	}
}

// spread divides a total evenly among the servers of a service.
func spread(t *target, total int) {
	if len(t.servers) == 0 {
		return
	}
	each, rest := total/len(t.servers), total%len(t.servers)
	for i := range t.servers {
		t.servers[i].Weight = each
		if i < rest {
			t.servers[i].Weight++
		}
	}
}
