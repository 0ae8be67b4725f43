package admission

import (
	"maps"
	"slices"

	routev1 "github.com/openshift/api/route/v1"

	"router/pkg/model"
)

// Set is an Update by one route, and returns only the routes whose verdicts
// have changed.
func (x *Index) Set(r *routev1.Route) []model.RouteKey {
	return x.only([]*routev1.Route{r}, nil)
}

// Delete is Set for a route that is gone.
func (x *Index) Delete(k model.RouteKey) []model.RouteKey {
	return x.only(nil, []model.RouteKey{k})
}

func (x *Index) only(set []*routev1.Route, gone []model.RouteKey) []model.RouteKey {
	changed := map[model.RouteKey]bool{}
	x.apply(set, gone, changed)
	return slices.SortedFunc(maps.Keys(changed), model.RouteKey.Compare)
}
