package kube

import (
	"testing"

	"k8s.io/apimachinery/pkg/fields"
)

func TestFieldsThatTheAPIServerSelectsBy(t *testing.T) {
	for selector, want := range map[string]string{
		"":                              "",
		"metadata.name=a":               "metadata.name=a",
		"metadata.namespace!=b":         "metadata.namespace!=b",
		"spec.host=a.test":              "",
		"spec.path!=/x,metadata.name=a": "metadata.name=a",
		"metadata.namespace=b,metadata.name!=a,spec.to.name=c": "metadata.name!=a,metadata.namespace=b",
	} {
		if got := serverFields(fields.ParseSelectorOrDie(selector)); got != want {
			t.Errorf("%q: the API server selects by %q; want %q", selector, got, want)
		}
	}
	if got := serverFields(nil); got != "" {
		t.Errorf("without a selector the API server selects by %q", got)
	}
}
