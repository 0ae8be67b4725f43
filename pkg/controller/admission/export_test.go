package admission

import (
	"maps"
	"slices"

	routev1 "github.com/openshift/api/route/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

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

// Certificate is what is served of spec.tls, zero where there is neither
// certificate nor key.
func Certificate(tls *routev1.TLSConfig) (model.Certificate, field.ErrorList) {
	var c checked
	cert, _ := c.pair(tls, true, true)
	if cert == nil || len(c.failures) > 0 {
		return model.Certificate{}, c.failures
	}
	return *cert, nil
}
