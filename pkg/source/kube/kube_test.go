package kube

import "testing"

func TestFieldsThatTheAPIServerSelectsBy(t *testing.T) {
	for selector, want := range map[string]string{
		"":                              "",
		"metadata.name=a":               "metadata.name=a",
		"metadata.namespace!=b":         "metadata.namespace!=b",
		"spec.host=a.test":              "",
		"spec.path!=/x,metadata.name=a": "metadata.name=a",
		"metadata.namespace=b,metadata.name!=a,spec.to.name=c": "metadata.name!=a,metadata.namespace=b",
	} {
		if got, err := serverFields(selector); err != nil || got != want {
			t.Errorf("%q: the API server selects by %q, %v; want %q", selector, got, err, want)
		}
	}
	if _, err := serverFields("a=b=c=d,,!"); err == nil {
		t.Error("nonsense is taken")
	}
}
