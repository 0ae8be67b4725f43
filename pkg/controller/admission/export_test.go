package admission

import (
	"maps"
	"slices"

	"router/pkg/controller/routes"
	"router/pkg/model"
)

// Set is an Update by one route, and returns only the routes whose verdicts
// have changed.
func (x *Index) Set(r *routes.Candidate) []model.RouteKey {
	return x.only([]*routes.Candidate{r}, nil)
}

// Delete is Set for a route that is gone.
func (x *Index) Delete(k model.RouteKey) []model.RouteKey {
	return x.only(nil, []model.RouteKey{k})
}

func (x *Index) only(set []*routes.Candidate, gone []model.RouteKey) []model.RouteKey {
	changed := map[model.RouteKey]bool{}
	x.apply(set, gone, changed)
	return slices.SortedFunc(maps.Keys(changed), model.RouteKey.Compare)
}
