package manifests

import (
	"crypto/sha256"
	"encoding/hex"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"router/pkg/source"
)

// complete fills in what an API server would, and nothing that depends on
// when it is done: an object without a creation time stays without.
func complete(k source.Key, o metav1.Object) {
	o.SetNamespace(k.Namespace)
	o.SetManagedFields(nil)
	if r, ok := o.(runtime.Object); ok {
		// As from a cluster, the type is in the Go type alone.
		r.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	}
	if o.GetUID() == "" {
		// Claims of equal age go by the UID: the same on every run and replica.
		sum := sha256.Sum256([]byte(k.String()))
		o.SetUID(types.UID(hex.EncodeToString(sum[:16])))
	}
	switch v := o.(type) {
	case *routev1.Route:
		completeRoute(v)
	case *corev1.Service:
		completeService(v)
	case *discoveryv1.EndpointSlice:
		for i := range v.Ports {
			if v.Ports[i].Protocol == nil {
				tcp := corev1.ProtocolTCP
				v.Ports[i].Protocol = &tcp
			}
		}
	case *corev1.Endpoints: //nolint:staticcheck // old manifests have them
		for i := range v.Subsets {
			for j := range v.Subsets[i].Ports {
				if p := &v.Subsets[i].Ports[j]; p.Protocol == "" {
					p.Protocol = corev1.ProtocolTCP
				}
			}
		}
	case *corev1.Secret:
		completeSecret(v)
	}
}

// defaultWeight is the weight that the API server gives a target without one.
const defaultWeight = 100

func completeRoute(r *routev1.Route) {
	target := func(t *routev1.RouteTargetReference) {
		if t.Kind == "" {
			t.Kind = "Service"
		}
		if t.Weight == nil {
			w := int32(defaultWeight)
			t.Weight = &w
		}
	}
	target(&r.Spec.To)
	for i := range r.Spec.AlternateBackends {
		target(&r.Spec.AlternateBackends[i])
	}
	if r.Spec.WildcardPolicy == "" {
		r.Spec.WildcardPolicy = routev1.WildcardPolicyNone
	}
}

func completeService(s *corev1.Service) {
	if s.Spec.Type == "" {
		s.Spec.Type = corev1.ServiceTypeClusterIP
	}
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		if p.Protocol == "" {
			p.Protocol = corev1.ProtocolTCP
		}
		if p.TargetPort.IntVal == 0 && p.TargetPort.StrVal == "" {
			p.TargetPort.IntVal = p.Port
		}
	}
}

// completeSecret folds stringData, which wins, into data.
func completeSecret(s *corev1.Secret) {
	for k, text := range s.StringData {
		if s.Data == nil {
			s.Data = map[string][]byte{}
		}
		s.Data[k] = []byte(text)
	}
	s.StringData = nil
	if s.Type == "" {
		s.Type = corev1.SecretTypeOpaque
	}
}
