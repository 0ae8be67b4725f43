package ingress

import (
	"slices"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"router/pkg/controller/admission"
	"router/pkg/model"
	"router/pkg/source"
)

// Objects finds all that Ingresses lead to. *source.Store is one.
type Objects interface {
	Classes
	Secrets
	Service(namespace, name string) *corev1.Service
}

// Set holds the paths of the Ingresses that are a router's. It belongs to one
// goroutine.
type Set struct {
	class        Class
	objects      Objects
	certificates *Certificates
	// paths are by the key of their route, of by Ingress.
	paths map[model.RouteKey]*Path
	of    map[model.RouteKey][]model.RouteKey
	owned map[model.RouteKey]bool
	// users are the Ingresses that name a secret, secrets those that each names.
	users   map[source.Key]map[model.RouteKey]bool
	secrets map[model.RouteKey][]source.Key
}

// NewSet returns a set without Ingresses.
func NewSet(class Class, objects Objects, o CertificateOptions) *Set {
	return &Set{
		class: class, objects: objects, certificates: NewCertificates(objects, o),
		paths: map[model.RouteKey]*Path{}, of: map[model.RouteKey][]model.RouteKey{}, owned: map[model.RouteKey]bool{},
		users: map[source.Key]map[model.RouteKey]bool{}, secrets: map[model.RouteKey][]source.Key{},
	}
}

// lookup is what translation needs.
type lookup struct {
	Objects
	*Certificates
}

// Update looks at an Ingress anew, nil if there is none, and returns the
// routes that it has now and those that it has no more. owned is whether the
// Ingress is the router's.
func (s *Set) Update(k model.RouteKey, i *networkingv1.Ingress) (set []*routev1.Route, gone []model.RouteKey, owned bool) {
	var paths []*Path
	var secrets []source.Key
	if owned = i != nil && s.class.Owns(i, s.objects); owned {
		paths, secrets = Translate(i, lookup{s.objects, s.certificates}), source.SecretsOf(i)
	}
	before := s.of[k]
	delete(s.of, k)
	delete(s.owned, k)
	if owned {
		s.owned[k] = true
	}
	for _, p := range before {
		delete(s.paths, p)
	}
	for _, p := range paths {
		s.of[k] = append(s.of[k], p.Key())
		s.paths[p.Key()] = p
		set = append(set, p.Route)
	}
	for _, p := range before {
		if s.paths[p] == nil {
			gone = append(gone, p)
		}
	}
	s.use(k, secrets)
	return set, gone, owned
}

// use notes which secrets an Ingress names. What nobody names any more is
// forgotten.
func (s *Set) use(k model.RouteKey, secrets []source.Key) {
	before := s.secrets[k]
	delete(s.secrets, k)
	if len(secrets) > 0 {
		s.secrets[k] = secrets
	}
	for _, secret := range secrets {
		if s.users[secret] == nil {
			s.users[secret] = map[model.RouteKey]bool{}
		}
		s.users[secret][k] = true
	}
	for _, secret := range before {
		if slices.Contains(secrets, secret) {
			continue
		}
		if delete(s.users[secret], k); len(s.users[secret]) == 0 {
			delete(s.users, secret)
			s.certificates.Forget(secret.Namespace, secret.Name)
		}
	}
}

// Path is the path that a route stands for, nil if it stands for none.
func (s *Set) Path(k model.RouteKey) *Path { return s.paths[k] }

// PathsOf are the keys of the routes of an Ingress.
func (s *Set) PathsOf(k model.RouteKey) []model.RouteKey { return s.of[k] }

// Owns reports whether an Ingress was the router's when it was last looked at.
func (s *Set) Owns(k model.RouteKey) bool { return s.owned[k] }

// IngressPath is for admission.Options.
func (s *Set) IngressPath(k model.RouteKey) *admission.IngressPath {
	if p := s.paths[k]; p != nil {
		return &p.IngressPath
	}
	return nil
}
