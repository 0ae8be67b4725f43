package routes

import (
	"slices"

	"router/pkg/model"
)

// Set has the candidates of all objects. It belongs to one goroutine.
type Set struct {
	candidates map[model.RouteKey]*Candidate
	// rules are the keys of the candidates of objects that may have several.
	rules map[model.RouteKey][]model.RouteKey
}

// NewSet returns a set without candidates.
func NewSet() *Set {
	return &Set{candidates: map[model.RouteKey]*Candidate{}, rules: map[model.RouteKey][]model.RouteKey{}}
}

// Get returns a candidate, nil if there is none with the key.
func (s *Set) Get(k model.RouteKey) *Candidate { return s.candidates[k] }

// Put replaces the candidates of an object, and returns the keys of those that
// it has no more. The key of an object is one without a rule.
func (s *Set) Put(object model.RouteKey, now []*Candidate) (gone []model.RouteKey) {
	before := s.Of(object)
	delete(s.rules, object)
	var keys []model.RouteKey
	for _, c := range now {
		s.candidates[c.Key] = c
		keys = append(keys, c.Key)
	}
	for _, k := range before {
		if !slices.Contains(keys, k) {
			delete(s.candidates, k)
			gone = append(gone, k)
		}
	}
	if len(keys) > 0 && keys[0] != object {
		s.rules[object] = keys
	}
	return gone
}

// Of returns the keys of the candidates of an object, in their order.
func (s *Set) Of(object model.RouteKey) []model.RouteKey {
	if s.candidates[object] != nil {
		return []model.RouteKey{object}
	}
	return s.rules[object]
}
