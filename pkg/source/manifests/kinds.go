package manifests

import (
	"fmt"
	"slices"

	routev1 "github.com/openshift/api/route/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"router/pkg/source"
	"router/pkg/spelling"
)

// readKind is a kind of object that is read.
type readKind struct {
	*source.KindInfo
	// versions are the apiVersions that are accepted, the usual one first.
	versions []string
}

// readKinds are all of them. "v1" is the apiVersion of Route in the first
// releases of the API.
func readKinds() []readKind {
	var list []readKind
	for _, info := range source.Kinds() {
		if info.Resource.Empty() {
			continue
		}
		k := readKind{info, []string{info.Resource.GroupVersion().String()}}
		if info.Kind == source.KindRoute {
			k.versions = append(k.versions, "v1")
		}
		list = append(list, k)
	}
	return list
}

// kindRole was in "v1" in OpenShift 3, and is spelled almost like Route.
const kindRole = "Role"

// findKind returns the kind to decode as. Neither a kind nor a message means
// that the object is somebody else's: directories of manifests also hold
// deployments, those of former versions of OpenShift and custom resources. A
// message means that it is probably meant for the router, but is not something
// that it reads.
func findKind(apiVersion, kind string) (*readKind, string) {
	if kind == "" {
		return nil, "kind is missing"
	}
	if apiVersion == "" {
		return nil, "apiVersion is missing"
	}
	group, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return nil, fmt.Sprintf("apiVersion %q is not of the form group/version", apiVersion)
	}
	switch group.Group {
	case "", routev1.GroupName, discoveryv1.GroupName, networkingv1.GroupName, "extensions":
	default:
		return nil, ""
	}
	all := readKinds()
	var names []string
	for _, k := range all {
		names = append(names, string(k.Kind))
		if string(k.Kind) != kind {
			continue
		}
		if slices.Contains(k.versions, apiVersion) {
			return &k, ""
		}
		return nil, fmt.Sprintf("apiVersion %q of %s is not read; write %s", apiVersion, kind, k.versions[0])
	}
	if scheme.Scheme.Recognizes(group.WithKind(kind)) || kind == kindRole {
		return nil, ""
	}
	if near := spelling.Typo(kind, names); near != "" {
		return nil, fmt.Sprintf("there is no kind %q of apiVersion %s; did you mean %s?", kind, apiVersion, near)
	}
	return nil, ""
}
