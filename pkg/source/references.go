package source

import (
	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// References are kept whatever the reference's kind says: what that means is
// translation's matter, and one reference too many costs nothing.

func routeReferences(r *routev1.Route) []Key {
	refs := make([]Key, 0, 2+len(r.Spec.AlternateBackends))
	refs = append(refs, Key{KindService, r.Namespace, r.Spec.To.Name})
	for _, b := range r.Spec.AlternateBackends {
		refs = append(refs, Key{KindService, r.Namespace, b.Name})
	}
	if tls := r.Spec.TLS; tls != nil && tls.ExternalCertificate != nil {
		refs = append(refs, Key{KindSecret, r.Namespace, tls.ExternalCertificate.Name})
	}
	return refs
}

func ingressReferences(i *networkingv1.Ingress) []Key {
	var refs []Key
	backend := func(b *networkingv1.IngressBackend) {
		if b != nil && b.Service != nil {
			refs = append(refs, Key{KindService, i.Namespace, b.Service.Name})
		}
	}
	backend(i.Spec.DefaultBackend)
	for _, rule := range i.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for _, path := range rule.HTTP.Paths {
			backend(&path.Backend)
		}
	}
	for _, tls := range i.Spec.TLS {
		if tls.SecretName != "" {
			refs = append(refs, Key{KindSecret, i.Namespace, tls.SecretName})
		}
	}
	if name := i.Annotations[DestinationCAAnnotation]; name != "" {
		refs = append(refs, Key{KindSecret, i.Namespace, name})
	}
	return append(refs, Key{KindIngressClass, "", IngressClassName(i)})
}

// The annotations of an Ingress that refer to other objects.
const (
	// IngressClassAnnotation named the class before there was a field for it,
	// and is still in use.
	IngressClassAnnotation = "kubernetes.io/ingress.class"
	// DestinationCAAnnotation names the secret with the authorities by which the
	// pods are verified.
	DestinationCAAnnotation = "route.openshift.io/destination-ca-certificate-secret"
)

// IngressClassName is the class of an Ingress, "" where it names none.
func IngressClassName(i *networkingv1.Ingress) string {
	if i.Spec.IngressClassName != nil {
		return *i.Spec.IngressClassName
	}
	return i.Annotations[IngressClassAnnotation]
}

// classNames are the names by which Ingresses mean a class: "" where it is the
// one of those that name none.
func classNames(k Key, o metav1.Object) []Key {
	names := []Key{k}
	if o != nil && o.GetAnnotations()[networkingv1.AnnotationIsDefaultIngressClass] == "true" {
		names = append(names, Key{KindIngressClass, "", ""})
	}
	return names
}

func serviceReferences(s *corev1.Service) []Key {
	if name := ExternalName(s); name != "" {
		return []Key{{KindExternalName, "", name}}
	}
	return nil
}

// servicesOfSlice is the service that a slice belongs to; none for no slice, or
// one that belongs to no service.
func servicesOfSlice(_ Key, o metav1.Object) []Key {
	if s, ok := o.(*discoveryv1.EndpointSlice); ok && s.Labels[discoveryv1.LabelServiceName] != "" {
		return []Key{{KindService, s.Namespace, s.Labels[discoveryv1.LabelServiceName]}}
	}
	return nil
}
