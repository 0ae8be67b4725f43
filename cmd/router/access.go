package main

import (
	"router/pkg/access"
	"router/pkg/options"
	"router/pkg/source/kube"
	"router/pkg/stats"
)

// newReviewer lets the cluster decide who may use the statistics port beside
// those with the password; nil where there is no cluster.
func newReviewer(o options.Options) (stats.Reviewer, error) {
	if o.Manifests != "" {
		return nil, nil //nolint:nilnil // the password alone counts
	}
	config, err := kube.Config(kube.Flags(o.Kubernetes))
	if err != nil {
		return nil, err
	}
	return access.New(access.Options{Config: config, RouterName: o.Name})
}
