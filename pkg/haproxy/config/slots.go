package config

import (
	"slices"
	"strconv"
)

// AssignSlots says which servers a backend is to have for the wanted endpoints,
// given those that it has.
//
// Where servers can be added and deleted while running, each endpoint is a
// server under its own ID, and those that are not wanted any more stay,
// draining, until their last connection ends.
//
// HAProxy before 3.0 crashes on deleting a server in use and gives no cookie
// to an added one. There a backend has slots, servers with neutral names, of
// which some stand for no endpoint: a new endpoint takes a free slot. A slot
// that was given up may be taken again only when its last connection has
// ended: else connections in use at that moment return to the pool and carry
// other requests to the old address for ever (measured on 2.6.12).
//
// left counts the endpoints that found no slot; they need a reload.
func AssignSlots(have []Server, want []Server, slots bool) (placed []Server, left int) {
	if slots {
		return assignInSlots(have, want)
	}
	placed = slices.Clone(want)
	for _, s := range have {
		if s.Ready && !slices.ContainsFunc(want, func(w Server) bool { return w.Name == s.Name }) {
			s.Ready, s.Draining, s.Down = false, true, false
			placed = append(placed, s)
		} else if s.Draining && !slices.ContainsFunc(want, func(w Server) bool { return w.Name == s.Name }) {
			placed = append(placed, s)
		}
	}
	return placed, 0
}

// Bounds of the slots that are free after a reload. A slot costs as much memory
// and time at a reload as a server, so that a service with a thousand pods has
// not as many again: the pods of one so large are replaced a part at a time, and
// others are left when a reload has to bring more slots.
const (
	minSpare = 3
	maxSpare = 64
)

// slotCount is how many slots a backend gets for n endpoints when it is
// rendered anew: as many again, within bounds. While the pods of a service are
// replaced one by one, the old ones' slots are not free at once, and to wait for
// a reload then would leave the service without its pods.
func slotCount(n int) int { return n + min(max(minSpare, n), maxSpare) }

// assignInSlots keeps the endpoints that have a slot and gives the others free
// ones, as far as those go.
func assignInSlots(have []Server, want []Server) (placed []Server, left int) {
	placed = slices.Clone(have)
	wanted := make(map[string]*Server, len(want))
	for i := range want {
		wanted[want[i].Endpoint] = &want[i]
	}
	former := map[string]int{} // Slots of endpoints that have other options now.
	for i := range placed {
		s := &placed[i]
		if s.Endpoint == "" && !s.Ready {
			continue
		}
		w, ok := wanted[s.Endpoint]
		switch {
		case !ok: // Not wanted, or ready though it stands for nobody.
			retire(s)
		case w.Options == s.Options:
			*s = named(*w, s.Name)
			delete(wanted, s.Endpoint)
		default:
			former[s.Endpoint] = i
		}
	}
	for i := range want {
		w := &want[i]
		if wanted[w.Endpoint] == nil {
			continue
		}
		free := slices.IndexFunc(placed, func(s Server) bool {
			return s.Endpoint == "" && !s.Draining && s.Options == w.Options
		})
		if free < 0 {
			left++ // With other options, it serves as it did until the reload.
			continue
		}
		if i, ok := former[w.Endpoint]; ok {
			retire(&placed[i])
		}
		placed[free] = named(*w, placed[free].Name)
	}
	return placed, left
}

// retire takes a slot from its endpoint. It drains until its last connection
// ends; then it is free again.
func retire(s *Server) { s.Endpoint, s.Ready, s.Draining, s.Down = "", false, true, false }

func named(s Server, name string) Server {
	s.Name = name
	return s
}

// freshSlots lays the slots out anew, for a reload: endpoints keep their slots
// where they can, so that their counters go on, and the options that are in
// use, or that a first endpoint would have, take turns in the spare slots.
func freshSlots(have []Server, want []Server, options string) []Server {
	placed := make([]Server, slotCount(len(want)))
	wanted := make(map[string]*Server, len(want))
	for i := range want {
		wanted[want[i].Endpoint] = &want[i]
	}
	endpoints := make(map[string]string, len(have)) // by slot
	for i := range have {
		endpoints[have[i].Name] = have[i].Endpoint
	}
	for i := range placed {
		name := slotName(i)
		if w := wanted[endpoints[name]]; w != nil {
			placed[i] = named(*w, name)
			delete(wanted, w.Endpoint)
		}
	}
	left := slices.DeleteFunc(slices.Clone(want), func(s Server) bool { return wanted[s.Endpoint] == nil })
	kinds := kindsOf(want, options)
	spare := 0
	for i := range placed {
		switch {
		case placed[i].Name != "":
		case len(left) > 0:
			placed[i] = named(left[0], slotName(i))
			left = left[1:]
		default:
			placed[i] = freeSlot(i, kinds[spare%len(kinds)])
			spare++
		}
	}
	return placed
}

// kindsOf are the different options of servers, those of a first one in front.
func kindsOf(servers []Server, options string) []string {
	kinds := []string{options}
	for i := range servers {
		if !slices.Contains(kinds, servers[i].Options) {
			kinds = append(kinds, servers[i].Options)
		}
	}
	return kinds
}

// renewFree gives free slots options that are still in use, for the file: others
// may name a CA file that is gone.
func renewFree(placed, want []Server, options string) {
	kinds := kindsOf(want, options)
	for i := range placed {
		if s := &placed[i]; s.Endpoint == "" && !slices.Contains(kinds, s.Options) {
			s.Options = options
		}
	}
}

// spareSlots is how many slots a spare backend has.
const spareSlots = 6

// emptySlots are those of a backend that nobody has taken.
func emptySlots(options string) []Server {
	slots := make([]Server, spareSlots)
	for i := range slots {
		slots[i] = freeSlot(i, options)
	}
	return slots
}

func freeSlot(i int, options string) Server {
	return Server{Name: slotName(i), Address: placeholderAddress, Port: placeholderPort, Weight: 1, Options: options}
}

func slotName(i int) string { return "s" + strconv.Itoa(i+1) }
