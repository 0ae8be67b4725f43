package config

import (
	"slices"
)

// Imager makes the states that files say. What has not changed since the last
// one is not worked out again.
type Imager struct {
	features Features
	made     map[string]imaged
}

// imaged is a backend as the file has it, and what it was made of.
type imaged struct{ want, have, image *Backend }

// NewImager returns one that has made nothing.
func NewImager(f Features) *Imager { return &Imager{features: f, made: map[string]imaged{}} }

// Image is the state that files say for what is desired: that, but for what
// no file can say, and with slots as they are in the running process, nil for
// none.
func (m *Imager) Image(desired, applied *State) *State {
	image := *desired
	image.Backends = make(map[string]*Backend, len(desired.Backends))
	made := make(map[string]imaged, len(desired.Backends))
	for name, want := range desired.Backends {
		var have *Backend
		if applied != nil {
			have = applied.Backends[name]
		}
		of := m.made[name]
		if of.want != want || of.have != have {
			of = imaged{want, have, m.backend(want, have)}
			// An image that says the same stays, so that nothing seems to change.
			if old := m.made[name].image; old != nil && old.Equal(of.image) {
				of.image = old
			}
		}
		made[name], image.Backends[name] = of, of.image
	}
	m.made = made
	return &image
}

func (m *Imager) backend(want, have *Backend) *Backend {
	image := *want
	image.Servers = slices.Clone(want.Servers)
	for i := range image.Servers {
		image.Servers[i].Down = false
	}
	if m.features.DynamicServers {
		return &image
	}
	if have != nil && have.SameSettings(want) {
		if placed, left := AssignSlots(have.Servers, image.Servers, true); left == 0 {
			for i := range placed {
				placed[i].Draining = false
			}
			renewFree(placed, image.Servers, want.Options)
			image.Servers = placed
			return &image
		}
	}
	var before []Server
	if have != nil {
		before = have.Servers
	}
	image.Servers = freshSlots(before, image.Servers, want.Options)
	return &image
}

// Loaded is the state of a process that has just read the files of an image.
func Loaded(image *State, f Features) *State {
	applied := image.Clone()
	applied.Spares = NewSpares(image, f)
	if f.NamedSlots {
		applied.SlotNames = image.slotNames()
	}
	return applied
}
